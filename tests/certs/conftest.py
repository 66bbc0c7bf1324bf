"""The API server that the tests of the installation use too."""

from tests.deploy.plane import plane

__all__ = ["plane"]
