"""Who may look at the page: on loopback whoever comes under one of our names, elsewhere only somebody who is known."""

import re
from pathlib import Path

import pytest

from controller.web.access import COOKIE, SESSION, Access, AccessError, access, name_of

TOKEN = "a-token-of-some-length"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file of a Secret."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8080", "localhost"),
        ("LOCALHOST", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("::1", "::1"),
        ("page.example.com:443", "page.example.com"),
        ("", ""),
    ],
)
def test_a_host_header_is_read_without_its_port(host: str, name: str) -> None:
    """Port-forwards have any port."""
    assert name_of(host) == name


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "", "[::1"])
def test_loopback_answers_to_its_own_names_only(host: str) -> None:
    """A web site whose name suddenly means 127.0.0.1 would read the page in its visitor's browser."""
    page = access("127.0.0.1")

    assert page.named("localhost:8080")
    assert page.named("127.0.0.1")
    assert not page.named(host) or host == "[::1"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"address": "0.0.0.0"}, "open to everybody at 0.0.0.0"),
        ({"address": "::"}, "open to everybody at ::"),
        ({"address": "localhost"}, "it has to be an IP address"),
        ({"address": "0.0.0.0", "header": "X-User"}, "go together"),
        ({"address": "0.0.0.0", "proxies": "10.0.0.0/8", "token_file": "/nowhere"}, "go together"),
        ({"address": "0.0.0.0", "token_file": "/nowhere"}, "/nowhere has no token of at least 16 characters"),
        ({"address": "0.0.0.0", "header": "X-User", "proxies": "10.0.0.1/8"}, "has host bits set"),
    ],
)
def test_settings_that_would_let_everybody_in_are_refused(settings: dict[str, str], words: str) -> None:
    """At the start, by name, and not by a page that is silently open."""
    with pytest.raises(AccessError, match=re.escape(words)):
        access(**settings)


def test_a_token_opens_as_a_header_and_as_a_cookie_until_it_is_changed(token: Path) -> None:
    """Scripts have the one, browsers the other; who changes the Secret shuts all out."""
    page = access("0.0.0.0", token_file=str(token))
    cookie = {COOKIE: page.session()}
    bearer = {"authorization": f"Bearer {TOKEN}"}

    assert page.asks == "token"
    assert page.opens(TOKEN)
    assert page.known(bearer, {}, "203.0.113.9")
    assert page.known({}, cookie, "203.0.113.9")
    assert not page.known({}, {}, "203.0.113.9")
    assert not page.known({"authorization": "Bearer wrong"}, {}, "203.0.113.9")
    token.write_text("another-token-of-some-length")
    assert not page.known(bearer, cookie, "203.0.113.9")


def test_a_cookie_ends_by_itself_and_cannot_be_made(token: Path) -> None:
    """What a browser keeps is worth nothing tomorrow."""
    page = access("0.0.0.0", token_file=str(token))
    old = page.session(now=0.0)
    until, _, seal = page.session().partition(".")
    later = f"{int(until) + 1}.{seal}"

    assert float(old.partition(".")[0]) == SESSION
    for forged in (old, later, f"{until}.", "", ".", "x.y", f"{'9' * 40}.{seal}", f"-1.{seal}"):
        assert not page.known({}, {COOKIE: forged}, "203.0.113.9"), forged


def test_without_a_token_file_any_more_nobody_is_let_in(token: Path) -> None:
    """A deleted Secret must not make the empty text the token."""
    page = access("0.0.0.0", token_file=str(token))
    token.unlink()

    assert not page.opens("")
    assert not page.known({"authorization": "Bearer "}, {}, "203.0.113.9")


def test_a_proxys_header_counts_from_the_proxy_only() -> None:
    """Every pod can send any header."""
    page = access("0.0.0.0", header="X-Forwarded-User", proxies="10.1.0.0/16, 192.0.2.7")
    anna = {"x-forwarded-user": "anna"}

    assert [page.known(anna, {}, peer) for peer in ("10.1.2.3", "192.0.2.7", "10.2.0.1", "", "unix")] == [
        *(True, True),
        *(False, False, False),
    ]
    assert not page.known({"x-forwarded-user": " "}, {}, "10.1.2.3")


def test_access_without_settings_is_that_of_loopback() -> None:
    """The default."""
    assert access("127.0.0.1") == Access(frozenset({"localhost", "127.0.0.1", "::1"}))
