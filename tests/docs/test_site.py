"""The documentation as readers get it: built, all links leading somewhere, every shell block run or excused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, RUN_BY, blocks, pages, runnable

LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def test_the_site_is_built_and_every_link_and_anchor_leads_somewhere() -> None:
    """A page that moved leaves a hole that only its readers would find."""
    zensical = Path(sys.executable).parent / "zensical"
    built = subprocess.run([zensical, "build", "--clean", "--strict"], cwd=ROOT, capture_output=True, text=True)
    said = built.stdout + built.stderr
    assert (built.returncode, "No issues found" in said) == (0, True), said
    assert (ROOT / "dist" / "site" / "guide" / "recovery" / "index.html").exists()


def test_every_page_stands_in_the_navigation() -> None:
    """A page that nobody is led to is not read."""
    listed = set(re.findall(r"\b([\w/-]+\.md)\b", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in pages() if page.name != "README.md"}


def test_the_links_of_the_readme_lead_to_files() -> None:
    """It is no page of the site, so nothing else looks at them."""
    links = LINK.findall((ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in pages()])
def test_every_shell_block_is_run_by_a_test_or_says_why_not(page: str) -> None:
    """Commands that were never run are guesses."""
    if not runnable(page):
        return
    assert page in RUN_BY, f"{page}:{runnable(page)[0].line}: no test runs this block, and no comment says why"
    assert Path(page).name in (ROOT / RUN_BY[page]).read_text()


def test_an_excuse_is_a_reason() -> None:
    """Not a word that lets it through."""
    excuses = [b for page in pages() for b in blocks(str(page.relative_to(ROOT))) if b.excuse]
    assert excuses
    assert [b for b in excuses if len(b.excuse.split()) < 4] == []
