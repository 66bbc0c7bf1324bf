"""One sandbox for the whole session. PENSTOCK_TEST_SANDBOX names a running one, for quick work on a single test."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.cluster.ends")

from tests.cluster import cluster as sandbox  # noqa: E402 - the assertions of modules imported before stay dumb
from tests.cluster.cluster import Cluster  # noqa: E402
from tests.cluster.stage import Stage  # noqa: E402


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real control plane with simulated pods, and Penstock's webhook."""
    running = os.environ.get("PENSTOCK_TEST_SANDBOX")
    if running:
        yield Cluster(Path(running).absolute())
        return
    started = sandbox.up(tmp_path_factory.mktemp("sandbox"))
    yield started
    sandbox.down(started)


@pytest.fixture
async def stage(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Stage]:
    """Where this test's scenarios are played."""
    opened = await Stage.open(cluster, tmp_path)
    yield opened
    await opened.close()
