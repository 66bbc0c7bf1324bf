"""Lines come out whole however the chunks were cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.kube import lines
from penstock.kube.lines import Lines


@given(st.lists(st.binary(max_size=20)))
def test_cutting_does_not_matter(chunks: list[bytes]) -> None:
    """The same lines as from the whole, no blank ones, and the rest is what has no end yet."""
    cutter = Lines()
    found = [line for chunk in chunks for line in cutter.feed(chunk)]
    *whole, rest = b"".join(chunks).split(b"\n")
    assert found == [line for line in whole if line.strip()]
    assert cutter.rest == rest


def test_an_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that is no API server must not fill our memory."""
    monkeypatch.setattr(lines, "LONGEST", 10)
    cutter = Lines()
    cutter.feed(b"12345")
    with pytest.raises(ValueError, match="more than 10 bytes"):
        cutter.feed(b"678901")
