"""Penstock makes releases of plain Kubernetes workloads safe."""

__version__ = "0.1.0"
