"""The self-probe goes the API server's way to the webhook, and believes nothing that the API server would not."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from certs import authority, bundle, inject, selfprobe
from certs.inject import Configuration
from tests.certs.test_probe import free_port
from tests.webhook.conftest import certificate
from tests.webhook.running import HOST, Running, running


@pytest.fixture(scope="module")
def webhook() -> Iterator[Running]:
    """A webhook that serves."""
    with running(certificate()) as found:
        yield found


def configured(port: int, trusted: bytes) -> Configuration:
    """A configuration that leads to this machine."""
    client = {"url": f"https://{HOST}:{port}/mutate", "caBundle": base64.b64encode(trusted).decode()}
    return inject.configuration(
        "", "MutatingWebhookConfiguration", {"webhooks": [{"name": "a", "clientConfig": client}]}
    )


def stranger() -> bytes:
    """A CA that has signed nothing here."""
    return bundle.text((authority.new_ca(datetime.now(UTC)).certificate,))


async def test_a_webhook_that_the_api_server_reaches_passes(webhook: Running) -> None:
    """Name, port, trust and answer in one."""
    assert await selfprobe.probe([configured(webhook.port, webhook.trusted)]) == ""


async def test_what_the_api_server_does_not_trust_fails(webhook: Running) -> None:
    """A caBundle that was overwritten ends all gating, and says nothing."""
    assert "certificate verify failed" in await selfprobe.probe([configured(webhook.port, stranger())])


async def test_a_replica_that_leaves_fails() -> None:
    """Not ready is not to be called."""
    with running(certificate()) as webhook:
        webhook.ready[0] = False
        assert (await selfprobe.probe([configured(webhook.port, webhook.trusted)])).endswith(": not ready")


@pytest.mark.parametrize("trusted", [b"", b"no certificate"])
async def test_nothing_there_or_nothing_trusted_fails(trusted: bytes) -> None:
    """Each with a sentence for the log."""
    assert await selfprobe.probe([configured(free_port(), trusted)]) != ""


async def test_without_a_configuration_nothing_is_called() -> None:
    """Deleted by hand, or half an installation."""
    assert await selfprobe.probe([]) == "no webhook is configured"


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ({"service": {"name": "webhook", "namespace": "penstock-system"}}, ("webhook.penstock-system.svc", 443)),
        ({"service": {"name": "w", "namespace": "p", "port": 8443}}, ("w.p.svc", 8443)),
        ({"url": "https://10.0.0.1:9443/mutate"}, ("10.0.0.1", 9443)),
    ],
)
def test_the_place_is_that_of_the_configuration(target: dict[str, Any], place: tuple[str, int]) -> None:
    """The name is also what the certificate must be for."""
    assert selfprobe._place(target) == place
