"""Errors are one line and a hint; a traceback only for those who ask for it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli.errors import refusal
from penstock.cli.main import cli
from penstock.kube import ApiError, Conflict, Denied, NotConfigured, Unavailable


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            Denied(
                403, "Forbidden", 'deployments.apps "web" is forbidden: User "ann" cannot patch', request="patch /x"
            ),
            'deployments.apps "web" is forbidden: User "ann" cannot patch',
            "ask for the permission; kubectl auth whoami says who you are to the cluster",
        ),
        (
            Unavailable(0, "NoAnswer", "Connection refused", request="get /apis"),
            "the cluster does not answer: Connection refused",
            "is the cluster reachable? try: kubectl cluster-info",
        ),
        (
            Unavailable(0, "Untrusted", "certificate verify failed"),
            "the connection to the cluster is not trusted: certificate verify failed",
            "is certificate-authority in the kubeconfig that of this very cluster?",
        ),
        (
            Unavailable(503, "ServiceUnavailable", "etcd is away"),
            "etcd is away",
            "is the cluster reachable? try: kubectl cluster-info",
        ),
        (
            Conflict(409, "Conflict", "the object has been modified"),
            "the object has been modified",
            "somebody else changed it at the same moment; look with penstock status, then try again",
        ),
        (ApiError(422, "Invalid", "spec.replicas: must be"), "spec.replicas: must be", ""),
        (
            NotConfigured("$KUBECONFIG names /nope, which does not exist"),
            "$KUBECONFIG names /nope, which does not exist",
            "name a cluster by --kubeconfig and --context, or set KUBECONFIG",
        ),
        (
            ZeroDivisionError("division\nby zero"),
            "this should not happen: ZeroDivisionError: division by zero",
            "--debug shows where it happened",
        ),
    ],
)
def test_an_error_is_a_sentence_and_what_to_do(error: Exception, message: str, hint: str) -> None:
    """Which request failed inside is of no use to a person; who they are, and whether it is up, is."""
    told = refusal(error)
    assert (told.message, told.hint, told.exit_code) == (message, hint, 1)


@pytest.mark.parametrize("command", [["status"], ["status", "web", "--watch"], ["approve", "web", "--yes"]])
def test_a_missing_kubeconfig_is_two_lines(command: list[str]) -> None:
    """The first thing that goes wrong on a new machine."""
    result = CliRunner().invoke(cli, [*command, "--kubeconfig", "/nope"])
    assert (result.exit_code, result.output) == (
        1,
        "Error: --kubeconfig names /nope, which does not exist\n"
        "Hint: name a cluster by --kubeconfig and --context, or set KUBECONFIG\n",
    )


@pytest.fixture
def closed(tmp_path: Path) -> str:
    """A kubeconfig for a port at which nobody listens."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
    )
    return str(path)


def test_a_cluster_that_does_not_answer_is_two_lines(closed: str) -> None:
    """No traceback of four libraries."""
    result = CliRunner().invoke(cli, ["--kubeconfig", closed, "status"])
    first, second = result.output.splitlines()
    assert result.exit_code == 1
    assert first.startswith("Error: the cluster does not answer: ")
    assert second == "Hint: is the cluster reachable? try: kubectl cluster-info"


def test_debug_shows_where_it_came_from(closed: str) -> None:
    """For a report of a bug."""
    result = CliRunner().invoke(cli, ["status", "--debug", "--kubeconfig", closed])
    assert isinstance(result.exception, Unavailable)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "web", "-A"], "DEPLOYMENT stands in one namespace: name that by -n, or leave DEPLOYMENT out"),
        (["status", "svc/web"], "only Deployments are stepped, not svc"),
        (["abort", "deploy/"], "the name of the Deployment is missing"),
        (["skip-to", "web"], "Missing argument 'STEP'."),
    ],
)
def test_a_mistake_on_the_command_line_needs_no_cluster(arguments: list[str], message: str, closed: str) -> None:
    """Exit code 2, as everywhere: the call is wrong, not the cluster."""
    result = CliRunner().invoke(cli, ["--kubeconfig", closed, *arguments])
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, f"Error: {message}")
