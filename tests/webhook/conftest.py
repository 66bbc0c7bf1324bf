"""One running webhook for the tests that do not change it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from certs.protocol import Held
from tests.certs.moments import held
from tests.webhook.running import HOST, Running, running


def certificate() -> Held:
    """One that is good now, for this machine."""
    return held(datetime.now(UTC), (HOST,))


@pytest.fixture(scope="session")
def webhook() -> Iterator[Running]:
    """A webhook with its usual limits."""
    with running(certificate()) as found:
        yield found
