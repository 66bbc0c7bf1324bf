"""Clients that hold a connection for nothing. The limits are those of the code, shortened."""

import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.webhook.conftest import certificate
from tests.webhook.reviews import review
from tests.webhook.running import HOST, Running, running
from webhook.connection import Limits

SHORT = Limits(handshake=0.3, header=0.3, body=0.9, leftover=0.2, idle=3, most_idle=8)


@pytest.fixture(scope="module")
def impatient() -> Iterator[Running]:
    """A webhook that gives nobody much time."""
    with running(certificate(), SHORT) as found:
        yield found


def drip(connection: socket.socket, piece: bytes) -> None:
    """Send a little again and again, until it fails."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        connection.sendall(piece)
        time.sleep(0.05)


def ends(connection: socket.socket, patience: float = 4.0) -> float:
    """Seconds until the other side ends a connection."""
    begun = time.monotonic()
    connection.settimeout(patience)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return float("inf")
    except OSError:
        pass
    return time.monotonic() - begun


def test_a_tls_handshake_that_is_not_finished_ends(impatient: Running) -> None:
    """It costs the caller one packet."""
    with socket.create_connection((HOST, impatient.port)) as connection:
        assert 0.2 < ends(connection) < 1.5


@pytest.mark.parametrize("sent", [b"P", b"POST /mutate HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_header_that_does_not_come_ends(impatient: Running, sent: bytes) -> None:
    """uvicorn would wait for ever."""
    with impatient.connect() as connection:
        connection.sendall(sent)
        assert 0.2 < ends(connection) < 1.5


def test_a_header_that_drips_ends_all_the_same(impatient: Running) -> None:
    """The time is for the whole header, not for each byte."""
    begun = time.monotonic()
    with impatient.connect() as connection:
        connection.sendall(b"POST /mutate HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"."):
            drip(connection, b"X-Drip: 1\r\n")
    assert time.monotonic() - begun < 1.5


def test_a_body_that_does_not_come_ends(impatient: Running) -> None:
    """Also when its beginning was right."""
    with impatient.connect() as connection:
        connection.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + review()[:100])
        assert 0.6 < ends(connection) < 2.5


def test_a_body_that_nobody_reads_ends_too(impatient: Running) -> None:
    """A 404 is answered at once; the rest of the request must not keep the connection."""
    with impatient.connect() as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nx")
        assert connection.recv(4096).startswith(b"HTTP/1.1 404 ")
        assert ends(connection) < 1.5


def test_line_ends_alone_do_not_keep_a_connection(impatient: Running) -> None:
    """They are allowed before a request, and stop uvicorn's own timer for idle connections."""
    begun = time.monotonic()
    with impatient.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        with pytest.raises(OSError, match=r"."):
            drip(connection, b"\r\n")
    assert time.monotonic() - begun < 4.5


def test_of_idle_connections_the_longest_idle_makes_room(impatient: Running) -> None:
    """Whoever opens many ends their own; one that was just used is not touched."""
    connections = [impatient.connect() for _ in range(SHORT.most_idle)]
    used = connections[0]
    used.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert used.recv(4096).startswith(b"HTTP/1.1 200 ")
    more = [impatient.connect() for _ in range(3)]
    time.sleep(0.1)
    ended = [_ended(connection) for connection in (*connections, *more)]
    assert ended == [False] + [True] * 3 + [False] * (SHORT.most_idle - 4) + [False] * 3
    for connection in (*connections, *more):
        connection.close()


def test_genuine_calls_go_on_while_hundreds_of_sockets_are_held(webhook: Running) -> None:
    """With uvicorn's own limit on connections 20 of 20 genuine calls got a 503."""
    held = []
    for number in range(400):
        connection = webhook.connect()
        connection.sendall(b"POST /mutate HTTP/1.1\r\nHost:" if number % 2 else b"")
        held.append(connection)
    times = []
    for _ in range(20):
        begun = time.monotonic()
        assert webhook.post("/mutate", review())[0] == 200
        times.append(time.monotonic() - begun)
    assert sorted(times)[10] < 0.2
    assert webhook.inside(lambda: len(webhook.listener.server_state.idle)) <= 256
    for connection in held:
        connection.close()


def test_a_connection_is_kept_for_longer_than_the_api_server_keeps_it(webhook: Running) -> None:
    """uvicorn closes after 5 s; a call that meets that moment is lost (132 of 1,200, measured)."""
    client = webhook.http()
    client.connect()
    local = client.sock.getsockname()
    for _ in range(3):
        client.request("POST", "/mutate", review())
        assert client.getresponse().read()
        assert client.sock.getsockname() == local
    assert webhook.listener.config.timeout_keep_alive >= 120
    client.close()


def _ended(connection: ssl.SSLSocket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
