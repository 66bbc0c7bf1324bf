"""A draft: what an object shall look like after a write, as far as that is ours to say.

Admission and the controller both state the outcome in these terms; patch.operations turns it into the operations
that are still missing. So a patch can only ever touch the paths named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import keys
from penstock.core.fields import Fields
from penstock.core.ownership import Entries, given_back, ours
from penstock.core.patch import Operation, Path, operations
from penstock.core.record import Record, encode
from penstock.core.rollout import LABELS


@dataclass(frozen=True)
class Draft:
    """Wanted fields, label and annotations (None: absent; a key left out: as it is)."""

    fields: Fields | None = None
    label: str | bool | None = False
    """False: as it is."""
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    managed: Entries | None = None
    template: Mapping[str, Any] | None = None

    def operations(self, obj: Mapping[str, Any]) -> tuple[Operation, ...]:
        """What is missing in `obj`."""
        return operations(obj, self._wanted())

    def _wanted(self) -> list[tuple[Path, Any]]:
        wanted: list[tuple[Path, Any]] = []
        if self.template is not None:
            wanted.append((("spec", "template"), self.template))
        if self.fields is not None:
            wanted += self.fields.wanted()
        if self.label is not False:
            wanted.append((("metadata", "labels", keys.ROLLOUT), self.label))
        wanted += [(("metadata", "annotations", key), value) for key, value in self.annotations.items()]
        if self.managed is not None:
            wanted.append((("metadata", "managedFields"), self.managed))
        return wanted


def stepping(record: Record, fields: Fields, text: str | None = None) -> Draft:
    """A rollout that goes on: `fields` in force, the record (its own text where unchanged) and its label."""
    return Draft(fields, LABELS[record.phase], {keys.RECORD: text or encode(record)})


def released(managed: Entries, record: Record, fields: Fields) -> Draft:
    """The end of a rollout: the user's fields, and nothing left that names us."""
    back = given_back(managed, record.owners) if any(map(ours, managed)) else None
    return Draft(fields, None, dict.fromkeys(keys.OUR_ANNOTATIONS), back)
