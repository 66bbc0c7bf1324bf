"""What is said where a release ends a rollout whose version has failed.

Released means that the owner's word counts, whatever was found: the declared version goes to all pods. Nobody is kept
from that, but opting out looks like turning something off, so what it does is said: in admission and in an Event.
"""

from penstock.core.record import Record
from penstock.core.rollout import Phase


def failed_version(record: Record, template: str, replicas: int, place: str) -> str:
    """The sentence where a release of `template` puts a failed version on all pods; else empty. `place`: its name with
    `-n` and the namespace."""
    if not record.failed or template != record.declared or record.saved.paused:
        return ""
    taken_back = record.phase in (Phase.RETREATING, Phase.REJECTED)
    what = "the version that was taken back" if taken_back else "the version that failed"
    pods = "the only pod" if replicas == 1 else f"all {replicas} pods"
    return (
        f"this puts {what} on {pods} at once ({record.failed}); back to the former one: "
        f"kubectl rollout undo deployment {place}. To end a rollout on the former version: penstock undo, or apply "
        "that version"
    )
