"""`notifications` in penstock.yaml: who is told of what.

Addresses stand in files of a Secret of the administrator's, never here and never in an annotation: most of them are
secrets themselves, and whoever may name one can make the controller send requests for them.
"""

import enum
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

EXAMPLE = "notifications: {targets: {chat: {apprise-file: /etc/penstock-notifications/chat}}}"


class Kind(enum.StrEnum):
    """What people are told of."""

    REJECTED = "rejected"
    HELD = "held"
    APPROVAL = "approval"
    PROMOTED = "promoted"


TargetName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$")]
Pattern = Annotated[str, Meta(pattern=r"^[-a-z0-9*?]{1,63}$")]


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """A receiver of signed JSON."""

    url_file: str
    key_file: str
    ca_file: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One receiver. Files are read at every message, so that a replaced address counts at once."""

    apprise_file: str = ""
    webhook: Webhook | None = None
    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1)] = tuple(Kind)
    namespaces: Annotated[tuple[Pattern, ...], Meta(min_length=1)] = ("*",)
    pause: Annotated[int, Meta(ge=1, le=3600)] = 10
    """Seconds between two messages; what comes meanwhile goes together in the next one."""

    def wants(self, kind: Kind, namespace: str) -> bool:
        """Whether this receiver is told."""
        return kind in self.kinds and any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)


class Notifications(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """All receivers."""

    targets: dict[TargetName, Target] = {}
    cluster: Annotated[str, Meta(pattern=r"^[ -~]{0,60}$")] = ""
    """A name for this cluster, in every message."""


def problems(notifications: Notifications) -> Iterator[str]:
    """What types cannot say, each with its place."""
    for name, target in notifications.targets.items():
        place = f"notifications.targets.{name}"
        if bool(target.apprise_file) == bool(target.webhook):
            found = "both" if target.webhook else "neither"
            yield f"{place}: found {found} of apprise-file and webhook, allowed: one of them"
        files = {"apprise-file": target.apprise_file}
        if target.webhook:
            hook = target.webhook
            files = {"webhook.url-file": hook.url_file or " ", "webhook.key-file": hook.key_file or " "}
            files["webhook.ca-file"] = hook.ca_file
        for key, file in files.items():
            if file and not Path(file).is_absolute():
                yield f"{place}.{key}: found {file!r}, allowed: an absolute path"
