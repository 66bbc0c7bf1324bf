"""PromQL from what users wrote and what we know, so that nothing breaks out of its quotes.

Selectors get our own restriction to a namespace and exact pod names; matchers inside braces are joined by "and", so a
user's can only narrow it. Values for a limit's `{{ name }}` may stand in any of PromQL's three kinds of quotes, which
escape differently; so they have an alphabet without anything to escape, and a dot of a pod's name becomes `[.]`.
"""

import re
from collections.abc import Iterable, Mapping

from penstock.core.queries import Limit, Selector
from penstock.core.units import quoted

NO_POD = "-"
"""Stands for "none of them": no pod can have this name, whereas an empty pattern means series without the label."""

_PLACEHOLDER = re.compile(r"\{\{\s*([a-z]+)\s*\}\}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
_VALUE = re.compile(r"[-a-z0-9.|\[\]]{1,400000}\Z")


class Unsafe(ValueError):
    """A value that is no name of a Kubernetes object."""


def _name(text: str) -> str:
    if not _NAME.match(text):
        raise Unsafe(f"{quoted(text)} is no name of a pod, workload or namespace")
    return text


def alternation(pods: Iterable[str]) -> str:
    """A pattern for exactly these pods, in any kind of quotes."""
    return "|".join(_name(pod).replace(".", "[.]") for pod in sorted(set(pods))) or NO_POD


def raw(selector: Selector, suffix: str, own: Mapping[str, str], seconds: float, matchers: Iterable[str] = ()) -> str:
    """Raw samples of the last SECONDS of METRIC+SUFFIX, for OWN (label → pattern) and more matchers of ours."""
    restricted = [f'{label}=~"{pattern}"' for label, pattern in own.items()]
    inside = ",".join([*restricted, *matchers, *([selector.matchers] if selector.matchers else [])])
    return f"{selector.metric}{suffix}{{{inside}}}[{round(seconds * 1000)}ms]"


def restriction(namespace: str, pods: Iterable[str], namespace_label: str, pod_label: str) -> Mapping[str, str]:
    """What every selector of ours is limited to. Label names come from the administrator's file, checked there."""
    return {namespace_label: _name(namespace).replace(".", "[.]"), pod_label: alternation(pods)}


def bucket(bound: float) -> str:
    """A matcher for the bucket of a bound, whichever way its exporter writes the number: 1, 1.0, 0.25, 0.250."""
    whole, _, fraction = f"{bound:.9f}".rstrip("0").partition(".")
    digits = f"{whole}[.]{fraction}0*" if fraction else f"{whole}([.]0*)?"
    return f'le=~"{digits}"'


def values(namespace: str, name: str, new: Iterable[str], old: Iterable[str], window: float) -> Mapping[str, str]:
    """What a limit's query may ask for."""
    return {
        "namespace": _name(namespace),
        "name": _name(name),
        "new": alternation(new),
        "old": alternation(old),
        "window": f"{max(1, round(window))}s",
    }


def render(limit: Limit, given: Mapping[str, str]) -> str:
    """A limit's query with its values put in."""

    def value(match: re.Match[str]) -> str:
        text = given.get(match[1], "")
        if not _VALUE.match(text):
            raise Unsafe(f"no safe value for {{{{ {match[1]} }}}}: {quoted(text)}")
        return text

    return _PLACEHOLDER.sub(value, limit.query)
