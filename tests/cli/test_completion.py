"""Completion in the shells themselves. What needs a cluster is answered by a kubectl that stands in its place."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.core import keys
from penstock.core.rollout import Phase
from tests.cli.play import Play
from tests.cli.test_help import imported

ROOT = Path(__file__).parents[2]

FAKE = """#!{python}
import json, sys
arguments = sys.argv[1:]
answers = json.load(open({answers!r}))
for words, text in answers:
    if arguments[: len(words)] == words:
        print(text)
        break
else:
    sys.exit(1)
with open({log!r}, "a") as log:
    print(json.dumps(arguments), file=log)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory with `penstock`, `kubectl_complete-penstock` and a kubectl that knows two Deployments."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 1)
    home = {"metadata": {"name": "shop", "labels": {keys.ENABLED: "true"}}}
    answers = [
        (["get", "deployments", "-l", "penstock.dev/rollout"], "deployment.apps/web"),
        (["get", "deployments"], "deployment.apps/api\ndeployment.apps/web"),
        (["get", "deployment", "web"], json.dumps(play.cluster.server.obj)),
        (["get", "namespaces"], "namespace/bank\nnamespace/shop"),
        (["get", "namespace"], json.dumps(home)),
        (["config", "get-contexts"], "kind-one\nkind-two"),
    ]
    (tmp_path / "answers").write_text(json.dumps(answers))
    scripts = {
        "penstock": f"#!{sys.executable}\nfrom penstock.cli.main import main\nmain()\n",
        "kubectl_complete-penstock": f"#!{sys.executable}\nfrom penstock.cli.completion import main\nmain()\n",
        "kubectl": FAKE.format(python=sys.executable, answers=str(tmp_path / "answers"), log=str(tmp_path / "asked")),
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def ran(path: Path, *command: str) -> str:
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


BASH = """
source <(penstock completion bash)
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_penstock_completion penstock
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
compdef() {{ :; }}
compadd() {{ while [[ $1 != -a ]]; do shift; done; print -l ${{(P)2}}; }}
_describe() {{ while [[ $1 != *completions* ]]; do shift; done; for each in ${{(P)1}}; do print ${{each%%:*}}; done; }}
source <(penstock completion zsh)
words=({words})
CURRENT=${{#words}}
_penstock_completion
"""
FISH = """
penstock completion fish | source
complete --do-complete '{line}' | string split --fields 1 \\t; true
"""

LINES = {
    "penstock st": ["status"],
    "penstock -n shop status ": ["api", "web"],
    "penstock approve ": ["web"],
    "penstock skip-to web ": ["2", "3"],
    "penstock status --context kind-": ["kind-one", "kind-two"],
    "penstock status -n ": ["bank", "shop"],
    "penstock completion ": ["bash", "zsh", "fish"],
}


@pytest.mark.parametrize("line", LINES)
def test_bash_completes(path: Path, line: str) -> None:
    """Commands, Deployments (for a request only those that have a rollout), later steps, contexts."""
    words = " ".join([*line.split(), "''"] if line.endswith(" ") else line.split())
    assert ran(path, "bash", "--norc", "-c", BASH.format(words=words)).split() == LINES[line]


@pytest.mark.parametrize("line", LINES)
def test_zsh_completes(path: Path, line: str) -> None:
    """Its completion system needs a terminal, so what the script hands to it is looked at."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    words = " ".join([*line.split(), "''"] if line.endswith(" ") else line.split())
    assert ran(path, "zsh", "-f", "-c", ZSH.format(words=words)).split() == LINES[line]


@pytest.mark.parametrize("line", LINES)
def test_fish_completes(path: Path, line: str) -> None:
    """By fish's own completion, which sorts."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    found = ran(path, "fish", "--no-config", "-c", FISH.format(line=line)).split()
    assert sorted(found) == sorted(LINES[line])


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["skip-to", "web", ""], "2\t3 of 10 pods (25%)\n3\t5 of 10 pods (50%)\n:4\n"),
        (["approve", "deployment/w"], "deployment/web\n:4\n"),
        (["plan", "-f", ""], ":0\n"),
    ],
)
def test_kubectl_is_answered_in_its_own_protocol(path: Path, arguments: list[str], answer: str) -> None:
    """kubectl runs kubectl_complete-penstock; the last line says whether file names fit too."""
    assert ran(path, "kubectl_complete-penstock", *arguments) == answer


def test_what_was_typed_says_which_cluster_is_asked(path: Path) -> None:
    """Names from another cluster would be worse than none."""
    ran(path, "kubectl_complete-penstock", "status", "--context", "kind-two", "-n", "bank", "--kubeconfig", "/k", "w")
    (asked,) = [json.loads(line) for line in (path / "asked").read_text().splitlines()]
    assert asked[:2] == ["get", "deployments"]
    assert {"--context=kind-two", "--namespace=bank", "--kubeconfig=/k"} <= set(asked)


def test_without_a_cluster_there_are_no_names_and_no_words(path: Path) -> None:
    """A tab must not print an error into the middle of a command line."""
    (path / "answers").write_text("[]")
    assert ran(path, "kubectl_complete-penstock", "skip-to", "web", "") == ":4\n"
    assert ran(path, "kubectl_complete-penstock", "status", "") == ":4\n"


def test_completion_imports_no_client() -> None:
    """`kubernetes` takes longer than anybody waits for a tab."""
    heavy = {"kubernetes", "aiohttp", "asyncio", "rich", "msgspec", "penstock.kube"}
    assert imported("completion bash", "completion zsh") & heavy == set()
