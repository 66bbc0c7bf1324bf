"""`notifications` in penstock.yaml: mistakes are told like those of the rest of it."""

import pytest

from penstock.metrics.configuration import ConfigurationError, parse
from penstock.signals.targets import EXAMPLE, Kind, Notifications, Target, Webhook

WHOLE = b"""
version: 1
notifications:
  cluster: prod-eu
  targets:
    chat:
      apprise-file: /etc/penstock-notifications/chat
      kinds: [rejected, held]
      namespaces: [shop, team-*]
      pause: 60
    pager:
      webhook:
        url-file: /etc/penstock-notifications/url
        key-file: /etc/penstock-notifications/key
        ca-file: /etc/penstock-notifications/ca.crt
"""

CHAT = Target(
    apprise_file="/etc/penstock-notifications/chat",
    kinds=(Kind.REJECTED, Kind.HELD),
    namespaces=("shop", "team-*"),
    pause=60,
)
PAGER = Webhook(
    url_file="/etc/penstock-notifications/url",
    key_file="/etc/penstock-notifications/key",
    ca_file="/etc/penstock-notifications/ca.crt",
)


def test_everything_that_can_be_said() -> None:
    """The keys as they are documented."""
    targets = {"chat": CHAT, "pager": Target(webhook=PAGER)}
    assert parse(WHOLE).notifications == Notifications(targets=targets, cluster="prod-eu")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("{}", "notifications.targets.a: found neither of apprise-file and webhook, allowed: one of them"),
        (
            "{apprise-file: /a, webhook: {url-file: /u, key-file: /k}}",
            "notifications.targets.a: found both of apprise-file and webhook, allowed: one of them",
        ),
        (
            "{apprise-file: 'slack://token'}",
            "notifications.targets.a.apprise-file: found 'slack://token', allowed: an absolute path",
        ),
        (
            "{webhook: {url-file: u, key-file: /k}}",
            "notifications.targets.a.webhook.url-file: found 'u', allowed: an absolute path",
        ),
        (
            "{url: x}",
            "notifications.targets.a.url: unknown key, allowed: apprise-file, webhook, kinds, namespaces, pause",
        ),
        (
            "{webhook: {url: x}}",
            "notifications.targets.a.webhook.url: unknown key, allowed: url-file, key-file, ca-file",
        ),
        ("{apprise-file: /a, kinds: [all]}", "notifications.targets[...].kinds[0]: Invalid enum value 'all'"),
        ("{apprise-file: /a, pause: 0}", "notifications.targets[...].pause: Expected `int` >= 1"),
    ],
)
def test_a_mistake_is_told_by_place_with_an_example(target: str, problem: str) -> None:
    """Else a target that was meant for the night shift is found out at night."""
    with pytest.raises(ConfigurationError) as error:
        parse(f"version: 1\nnotifications: {{targets: {{a: {target}}}}}".encode())
    assert str(error.value) == f"{problem}; example: {EXAMPLE}"


@pytest.mark.parametrize(
    ("kind", "namespace", "told"),
    [
        (Kind.HELD, "shop", True),
        (Kind.HELD, "team-a", True),
        (Kind.HELD, "shop-2", False),
        (Kind.PROMOTED, "shop", False),
    ],
)
def test_a_target_is_told_of_its_kinds_and_namespaces(kind: Kind, namespace: str, told: bool) -> None:
    """Both must fit."""
    assert CHAT.wants(kind, namespace) is told
