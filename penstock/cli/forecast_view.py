"""A forecast for eyes: the sentence first, then the steps as a table, the warnings, and what admission changes."""

import difflib
from collections.abc import Iterator
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from penstock.cli.cautions import cautions, headline
from penstock.cli.console import plain
from penstock.cli.forecast import Forecast, Object, Stage
from penstock.cli.text import counted
from penstock.core import keys
from penstock.core.exposure import Window
from penstock.core.fields import Fields
from penstock.core.units import print_duration

ENDLESS = 1_000_000
"""A width at which YAML folds nothing: a folded record could not be read back by eye."""


def render(f: Forecast, *, wide: bool = False) -> RenderableType:
    """The whole forecast of one Deployment; `wide`: every window of every step, and no line is cut off."""
    parts: list[RenderableType] = [plain(_size(f)), plain(headline(f))]
    if f.stages:
        parts += [Text(), _steps(f, wide), Text(), plain(f"It begins with: {f.first}")]
    parts += [plain(f"Warning: {sentence}", "yellow") for sentence in cautions(f)]
    body = Group(*parts, Text(), *_changes(f, wide))
    return Group(plain(f"Deployment {f.namespace}/{f.name}", "bold"), Padding(body, (0, 0, 1, 2)))


def _size(f: Forecast) -> str:
    fields = Fields.of(f.manifest)
    if not f.gated:
        return f"{counted(f.replicas, 'replica')}, strategy {fields.type}"
    surge, unavailable = _amount(fields.surge, f.limits.surge), _amount(fields.unavailable, f.limits.unavailable)
    return f"{counted(f.replicas, 'replica')}, maxSurge {surge}, maxUnavailable {unavailable}"


def _amount(written: Any, pods: int) -> str:
    return str(written) if written == pods else f"{written} = {pods}"


def _steps(f: Forecast, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("step")
    table.add_column("as written")
    table.add_column("new", justify="right")
    table.add_column("old", justify="right")
    table.add_column("+surge -unavailable")
    table.add_column("then")
    stay = f"judged {print_duration(f.plan.step_time.min)} to {print_duration(f.plan.step_time.max)}"
    for number, stage in enumerate(f.stages, 1):
        then = f"{stay}, a person approves" if stage.approval else stay
        written, size = ", ".join(stage.exposure.written), str(stage.exposure.pods)
        table.add_row(str(number), written, size, str(stage.old(f.replicas)), plain(windows(stage, wide)), plain(then))
    table.add_row("all", "", str(f.replicas), "0", "by Kubernetes itself", "")
    return table


def windows(stage: Stage, wide: bool = False) -> str:
    """`+3 -2`: three pods more in all, two old ones less; where there are many, the first and the last."""
    if wide or len(stage.windows) <= 3:
        return ", then ".join(map(_window, stage.windows))
    return f"{len(stage.windows)}, from {_window(stage.windows[0])} to {_window(stage.windows[-1])}"


def _window(window: Window) -> str:
    return f"+{window.surge} -{window.unavailable}"


def _changes(f: Forecast, wide: bool) -> Iterator[RenderableType]:
    """What admission changes in the manifest, as a diff."""
    lines = list(_diff(f.manifest, f.admitted))
    if not lines:
        yield plain("Admission leaves the manifest as it is.")
        return
    yield plain("When the template changes, it is admitted as (-o yaml shows all of it):")
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        cut = {} if wide else {"no_wrap": True, "overflow": "ellipsis"}
        yield plain("  " + line, colours.get(line[:1], ""), **cut)


def _diff(manifest: Object, admitted: Object) -> Iterator[str]:
    before, after = (text(_shortened(obj)).splitlines() for obj in (manifest, admitted))
    for line in difflib.unified_diff(before, after, n=1, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield line
        elif line.startswith("@@"):
            yield "@@"


def _shortened(obj: Object) -> Object:
    notes = dict(obj["metadata"].get("annotations") or {})
    if keys.RECORD not in notes:
        return obj
    notes[keys.RECORD] = "(the state of the rollout)"
    return {**obj, "metadata": {**obj["metadata"], "annotations": notes}}


class Dumper(yaml.SafeDumper):
    """Without anchors: what stands twice in a manifest is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(obj: Object) -> str:
    """An object as YAML, its keys in the order in which they were written."""
    return str(yaml.dump(obj, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=ENDLESS))
