"""From a bare python3 to `.venv` with the locked packages: the only code here that runs outside `.venv`.

It is for machines that have git, make and python3 and nothing else, so it imports the standard library
only. Debian's python3 comes without ensurepip unless python3-venv is installed; its pip, where there is
one, can serve a bare virtual environment instead.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / ".tools" / "uv"
LOCK = ROOT / "tools" / "uv.txt"
OLDEST_UV = (0, 8)  # older ones rewrite the revision of uv.lock and then call it changed


def main() -> None:
    """Make or bring up to date `.venv`; silent when there is nothing to do."""
    uv = usable_uv() or private_uv()
    synchronise(uv)


def fail(message: str) -> NoReturn:
    """End with one message, no traceback."""
    sys.exit(f"penstock: {message}")


def usable_uv() -> str | None:
    """The uv on PATH, else the private one of an earlier run."""
    for candidate in (shutil.which("uv"), str(TOOL / "bin" / "uv")):
        if candidate and uv_version(candidate) >= OLDEST_UV:
            return candidate
    return None


def uv_version(program: str) -> tuple[int, ...]:
    """(0, 13) for `uv 0.13.9 (…)`, () for what does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return ()
    match = re.match(r"uv (\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else ()


def private_uv() -> str:
    """Install the locked uv into `.tools/uv`, a virtual environment of its own."""
    print("making .tools/uv", file=sys.stderr, flush=True)
    shutil.rmtree(TOOL, ignore_errors=True)
    pip = bare_environment()
    done = subprocess.run([*pip, "install", "--quiet", "--require-hashes", "--requirement", str(LOCK)], env=clean())
    if done.returncode:
        fail("uv could not be installed by pip (see above); it is needed once, from PyPI. Or put uv on PATH.")
    return str(TOOL / "bin" / "uv")


def bare_environment() -> list[str]:
    """Make the virtual environment; the pip that installs into it, as a command."""
    python = str(TOOL / "bin" / "python")
    if runs("-m", "venv", str(TOOL)):
        return [python, "-m", "pip"]
    if runs("-m", "pip", "--version") and runs("-m", "venv", "--clear", "--without-pip", str(TOOL)):
        return [sys.executable, "-m", "pip", "--python", python]
    return fail(
        f"{sys.executable} cannot make a virtual environment with pip. On Debian and Ubuntu, as root: "
        "apt-get install python3-venv. Or put uv on PATH."
    )


def runs(*arguments: str) -> bool:
    """Whether this interpreter ends well with the arguments."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, env=clean()).returncode == 0


def clean() -> dict[str, str]:
    """The environment without what would send an installation somewhere else."""
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME"}
    elsewhere |= {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON"}
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def synchronise(uv: str) -> None:
    """`.venv` exactly as uv.lock says."""
    environment = clean()
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    if not (ROOT / ".venv" / "bin" / "python").exists():
        environment["UV_PYTHON"] = sys.executable  # else uv takes the newest interpreter it finds
    command = [uv, "sync", "--locked"]
    if subprocess.run([*command, "--check", "--quiet"], cwd=ROOT, env=environment, capture_output=True).returncode == 0:
        return
    if subprocess.run(command, cwd=ROOT, env=environment).returncode:
        fail(f"`{' '.join(command)}` failed (see above). What is not in uv's cache is fetched from PyPI.")


if __name__ == "__main__":
    main()
