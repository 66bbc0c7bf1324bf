"""What `penstock plan` prints, whole, for manifests that show each of its sides.

After a wanted change: PENSTOCK_GOLDEN=write pytest tests/cli/test_plan_golden.py, then read the diff.
"""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli.main import cli

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"


@pytest.mark.parametrize("manifest", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_plan_prints_what_was_read_and_approved_once(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person reviews this text before a release; a silent change of one number in it would mislead them."""
    monkeypatch.chdir(GOLDEN)
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["plan", "-f", manifest.name])
    expected = manifest.with_suffix(".txt")
    if os.environ.get("PENSTOCK_GOLDEN") == "write":
        expected.write_text(result.output)
    assert (result.exit_code, result.output) == (0, expected.read_text())


def test_every_golden_text_has_its_manifest() -> None:
    """A text left over from a deleted manifest would look like a tested promise."""
    stems = [{path.stem for path in GOLDEN.glob(f"*.{kind}")} for kind in ("yaml", "txt")]
    assert stems[0] == stems[1]
