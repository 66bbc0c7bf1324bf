"""A cluster of one real node with Penstock and a Prometheus, for all tests of judging."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio

from penstock.kube import Client
from sandbox.cluster import Sandbox
from sandbox.spec import Spec
from tests.judging.shop import Order, Shop
from tests.sandbox.conftest import real_pods, running

__all__ = ["real_pods"]

Open = Callable[..., Awaitable[Shop]]


@pytest.fixture(scope="module")
def market(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The cluster."""
    directory = tmp_path_factory.mktemp("market") / "sandbox"
    yield from running(Sandbox(directory), Spec(1, 0, penstock=True, prometheus=True))


@pytest_asyncio.fixture
async def opened(market: Sandbox) -> AsyncIterator[Open]:
    """Opens shops: a name and an order each."""
    async with Client.connect(str(market.kubeconfig)) as client:

        async def open_(name: str, order: Order | None = None) -> Shop:
            shop = Shop(market, client, name, order or Order())
            await shop.open()
            return shop

        yield open_
