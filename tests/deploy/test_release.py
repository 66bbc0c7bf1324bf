"""The release workflow, as far as it can be tried without GitHub: what it calls, what it may, and its shell."""

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from sandbox.image.libraries import ROOT

TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text()
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
STEPS = [(job, step) for job, body in WORKFLOW["jobs"].items() for step in body["steps"]]


def test_every_action_is_pinned_by_commit_and_says_its_version() -> None:
    """A tag can be moved; it would run with the right to sign in our name."""
    used = re.findall(r"uses: (.*)", TEXT)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_only_the_job_that_publishes_may_write() -> None:
    """Building runs other people's packages."""
    rights = {job: body["permissions"] for job, body in WORKFLOW["jobs"].items()}
    assert (WORKFLOW["permissions"], rights["build"]) == ({}, {"contents": "read"})
    assert rights["publish"] == {
        "contents": "read", "packages": "write", "id-token": "write", "attestations": "write"
    }  # fmt: skip


@pytest.mark.parametrize("step", [step for _, step in STEPS if "run" in step], ids=lambda step: step["name"])
def test_the_shell_can_be_read_and_takes_nothing_that_others_write(step: dict[str, Any]) -> None:
    """What GitHub puts into a script before a shell reads it could be a command."""
    assert "${{" not in step["run"]
    parsed = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True)
    assert (parsed.returncode, parsed.stderr) == (0, "")


def test_it_takes_the_files_that_the_image_is_written_to() -> None:
    """The names of the archives are put together in two places."""
    push = next(step["run"] for _, step in STEPS if step.get("id") == "push")
    assert "oci-archive:dist/penstock-$version-$architecture.oci.tar" in push
    bills = [step["with"]["sbom-path"] for _, step in STEPS if "sbom-path" in step.get("with", {})]
    assert bills == [
        f"dist/penstock-${{{{ steps.push.outputs.version }}}}-{each}.cdx.json" for each in ("amd64", "arm64")
    ]


def test_its_check_of_the_tag_reads_the_version() -> None:
    """The one command of it that can be run here as it stands."""
    check = next(step["run"] for _, step in STEPS if step.get("name") == "The tag is the version")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    script = check.partition("\n")[2]
    codes = [
        subprocess.run(["bash", "-e", "-c", script], cwd=ROOT, env={"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": tag})
        for tag in (f"v{version}", "v9.9.9")
    ]
    assert [done.returncode for done in codes] == [0, 1]
