"""Manifests from files, as the API server would understand them.

YAML as Kubernetes reads it is not quite YAML as Python reads it: an unquoted date stays text there, a List holds
further objects, lines may end in CRLF, and a file from Windows may begin with a byte order mark. Every document is
named by file, position and object, for a message about the fourth one of a file is of no use otherwise.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from penstock.cli.errors import Refusal

Object = dict[str, Any]

_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Fast):  # type: ignore[misc]  # which of the two classes it is, is known at run time only
    """PyYAML's safe loader, without dates."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _Fast.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True)
class Document:
    """One object of a file."""

    file: str
    position: str
    obj: Object

    @property
    def kind(self) -> str:
        return str(self.obj.get("kind") or "")

    @property
    def name(self) -> str:
        return str(_metadata(self.obj).get("name") or "")

    @property
    def namespace(self) -> str:
        return str(_metadata(self.obj).get("namespace") or "")

    @property
    def title(self) -> str:
        """`Deployment shop/web`."""
        path = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.kind or 'object'} {path or 'without a name'}"

    @property
    def where(self) -> str:
        """`shop.yaml, document 2, Deployment shop/web`."""
        return f"{self.file}, {self.position}, {self.title}"

    @property
    def is_deployment(self) -> bool:
        return self.kind == "Deployment" and self.obj.get("apiVersion") == "apps/v1"

    @property
    def is_namespace(self) -> bool:
        return self.kind == "Namespace" and self.obj.get("apiVersion") == "v1"


def read(path: str) -> tuple[Document, ...]:
    """All objects of a file, or of standard input for `-`."""
    name = "standard input" if path == "-" else path
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return parse(name, raw.decode("utf-8-sig"))
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise Refusal(f"{name}: not text in UTF-8") from None


def parse(file: str, text: str) -> tuple[Document, ...]:
    """All objects of a text; Refusal where it is not YAML, or holds something that is no object."""
    try:
        values = list(yaml.load_all(text, Loader))
    except yaml.YAMLError as error:
        raise Refusal(f"{file}{_place(error)}: this is not YAML: {_problem(error)}") from None
    except RecursionError:
        raise Refusal(f"{file}: nested too deeply") from None
    return tuple(d for number, value in enumerate(values, 1) for d in _objects(file, f"document {number}", value))


def _objects(file: str, position: str, value: Any) -> Iterator[Document]:
    if value is None:  # a document of comments, or nothing between two `---`
        return
    if not isinstance(value, dict):
        raise Refusal(f"{file}, {position}: expected a Kubernetes object, found {type(value).__name__}")
    items = value.get("items")
    if not str(value.get("kind")).endswith("List") or not isinstance(items, list):
        yield Document(file, position, value)
        return
    for number, item in enumerate(items, 1):
        if isinstance(item, dict) and value["kind"] != "List":  # items of a DeploymentList carry no kind of their own
            kind = str(value["kind"]).removesuffix("List")
            item = {"apiVersion": value.get("apiVersion"), "kind": kind, **item}
        yield from _objects(file, f"{position}, item {number}", item)


def _metadata(obj: Object) -> Object:
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
