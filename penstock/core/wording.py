"""Pods in words. A single one is not `1 of 1 pods`: it has the old one beside it to the end, and the verb changes."""


def counted(number: int, noun: str) -> str:
    """`1 pod`, `3 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def get(pods: int, replicas: int) -> str:
    """That a step brings the new version to so many."""
    return f"{'1 pod, beside the old one, gets' if replicas == 1 else f'{pods} of {replicas} pods get'} the new version"


def run(pods: int, replicas: int) -> str:
    """That so many run the new version."""
    few = "1 pod, beside the old one, runs" if replicas == pods == 1 else f"{pods} of {replicas} pods run"
    return f"{few} the new version"


def all_get(replicas: int) -> str:
    """That the new version goes to all."""
    return f"{'the only pod gets' if replicas == 1 else f'all {replicas} pods get'} the new version"


def all_run(replicas: int) -> str:
    """That the new version is on all."""
    return f"{'the only pod runs' if replicas == 1 else f'all {replicas} pods run'} the new version"


def not_yet(pods: int) -> str:
    """What is waited for."""
    return "1 pod of the new version is available" if pods == 1 else f"{pods} pods of the new version are available"
