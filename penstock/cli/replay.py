"""`penstock replay FILE`: makes the decision of a recorded observation again, without a cluster."""

from typing import IO, TYPE_CHECKING

import click

from penstock.cli.errors import Refusal
from penstock.cli.formats import answer, formatted
from penstock.cli.options import common

if TYPE_CHECKING:
    from penstock.core.decision import Decision
    from penstock.recorded import Recorded


@click.command()
@click.argument("file", type=click.File("rb"))
@formatted
@common
def replay(file: IO[bytes], output: str) -> None:
    """Make the decision of a recorded observation again.

    FILE is one that `python -m controller --record DIRECTORY` has kept. Exit code 1 where this version decides
    otherwise than the one that recorded it.
    """
    from penstock import recorded

    try:
        known = recorded.decode(file.read())
    except recorded.RecordedError as error:
        raise Refusal(f"{file.name}: {error}", "the controller writes such files with --record DIRECTORY") from None
    decision, differ = recorded.replay(known)
    answer({"decision": recorded.plain(decision), "differs": differ}, output, *_lines(known, decision))
    if differ:
        raise Refusal(f"this version decides otherwise than the recorded one: {', '.join(differ)} differ")


def _lines(known: "Recorded", decision: "Decision") -> list[str]:
    from penstock.core.units import clock

    seen = known.observation
    deployment = seen.deployment
    where = f"step {decision.step} of {decision.steps}, {decision.exposed} of {decision.allowed} allowed new pods"
    write = type(decision.write).__name__ if decision.write else "none"
    return [
        f"{deployment.namespace}/{deployment.name} at {clock(seen.now)}, phase {decision.phase or '-'}, {where}",
        f"  {decision.reason}: {decision.message}",
        *(f"  {sentence}" for sentence in decision.sentences),
        f"  write: {write}; the next look in {decision.wait:.1f} s at the latest",
    ]
