"""Two versions, told apart in the fewest words that a person recognises."""

from typing import Any

import pytest

from penstock.core.versions import changes


def template(image: str = "shop/web:1.4", **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image, **fields}], "restartPolicy": "Always"},
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("shop/web:1.4", "shop/web:1.5", "web: image shop/web:1.4 → 1.5"),
        ("shop/web:1.4", "shop/api:1.4", "web: image shop/web:1.4 → shop/api:1.4"),
        ("web", "web:2", "web: image web → web:2"),
        ("host:5000/web:1", "host:5000/web:2", "web: image host:5000/web:1 → 2"),
        ("host:5000/web", "host:5000/app", "web: image host:5000/web → host:5000/app"),
        ("web@sha256:aa", "web@sha256:bb", "web: image web@sha256:aa → sha256:bb"),
        ("web:1", "webby:1", "web: image web:1 → webby:1"),
    ],
)
def test_an_image_is_named_whole_once(old: str, new: str, words: str) -> None:
    """Registry paths are long and mostly the same; a port is no tag."""
    assert changes(template(old), template(new)) == (words,)


def test_equal_templates_have_no_changes() -> None:
    """Re-applied manifests."""
    assert changes(template(), template()) == ()


def test_environment_variables_are_named_without_their_values() -> None:
    """Some hold passwords, and screens are shared."""
    old = template(env=[{"name": "VERSION", "value": "v1"}, {"name": "GONE", "value": "x"}, {"name": "SAME"}])
    new = template(env=[{"name": "VERSION", "value": "secret"}, {"name": "SAME"}])
    assert changes(old, new) == ("web: env GONE, VERSION",)


def test_everything_else_is_named_by_its_field() -> None:
    """Enough to know where to look; `kubectl diff` shows the rest."""
    old, new = template(), template(image="shop/web:2", resources={"limits": {"cpu": "1"}})
    new["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    new["spec"]["volumes"] = [{"name": "v"}]
    new["spec"]["initContainers"] = [{"name": "init", "image": "i:1"}]
    assert changes(old, new) == (
        "init: added",
        "web: image shop/web:1.4 → 2",
        "web: resources",
        "annotations",
        "volumes",
    )
    assert changes(new, template(image="shop/web:2", resources={"limits": {"cpu": "1"}})) == (
        "init: removed",
        "annotations",
        "volumes",
    )
