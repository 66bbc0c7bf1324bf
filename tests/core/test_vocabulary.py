"""docs/guide/vocabulary.md names every key, with the default that the code has."""

import re
from pathlib import Path

import pytest

from penstock.core import keys
from penstock.core.plan import PARSERS, Plan

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "vocabulary.md"


def rows() -> dict[str, list[str]]:
    """The cells of each row of a table, by key."""
    lines = [line for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {keys.PREFIX + row[0].strip("`"): row[1:] for row in cells}


def test_the_tables_name_every_key_and_no_other() -> None:
    """A key that is documented nowhere is found by nobody; one that does not exist is refused."""
    ours = {*keys.OUR_ANNOTATIONS, keys.ROLLOUT, keys.HISTORY}
    assert set(rows()) == {*keys.USER_ANNOTATIONS, keys.LIMIT + "NAME", keys.ENABLED, *ours}


@pytest.mark.parametrize("key", keys.USER_ANNOTATIONS)
def test_the_default_in_the_table_is_that_of_the_code(key: str) -> None:
    """People leave a key out because they have read what it then is."""
    default = rows()[key][1].strip("`")
    field, parse = PARSERS[key]
    if default == "none":
        assert field in ("errors", "slow")
    else:
        assert parse(default) == getattr(Plan(), field)
