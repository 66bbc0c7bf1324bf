"""Pods in words, from one to many."""

import pytest

from penstock.core import wording


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (wording.get(1, 1), "1 pod, beside the old one, gets the new version"),
        (wording.get(1, 10), "1 of 10 pods get the new version"),
        (wording.run(1, 1), "1 pod, beside the old one, runs the new version"),
        (wording.run(0, 1), "0 of 1 pods run the new version"),
        (wording.run(3, 10), "3 of 10 pods run the new version"),
        (wording.all_get(1), "the only pod gets the new version"),
        (wording.all_get(2), "all 2 pods get the new version"),
        (wording.all_run(1), "the only pod runs the new version"),
        (wording.all_run(2), "all 2 pods run the new version"),
        (wording.not_yet(1), "1 pod of the new version is available"),
        (wording.not_yet(2), "2 pods of the new version are available"),
    ],
)
def test_one_pod_is_not_called_pods(said: str, text: str) -> None:
    """`waiting until 1 pods are available` reads like a fault of ours."""
    assert said == text
