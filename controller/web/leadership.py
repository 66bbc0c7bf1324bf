"""Whether the controller that is asked is the one that knows: only the leader looks after rollouts."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Leadership:
    """Of this process."""

    leads: Callable[[], bool]
    """It has the lease, and has seen all active rollouts."""
    identity: str
    lease: str
    namespace: str

    @property
    def elsewhere(self) -> str:
        """What is said while it does not lead."""
        return (
            f"{self.identity} does not lead: another controller does, or it has only just begun. "
            f"Which one: kubectl get lease {self.lease} -n {self.namespace}"
        )
