"""Which pure function answers which path, and what is answered when one of them fails.

A bug of ours must never stop somebody's deployment, so an unexpected error means *allowed*, with a warning that says
so. The one exception is /fence: it limits what our own identity may do, and refusing it leaves every rollout where it
stands.
"""

from collections.abc import Callable, Mapping

from penstock.clock import CLOCK
from penstock.core.admission import Request, admit
from penstock.core.review import Review, fence, review
from webhook.review import Answer

Decide = Callable[[Request], Answer]

FENCE = "/fence"


def decisions(*, strict: bool, clock: Callable[[], float] = CLOCK.now) -> Mapping[str, Decide]:
    """One decision per path."""

    def gate(request: Request, gating: bool) -> Answer:
        found = admit(request, clock(), gating=gating)
        return Answer(patch=found.patch, warnings=found.warnings, reason=found.reason)

    return {
        "/mutate": lambda request: gate(request, True),
        "/guard": lambda request: gate(request, False),
        "/validate": lambda request: _verdict(review(request, strict=strict)),
        FENCE: lambda request: _verdict(fence(request)),
    }


def failed(path: str, problem: str) -> Answer:
    """The answer where there is none."""
    if path == FENCE:
        return Answer(allowed=False, message=f"penstock: {problem}", reason="Failed")
    return Answer(warnings=(f"penstock left this change as it is: {problem}",), reason="Failed")


def _verdict(found: Review) -> Answer:
    return Answer(found.allowed, message=found.message, warnings=found.warnings, reason=found.reason)
