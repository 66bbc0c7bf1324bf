"""Certificates that change while calls come in, and Secrets that must change nothing."""

import concurrent.futures
import json
import socket
import ssl
import threading
from dataclasses import replace

import pytest

from certs import authority, store
from certs.protocol import Held
from certs.reload import Unfit
from tests.certs.moments import leaf_of, secret
from tests.webhook.conftest import certificate
from tests.webhook.reviews import review
from tests.webhook.running import HOST, Running, running


def next_leaf(content: Held) -> Held:
    """The same CA, another certificate."""
    assert content.signer is not None
    now = authority.issued(leaf_of(content).certificate)
    return replace(content, leaf=authority.new_leaf(content.signer, (HOST,), now))


def seen(webhook: Running) -> bytes:
    """The certificate that a new connection gets."""
    with webhook.connect() as connection:
        return connection.getpeercert(binary_form=True) or b""


def test_no_call_fails_while_certificates_change_under_hundreds_of_connections() -> None:
    """New connections, kept ones, and a new certificate all the time, every third one of a new CA."""
    with running(certificate()) as webhook:
        generations = [certificate() for _ in range(4)]
        webhook.trusted += b"".join(store.part(secret(each), store.BUNDLE) for each in generations)
        over = threading.Event()

        def call(number: int) -> tuple[int, set[bytes]]:
            done, shown = 0, set()
            while not over.is_set():
                client = webhook.http()
                for _ in range(1 if number % 2 else 5):
                    client.request("POST", "/mutate", review())
                    assert json.loads(client.getresponse().read())["response"]["allowed"]
                    shown.add(client.sock.getpeercert(binary_form=True))
                    done += 1
                client.close()
            return done, shown

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            callers = [threads.submit(call, number) for number in range(8)]
            for number in range(30):
                generations[number % 4] = next_leaf(generations[number % 4])
                webhook.certify(generations[number % 4])
                over.wait(0.04)
            over.set()
            results = [caller.result(20) for caller in callers]
        assert sum(done for done, _ in results) > 100
        assert len(set().union(*(shown for _, shown in results))) > 10


def test_a_torn_secret_breaks_no_handshake() -> None:
    """Loaded into the live context such a pair broke 50 of 50 later handshakes."""
    with running(certificate()) as webhook:
        before = seen(webhook)
        torn = secret(certificate())
        torn["data"][store.LEAF_KEY] = secret(certificate())["data"][store.LEAF_KEY]

        def take() -> str:
            with pytest.raises(Unfit) as refusal:
                webhook.serving.take(torn)
            return str(refusal.value)

        assert "do not belong together" in webhook.inside(take)
        assert [seen(webhook) for _ in range(20)] == [before] * 20


def test_connections_that_are_open_go_on_with_the_certificate_they_began_with() -> None:
    """Ending them would cost calls, and is not needed: they were verified once."""
    with running(certificate()) as webhook:
        client = webhook.http()
        client.request("POST", "/mutate", review())
        client.getresponse().read()
        first = client.sock.getpeercert(binary_form=True)
        webhook.certify(certificate())
        client.request("POST", "/mutate", review())
        assert client.getresponse().status == 200
        assert client.sock.getpeercert(binary_form=True) == first != seen(webhook)
        client.close()


def test_a_client_that_names_no_server_gets_the_new_certificate_too() -> None:
    """The API server sends no server name where the configuration has an address."""
    with running(certificate()) as webhook:
        other = certificate()
        webhook.certify(other)
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((HOST, webhook.port)) as raw, blind.wrap_socket(raw) as connection:
            shown = connection.getpeercert(binary_form=True)
        assert shown == ssl.PEM_cert_to_DER_cert(store.part(secret(other), store.LEAF).decode())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused_and_1_2_is_spoken(webhook: Running) -> None:
    """Old API servers speak 1.2; nothing speaks less."""

    def versions(highest: ssl.TLSVersion) -> str | None:
        context = webhook.tls()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
        with socket.create_connection((HOST, webhook.port)) as raw:
            return context.wrap_socket(raw, server_hostname=HOST).version()

    assert versions(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        versions(ssl.TLSVersion.TLSv1_1)


def test_without_a_certificate_no_handshake_is_finished() -> None:
    """The context to listen with has none of its own, so there is nothing to fall back to."""
    with running(certificate()) as webhook:
        webhook.inside(lambda: setattr(webhook.serving, "current", None))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            webhook.post("/mutate", review())
