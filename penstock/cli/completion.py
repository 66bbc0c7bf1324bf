"""Completion: `penstock completion SHELL` prints the script, `kubectl_complete-penstock` answers kubectl.

A tab that takes seconds is worse than none, so nothing here imports the Kubernetes client: names are asked of kubectl,
which most people with a cluster have and which answers in a fraction of its time; without one there are none. Whatever
fails gives no names and says nothing.
"""

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.formats import formatted, rendered, structured
from penstock.cli.options import NOTES, common

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")
SECONDS = 3.0

NO_FILES, DEFAULT = 4, 0
"""Directives of kubectl's (cobra's) protocol: nothing else fits; file names fit too."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@formatted
@common
def completion(shell: str, output: str) -> None:
    """Print the script that completes in your shell.

    \b
    bash  source <(penstock completion bash)
    zsh   source <(penstock completion zsh)
    fish  penstock completion fish | source

    For `kubectl penstock` nothing has to be sourced: kubectl's own completion asks kubectl_complete-penstock.
    """
    from click.shell_completion import get_completion_class

    from penstock.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "penstock", "_PENSTOCK_COMPLETE").source()
    click.echo(rendered({"shell": shell, "script": script}, output) if structured(output) else script)


def kubectl(context: click.Context, *arguments: str) -> str:
    """What kubectl says, on the cluster and in the namespace of the command line; nothing where that fails."""
    binary = shutil.which("kubectl")
    if binary is None:
        return ""
    flags = [f"--request-timeout={SECONDS:.0f}s"]
    for name in ("kubeconfig", "context", "namespace"):
        value = context.meta.get(NOTES + name)
        flags += [f"--{name}={value}"] if value else []
    try:
        done = subprocess.run(
            [binary, *arguments, *flags], capture_output=True, text=True, timeout=2 * SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _names(context: click.Context, *arguments: str) -> list[str]:
    return sorted(line.rpartition("/")[2] for line in kubectl(context, "get", *arguments, "-o", "name").splitlines())


def deployments(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of Deployments; `deployment/web` is completed, too."""
    kind, slash, typed = incomplete.rpartition("/")
    return [f"{kind}{slash}{name}" for name in _names(context, "deployments") if name.startswith(typed)]


def active(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of Deployments with an active rollout."""
    kind, slash, typed = incomplete.rpartition("/")
    found = _names(context, "deployments", "-l", "penstock.dev/rollout")
    return [f"{kind}{slash}{name}" for name in found if name.startswith(typed)]


def namespaces(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of namespaces."""
    return [name for name in _names(context, "namespaces") if name.startswith(incomplete)]


def contexts(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of the kubeconfig's contexts."""
    listed = kubectl(context, "config", "get-contexts", "-o", "name").splitlines()
    return [name for name in listed if name.startswith(incomplete)]


def steps(context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Later steps of the rollout: positions, with what they mean."""
    from click.shell_completion import CompletionItem

    deployment = str(context.params.get("deployment") or "").rpartition("/")[2]
    if not deployment:
        return []
    try:
        known = _later(context, json.loads(kubectl(context, "get", "deployment", deployment, "-o", "json")))
    except (ValueError, KeyError, TypeError):
        return []
    return [CompletionItem(value, help=words) for value, words in known if value.startswith(incomplete)]


def _later(context: click.Context, obj: dict[str, Any]) -> list[tuple[str, str]]:
    from penstock.core.decide import situation
    from penstock.core.guard import active as active_record
    from penstock.core.observation import Deployment, Observation

    record = active_record(obj)
    if record is None:
        return []
    text = kubectl(context, "get", "namespace", obj["metadata"]["namespace"], "-o", "json")
    home = json.loads(text) if text else {"metadata": {}}
    notes = home["metadata"].get("annotations") or {}
    s = situation(Observation(0.0, Deployment.of(obj), namespace_annotations=notes), record)
    later = list(enumerate(s.exposures, 1))[record.step :]
    return [(str(number), f"{each.pods} of {s.replicas} pods ({', '.join(each.written)})") for number, each in later]


def main() -> None:
    """`kubectl_complete-penstock ARGUMENT… INCOMPLETE`: kubectl runs this to complete `kubectl penstock`."""
    from click.shell_completion import ShellComplete

    from penstock.cli.main import cli

    *given, incomplete = sys.argv[1:] or [""]
    asked = ShellComplete(cli, {}, "kubectl penstock", "_PENSTOCK_COMPLETE")
    directive = NO_FILES
    lines = []
    for item in asked.get_completions(given, incomplete):
        if item.type in ("file", "dir"):
            directive = DEFAULT
        else:
            lines.append(f"{item.value}\t{item.help}" if item.help else str(item.value))
    sys.stdout.write("\n".join([*lines, f":{directive}"]) + "\n")
