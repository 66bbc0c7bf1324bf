"""uvicorn for the page, in the controller's own event loop. Imported on demand, see serve."""

import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from controller.web.app import page as page

CONNECTIONS = 400
"""At once; each viewer has one stream and, for moments, a few more."""


class Listener(uvicorn.Server):
    """One port."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # X-Forwarded-For would replace the peer, which says whether a header counts
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the controller's affair."""
        yield
