"""One function for each page of docs/reference."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import msgspec

from penstock.core import keys
from penstock.core.plan import PARSERS, Plan, check
from penstock.core.reasons import ENDS, QUIET, WARNINGS, Reason
from penstock.core.record import VERSION, Record
from penstock.core.rollout import HELD, LABELS, TRANSITIONS, Event, Phase
from penstock.core.units import print_duration as words
from penstock.metrics.configuration import Configuration
from penstock.signals import series
from penstock.signals.series import Series
from tools.reference.commands import commands
from tools.reference.words import ANNOTATIONS, CONFIGURATION, OURS, PHASES, REASONS, RECORD

DIRECTORY = Path(__file__).parents[2] / "docs" / "reference"
MADE = "<!-- Made by `make reference` from the code. -->"

Row = Iterable[object]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; a | in a cell would end it."""
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join((f"# {title}", MADE, *parts)) + "\n"


def same(words_of: Iterable[str], code: Iterable[str]) -> None:
    """Refuse words for what is not in the code, and code without words."""
    odd = {*map(str, words_of)} ^ {*map(str, code)}
    if odd:
        raise ValueError(f"tools/reference/words.py and the code differ in: {', '.join(sorted(odd))}")


def reasons() -> str:
    same(REASONS, Reason)

    def event(reason: Reason) -> str:
        return "none" if reason in QUIET or reason is Reason.GATED else "Warning" if reason in WARNINGS else "Normal"

    def condition(reason: Reason) -> str:
        if reason in ENDS or reason in (Reason.GATED, Reason.WINDOW):
            return "none"
        return "False" if reason is Reason.REJECTED else "Unknown"

    rows = [(f"`{reason}`", event(reason), condition(reason), *REASONS[reason]) for reason in Reason]
    return page(
        "Reasons",
        "The same word in the condition `penstock.dev/Rollout`, in Events, logs, metrics and commands. They are an "
        "API: scripts may compare them. An Event is sent when reason or message change, and only then.",
        table(("reason", "Event", "condition", "meaning", "what to do"), rows),
    )


def annotations() -> str:
    same(ANNOTATIONS, (*keys.USER_ANNOTATIONS, keys.LIMIT + "NAME"))
    same(OURS, keys.OUR_ANNOTATIONS)
    rows = []
    for key, (values, example, meaning) in ANNOTATIONS.items():
        check(key.replace("NAME", "name"), example)
        rows.append((f"`{key}`", values, default(key), f"`{example}`", meaning))
    own = [(f"`{key}`", where, meaning) for key, (where, meaning) in OURS.items()]
    labels = ", ".join(f"`{value}`" for value in dict.fromkeys(LABELS.values()))
    return page(
        "Annotations and labels",
        f"The label `{keys.ENABLED}` (`true`, `false`) opts in, on a Namespace or a Deployment, which has the last "
        "word. Annotations stand on the Deployment, or on its Namespace as a default. "
        "[The guide](../guide/vocabulary.md) says more.",
        table(("annotation", "values", "default", "example", "meaning"), rows),
        f"Written by Penstock: the label `{keys.ROLLOUT}` ({labels}), the condition `{keys.CONDITION}`, and",
        table(("annotation", "on", "meaning"), own),
        f"The label `{keys.HISTORY}` is on the ConfigMaps `penstock-history-NAME`, in which `penstock history` finds "
        "how the last rollouts of the Deployment NAME ended. Each belongs to its Deployment and goes with it.",
    )


def default(key: str) -> str:
    """The plan's, as a user would write it."""
    value = getattr(Plan(), PARSERS[key][0], None) if key in PARSERS else None
    match value:
        case None:
            return "none"
        case tuple():
            return f"`{', '.join(map(str, value))}`"
        case float() | int() if key == keys.MAX_IMPACT:
            return f"`{value:.0%}`"
        case float() | int():
            return f"`{words(value)}`"
        case str():
            return f"`{value}`"
    return f"`{words(value.min)}..{words(value.max)}`"


def metrics() -> str:
    def rows(of: Iterable[Series]) -> Iterable[Row]:
        for known in of:
            labels = ", ".join(f"`{label}`" for label in known.labels)
            yield f"`{known.name}`", known.kind, labels, known.help

    head = ("metric", "type", "labels", "meaning")
    return page(
        "Metrics",
        "Both processes serve them at `:9090/metrics`, with `process_*` of their own beside. Series of a rollout begin "
        "and end with it; only active rollouts have any, and at most 500 of these.",
        "## Webhook",
        table(head, rows(series.WEBHOOK)),
        "## Controller",
        table(head, rows(series.CONTROLLER)),
    )


def record() -> str:
    names = [field.name for field in fields(Record)]
    same(RECORD, names)
    rows = [("`v`", f"version of the format; this Penstock reads {VERSION}, and holds at any other")]
    rows += [(f"`{name}`", RECORD[name]) for name in names]
    return page(
        "The record",
        f"All durable state of a rollout, as JSON in the annotation `{keys.RECORD}`. Read it, never write it.",
        table(("field", "meaning"), rows),
    )


def states() -> str:
    same(PHASES, Phase)
    arrows = [
        f"    {phase} --> {after}: {event.value}"
        for phase, events in TRANSITIONS.items()
        for event, after in events.items()
        if event is not Event.RELEASED
    ]
    diagram = ["stateDiagram-v2", f"    [*] --> {Phase.PENDING}: the webhook gates a template change", *arrows]
    diagram += [f"    {phase} --> [*]" for phase in (Phase.FINISHING, Phase.LEAVING)]
    rows = [(phase, f"`{LABELS[phase]}`", "yes" if phase in HELD else "no", PHASES[phase]) for phase in Phase]
    rows = [(p, label, "mostly" if p is Phase.RETREATING else held, text) for p, label, held, text in rows]
    return page(
        "States of a rollout",
        "```mermaid\n" + "\n".join(diagram) + "\n```",
        f"From every phase to {Phase.LEAVING}: {Event.RELEASED.value}.",
        table(("phase", f"label `{keys.ROLLOUT}`", "paused", "meaning"), rows),
    )


def configuration() -> str:
    defaults = dict(keys_of(Configuration))
    same(CONFIGURATION, defaults)
    rows = [(f"`{key}`", values, shown(defaults[key]), meaning) for key, (values, meaning) in CONFIGURATION.items()]
    return page(
        "penstock.yaml",
        "What a cluster's administrator decides: the ConfigMap `penstock` in the namespace `penstock-system`, changed "
        "in an overlay. It counts when the controller is restarted. A mistake ends the start, with its place, what was "
        "found, what is allowed and an example. Files are mounted Secrets (`penstock-prometheus` at `/etc/penstock`, "
        "`penstock-notifications` at `/etc/penstock-notifications`) and read whenever they are used.",
        table(("key", "values", "default", "meaning"), rows),
    )


def keys_of(kind: type[msgspec.Struct], place: str = "") -> Iterator[tuple[str, object]]:
    """Each key of penstock.yaml with its default; NODEFAULT where it must be there."""
    hints = get_type_hints(kind)
    for known in msgspec.structs.fields(kind):
        key = f"{place}{known.encode_name}"
        yield key, known.default_factory() if known.default is msgspec.NODEFAULT and _made(known) else known.default
        for inner in get_args(hints[known.name]):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                yield from keys_of(inner, f"{key}.NAME." if get_origin(hints[known.name]) is dict else f"{key}.")


def _made(known: msgspec.structs.FieldInfo) -> bool:
    return known.default_factory is not msgspec.NODEFAULT


def shown(value: object) -> str:
    """A default as it would be written."""
    if value is msgspec.NODEFAULT or value in (None, "", {}):
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


PAGES: Mapping[str, Callable[[], str]] = {
    "reasons.md": reasons,
    "annotations.md": annotations,
    "metrics.md": metrics,
    "configuration.md": configuration,
    "record.md": record,
    "states.md": states,
    "cli.md": commands,
}
