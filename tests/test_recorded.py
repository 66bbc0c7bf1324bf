"""A recorded observation gives the same decision again, and a file that is none is refused in words."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from controller.recording import Recording
from penstock import recorded
from penstock.cli.main import cli
from penstock.core.decide import decide
from tests.core.seen import observation, pods


@given(st.integers(1, 5), st.integers(0, 10), st.integers(0, 3), st.floats(1e9, 2e9))
def test_a_recorded_observation_is_read_back_as_it_was(new: int, old: int, flaps: int, now: float) -> None:
    """A float that lost a digit, or a tuple that became a list, would be another decision."""
    seen = observation(new=new, old=old, now=now, pods=(*pods("v2", new, flaps=flaps), *pods("v1", old)))
    decision = decide(seen)
    known = recorded.decode(recorded.encode(seen, decision))
    assert known.observation == seen
    assert recorded.replay(known) == (decision, ())


def test_replay_prints_the_decision_and_its_sentence(tmp_path: Path) -> None:
    """What is reported from elsewhere must be readable without a cluster."""
    seen = observation()
    file = Recording(tmp_path).keep(seen, decide(seen))
    result = CliRunner().invoke(cli, ["replay", str(file)])
    assert result.exit_code == 0, result.output
    assert decide(seen).message in result.output
    assert "shop/web" in result.output


def test_replay_says_what_this_version_decides_otherwise(tmp_path: Path) -> None:
    """The exit code is what a regression run over old recordings looks at."""
    seen = observation()
    content = recorded.encode(seen, decide(seen)).replace(decide(seen).reason.encode(), b"Elsewise")
    file = tmp_path / "one.json"
    file.write_bytes(content)
    result = CliRunner().invoke(cli, ["replay", str(file)])
    assert result.exit_code == 1
    assert "this version decides otherwise than the recorded one: reason differ" in result.output


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"version":1,"observation":{},"decision":{}}'])
def test_a_file_that_is_no_recording_is_refused_in_a_line(content: bytes, tmp_path: Path) -> None:
    """No traceback, whatever is in the file."""
    file = tmp_path / "broken.json"
    file.write_bytes(content)
    result = CliRunner().invoke(cli, ["replay", str(file)])
    assert result.exit_code == 1
    assert "this is not a recorded observation" in result.output
    assert "Traceback" not in result.output


def test_a_recording_of_another_format_is_named() -> None:
    """A later version's file must not be half understood."""
    seen = observation()
    content = recorded.encode(seen, decide(seen)).replace(b'"version":1', b'"version":7')
    with pytest.raises(recorded.RecordedError, match="recorded in format 7; this version reads 1"):
        recorded.decode(content)


def test_the_directory_keeps_the_newest_files_only(tmp_path: Path) -> None:
    """Also those of the process before: a crash loop must not fill the disk."""
    for start in (0, 10):
        recording = Recording(tmp_path, files=3)
        for second in range(5):
            seen = observation(now=1_700_000_000.0 + start + second)
            recording.keep(seen, decide(seen))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:11] for name in kept] == ["01700000012", "01700000013", "01700000014"]
