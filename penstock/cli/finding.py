"""What `penstock doctor` has found: a sentence for each thing looked at, and a command for each that is wrong."""

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.kube import Client

Object = dict[str, Any]


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"  # nothing is wrong, and people should know
    UNKNOWN = "unknown"  # the caller may not look
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One of them."""

    level: Level
    subject: str
    sentence: str
    command: str = ""


@dataclass(frozen=True)
class Patient:
    """The cluster, and what of it is looked at."""

    client: Client
    namespace: str
    """The one that was asked about; empty: all that are opted in."""
    namespaces: Mapping[str, Object] = field(default_factory=dict)
    """Those looked at that are opted in, by name."""
    workloads: tuple[Object, ...] = ()
    """Deployments in scope, by their metadata alone."""


Check = Callable[[Patient], Awaitable[list[Finding]]]


def ok(subject: str, sentence: str) -> Finding:
    return Finding(Level.OK, subject, sentence)


def note(subject: str, sentence: str, command: str = "") -> Finding:
    return Finding(Level.NOTE, subject, sentence, command)


def unknown(subject: str, sentence: str, command: str = "") -> Finding:
    return Finding(Level.UNKNOWN, subject, sentence, command)


def wrong(subject: str, sentence: str, command: str) -> Finding:
    return Finding(Level.WRONG, subject, sentence, command)
