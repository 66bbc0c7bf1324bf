"""What is read off API objects."""

from typing import Any

import pytest

from penstock.core.observation import Pod


def waiting(reason: str, image: str = "shop/web:2") -> dict[str, Any]:
    return {"image": image, "state": {"waiting": {"reason": reason}}}


@pytest.mark.parametrize(
    ("containers", "image"),
    [
        ([waiting("ErrImageNeverPull")], "shop/web:2"),
        ([waiting("PodInitializing", "a"), waiting("ImagePullBackOff", "b")], "b"),
        ([waiting("CrashLoopBackOff")], ""),
        ([{"image": "a", "state": {"running": {}}}], ""),
        ([], ""),
    ],
)
def test_the_image_that_is_missing_is_known_by_name(containers: list[Any], image: str) -> None:
    """A typing error in the tag is the most frequent bad release of all; seen in the sentence it is mended at once."""
    pod = Pod.of({"metadata": {"name": "web-1"}, "status": {"containerStatuses": containers}})
    assert pod.image == image
