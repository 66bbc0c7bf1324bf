"""docs/reference/licences.md: what is shipped with Penstock, and under which licence, as the packages themselves say.

Only what is installed to run: the command line's dependencies and the servers'. Tools of development are not shipped.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "reference" / "licences.md"
NAME = re.compile(r"^[A-Za-z0-9._-]+")

HEAD = """# Licences

Penstock itself is under the Apache License 2.0. It is installed with these packages, each under its own licence; the
list is made from what they say of themselves.

| package | licence |
|---|---|
"""


def declared() -> list[str]:
    """Requirements of the command line and of the servers; the image has the extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    return [*project["project"]["dependencies"], *project["dependency-groups"]["server"], *chain.from_iterable(extras)]


def shipped(requirements: Iterable[str]) -> set[str]:
    """Names of these packages, and of all that they need here."""
    found: set[str] = set()
    waiting = [_name(requirement) for requirement in requirements]
    while waiting:
        name = waiting.pop()
        if name in found or not _installed(name):
            continue
        found.add(name)
        waiting += [_name(need) for need in metadata.requires(name) or [] if "extra ==" not in need]
    return found


def _installed(name: str) -> bool:
    """One for another system or Python is not."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _name(requirement: str) -> str:
    found = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else requirement


def licence(name: str) -> str:
    """In one line: the expression, else the classifiers, else the first line of the text."""
    said = metadata.metadata(name)
    classifiers = [c.rpartition(" :: ")[2] for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    text = said["License-Expression"] or ", ".join(classifiers) or (said["License"] or "").partition("\n")[0]
    if not text:
        raise ValueError(f"{name} does not say under which licence it is")
    return text


def _rows() -> Iterator[str]:
    for name in sorted(shipped(declared())):
        yield f"| {name} | {licence(name)} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_rows())
