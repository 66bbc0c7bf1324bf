"""Installing a package is the one thing here that reaches beyond the checkout; it must leave nothing running."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox import packages


@pytest.mark.parametrize(("alive", "verdict"), [(True, 101), (False, 0)])
def test_services_are_forbidden_only_while_setup_lives(alive: bool, verdict: int, tmp_path: Path) -> None:
    """A set-up that was killed must not keep the machine from ever starting a service again."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    policy = tmp_path / "policy-rc.d"
    policy.write_text(packages.POLICY_TEXT.format(pid=os.getpid() if alive else gone.pid))

    assert subprocess.run(["sh", policy, "containerd", "start"]).returncode == verdict


def test_programs_are_found_without_sbin_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's PATH on Debian lacks /sbin; that must not read as a missing package."""
    monkeypatch.setenv("PATH", "")

    assert packages.program("nsenter") == shutil.which("nsenter", path=packages.SYSTEM_PATH)
    assert "util-linux" not in packages.missing()


def test_the_advice_is_a_command_to_paste() -> None:
    """Without root nothing is installed; the message has to be enough to do it."""
    if not shutil.which("apt-get"):
        pytest.skip("no Debian")

    assert packages.advice(["runc", "conntrack"]) == (
        "Real pods need more than is here; simulated pods work. To have them, "
        "as root: apt-get install --no-install-recommends runc conntrack"
    )


@pytest.mark.real
def test_setup_leaves_nothing_missing_for_real_pods() -> None:
    """As root on Debian `make setup` came first; whatever it could not install would fail later and darker."""
    if os.geteuid() != 0:
        pytest.skip("needs root")

    assert packages.missing() == []
