"""The real API server is the one that the tests of the installation use."""

from tests.deploy.plane import plane

__all__ = ["plane"]
