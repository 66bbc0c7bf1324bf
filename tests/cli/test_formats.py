"""Every command answers people and programs alike, and takes the same options at the same places."""

import json
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from penstock.cli.console import emit
from penstock.cli.formats import FORMATS, rendered
from penstock.cli.history import table
from penstock.cli.live import owners
from penstock.cli.main import COMMANDS, Commands, cli
from penstock.cli.overview import overview
from penstock.cli.progress import progress
from penstock.cli.progress_view import View, screen
from penstock.cli.reading import Told
from penstock.core.fields import Fields
from penstock.core.history import Entry, Result
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from tests.cli.play import Play

COMMON = {"--kubeconfig", "--context", "--namespace", "--debug", "--output"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options_and_every_format(name: str) -> None:
    """`-o json` that works for one command and not for the next is learnt by failing."""
    command = Commands().get_command(None, name)  # type: ignore[arg-type]  # the context is not used
    assert command is not None
    options = {flag: option for option in command.params for flag in option.opts}
    assert options.keys() >= COMMON
    kind = options["--output"].type
    assert isinstance(kind, click.Choice)
    assert tuple(kind.choices) == FORMATS


def test_a_command_that_acts_asks_before_it_does_or_is_told_yes() -> None:
    """All of them, and no other."""
    acting = set()
    for name in COMMANDS:
        command = Commands().get_command(None, name)  # type: ignore[arg-type]  # the context is not used
        assert command is not None
        if any("--yes" in option.opts for option in command.params):
            acting.add(name)
    assert acting == {"approve", "abort", "undo", "release", "retry", "skip-to", "uninstall"}


def test_yaml_is_the_same_value_as_json() -> None:
    """Names of ours are words to a program, and nothing is an alias of something before."""
    shared = {"reason": Reason.PROMOTED}
    value = {"a": shared, "b": shared, "text": "ü: |", "none": None}
    assert yaml.safe_load(rendered(value, "yaml")) == json.loads(rendered(value, "json"))
    assert "&" not in rendered(value, "yaml")


PLANNED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 40, template: {spec: {containers: [{name: web, image: "shop/web:1"}]}}}
"""


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("columns", ["80", "40"])
def test_a_plan_reads_well_on_a_narrow_screen_in_a_file_from_windows(output: str, columns: str, tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, no terminal, no colour."""
    file = tmp_path / "web.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + PLANNED.replace("\n", "\r\n").encode())
    done = CliRunner(env={"COLUMNS": columns}).invoke(cli, ["plan", "-f", str(file), "-o", output])
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    if output in ("text", "wide"):
        assert max(map(len, done.stdout.splitlines())) <= int(columns)
    else:
        assert yaml.safe_load(done.stdout)


PAST = (
    Entry(
        "b", Result.REJECTED, Reason.MORE_ERRORS, "step 1 of 3: new 6/193 (3.1%) vs old 0/2196", 100, 131, ("web:3",)
    ),
    Entry("a", Result.SUPERSEDED, Reason.SUPERSEDED, "a newer version was declared", 0, 40, ("web:2",)),
)


def test_the_history_is_a_row_for_each_rollout(capsys: pytest.CaptureFixture[str]) -> None:
    """One that was never opened took no time."""
    emit(table(PAST))
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["ended", "result", "took", "reason"]
    assert rows[0].startswith("1970-01-01 00:02 UTC  rejected    31s   MoreErrors: step 1 of 3:")
    assert max(map(len, rows)) <= 80
    assert next(row for row in rows if " -  " in row).split()[3:5] == ["superseded", "-"]


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.OPENING, Phase.HOLDING])
def test_a_plan_of_the_cluster_speaks_of_the_owners_fields(phase: Phase) -> None:
    """In the middle of a rollout others are in force; the next change is planned with the owner's."""
    play = Play(strategy={"maxSurge": 3, "maxUnavailable": 1})
    before = owners(play.cluster.server.obj)
    play.release()
    play.until(phase)
    now = owners(play.cluster.server.obj)
    assert Fields.of(now) == Fields.of(before)
    assert now["metadata"] == before["metadata"]
    assert "status" not in now


def test_wide_cuts_nothing_off_and_says_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Event is shortened to its line on the screen; a table has the sentences only where there is room."""
    monkeypatch.setenv("COLUMNS", "60")
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 1)
    long = "a sentence that is " + "much " * 20 + "longer than the line"
    told = play.sight(Told(play.cluster.now - 5, "Approved", long, False))

    def shown(view: View, *, wide: bool) -> str:
        emit(screen(view, wide=wide))
        lines = capsys.readouterr().out
        assert max(map(len, lines.splitlines())) <= 60
        return " ".join(lines.split())

    one = progress(told)
    assert one is not None
    assert "longer than the line" not in shown(one, wide=False)
    whole = shown(one, wide=True)
    assert "longer than the line" in whole
    assert f"rollout {one.rollout}, holding, first window opened" in whole
    table_of = overview("shop", [told.obj], {}, play.cluster.now)
    assert one.rollout not in shown(table_of, wide=False)
    monkeypatch.setenv("COLUMNS", "200")
    emit(screen(table_of, wide=True))
    assert one.rollout in capsys.readouterr().out
