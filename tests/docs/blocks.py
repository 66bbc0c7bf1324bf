"""The shell blocks of README and guide: what a reader pastes must work, so each is run by a test, or says why not.

A block says so in the comment above it: `<!-- not run: the reason -->`. The pages of RUN_BY have a test that runs all
their other blocks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^\n]*?) -->\n)?^```(?:sh|bash|shell|console)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE
)

RUN_BY = {
    "README.md": "tests/cluster/test_guide.py",
    "docs/guide/approvals.md": "tests/cluster/test_guide.py",
    "docs/guide/first-release.md": "tests/demo/test_first_release.py",
    "docs/guide/opting-in.md": "tests/cluster/test_guide.py",
    "docs/guide/recovery.md": "tests/cluster/test_recovery.py",
    "docs/guide/signals.md": "tests/cluster/test_drills.py",
    "docs/guide/trying.md": "tests/demo/test_first_release.py",
}
"""Which test runs the blocks of a page."""


@dataclass(frozen=True)
class Block:
    """What stands between the fences."""

    page: str
    line: int
    text: str
    excuse: str
    """Why it is not run; empty where it is."""


def pages() -> list[Path]:
    """Every page that a user reads."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: str) -> list[Block]:
    """The shell blocks of a page, in order."""
    return list(_blocks(ROOT / page))


def runnable(page: str) -> list[Block]:
    """Those that are run, in order."""
    return [block for block in blocks(page) if not block.excuse]


def _blocks(path: Path) -> Iterator[Block]:
    text, page = path.read_text(), str(path.relative_to(ROOT))
    for found in BLOCK.finditer(text):
        note = found["note"] or ""
        excuse = note.removeprefix("not run: ") if note.startswith("not run: ") else ""
        yield Block(page, text.count("\n", 0, found.start("text")), found["text"], excuse)
