"""What a person reads when something does not work: one line that says what, one that says what to do.

    Refusal              the command does not do what was asked, for a reason of its own
    refusal(ApiError)    the cluster refused, or did not answer; the hint follows from the kind of the error
    refusal(Exception)   an error of ours; `--debug` shows where

A traceback would bury both lines, so none is shown unless asked for.
"""

from typing import IO, Any

import click

from penstock.cli.text import printable


class Refusal(click.ClickException):
    """Ends a command with exit code 1."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(printable(message))
        self.hint = printable(hint)

    def show(self, file: IO[Any] | None = None) -> None:
        """The line and the hint, on stderr."""
        click.echo(f"Error: {self.message}", file=file, err=file is None)
        if self.hint:
            click.echo(f"Hint: {self.hint}", file=file, err=file is None)


def refusal(error: Exception) -> Refusal:
    """The two lines for any error."""
    from penstock.kube.errors import ApiError, Conflict, Denied, NotConfigured, NotFound, Unavailable

    hints: tuple[tuple[type[Exception], str], ...] = (
        (NotConfigured, "name a cluster by --kubeconfig and --context, or set KUBECONFIG"),
        (Unavailable, "is the cluster reachable? try: kubectl cluster-info"),
        (Denied, "ask for the permission; kubectl auth whoami says who you are to the cluster"),
        (NotFound, "another namespace? name it by -n NAMESPACE"),
        (Conflict, "somebody else changed it at the same moment; look with penstock status, then try again"),
    )
    known = (ApiError, NotConfigured)
    if not isinstance(error, known):
        return Refusal(f"this should not happen: {type(error).__name__}: {error}", "--debug shows where it happened")
    if isinstance(error, Unavailable) and error.reason == "Untrusted":
        said = f"the connection to the cluster is not trusted: {error.message}"
        return Refusal(said, "is certificate-authority in the kubeconfig that of this very cluster?")
    hint = next((words for kind, words in hints if isinstance(error, kind)), "")
    if isinstance(error, ApiError):
        return Refusal(error.message if error.status else f"the cluster does not answer: {error.message}", hint)
    return Refusal(str(error), hint)
