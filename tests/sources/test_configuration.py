"""penstock.yaml: what is wrong in it is told by place, with what is allowed and an example; nothing is ignored."""

import re
from pathlib import Path

import pytest
import yaml

from penstock.metrics.configuration import BasicAuth, Configuration, ConfigurationError, Prometheus, load, parse
from penstock.signals.targets import Notifications, Target

EXAMPLE = "example: prometheus: {url: 'http://prometheus.monitoring.svc:9090'}"
ALLOWED = "allowed: http:// or https://, a host, a port and a path; no user, no query"
URL = f"prometheus.url: not such an address, {ALLOWED}; {EXAMPLE}"

WHOLE = b"""
version: 1
prometheus:
  url: https://prometheus.example:9090/base
  pod-label: kubernetes_pod_name
  namespace-label: kubernetes_namespace
  basic-auth: {username: penstock, password-file: /etc/penstock/password}
  ca-file: /etc/penstock/ca.crt
  header-files: {X-Key: /etc/penstock/key}
  tenant: shop
  lookback: 300
"""


def test_everything_that_can_be_said() -> None:
    """The keys as they are documented."""
    assert parse(WHOLE) == Configuration(
        prometheus=Prometheus(
            url="https://prometheus.example:9090/base",
            pod_label="kubernetes_pod_name",
            namespace_label="kubernetes_namespace",
            basic_auth=BasicAuth(username="penstock", password_file="/etc/penstock/password"),
            ca_file="/etc/penstock/ca.crt",
            header_files={"X-Key": "/etc/penstock/key"},
            tenant="shop",
            lookback=300,
        )
    )


def test_without_a_file_or_with_the_least_one_there_is_no_prometheus() -> None:
    """It works out of the box."""
    assert load("") == parse(b"version: 1\n") == Configuration(prometheus=None)


def within(text: str) -> bytes:
    return f"version: 1\nprometheus: {{url: 'http://p', {text}}}".encode()


MISTAKES = [
    (b"", "found nothing, expected keys and values; example: version: 1"),
    (b"- 1", "found a list or mapping, expected keys and values; example: version: 1"),
    (b"{", f"line 1: not YAML; {EXAMPLE}"),
    (b"\xff", f"not YAML; {EXAMPLE}"),
    (b"{}", "version: found nothing, allowed: 1; example: version: 1"),
    (b"version: 2", "version: found 2, allowed: 1; example: version: 1"),
    (b"version: true", "version: found True, allowed: 1; example: version: 1"),
    (b"version: '1'", "version: found '1', allowed: 1; example: version: 1"),
    (b"version: 1\nversion: 1", "line 1: the key version stands there twice"),
    (b"version: 1\nprometeus: {}", f"prometeus: unknown key, allowed: version, prometheus, notifications; {EXAMPLE}"),
    (
        within("bearer: x"),
        "prometheus.bearer: unknown key, allowed: url, pod-label, namespace-label, bearer-token-file, basic-auth, "
        f"ca-file, header-files, tenant, lookback; {EXAMPLE}",
    ),
    (
        within("basic-auth: {user: x}"),
        f"prometheus.basic-auth.user: unknown key, allowed: username, password-file; {EXAMPLE}",
    ),
    (
        within("basic-auth: {username: x}"),
        f"prometheus.basic-auth: Object missing required field `password-file`; {EXAMPLE}",
    ),
    (b"version: 1\nprometheus: {}", f"prometheus: Object missing required field `url`; {EXAMPLE}"),
    (b"version: 1\nprometheus: [1]", f"prometheus: Expected `object | null`, got `array`; {EXAMPLE}"),
    (b"version: 1\nprometheus: {url: 3}", f"prometheus.url: Expected `str`, got `int`; {EXAMPLE}"),
    (b"version: 1\nprometheus: {url: 'file:///etc/passwd'}", URL),
    (b"version: 1\nprometheus: {url: 'http://user:secret@p'}", URL),
    (b"version: 1\nprometheus: {url: 'http://p?x=1'}", URL),
    (b"version: 1\nprometheus: {url: 'http://p/a b'}", URL),
    (b"version: 1\nprometheus: {url: 'p:9090'}", URL),
    (
        b"version: 1\nprometheus: {url: 'http://p:99999'}",
        f"prometheus.url: not a port, allowed: 1 to 65535; {EXAMPLE}",
    ),
    (within("lookback: 5"), f"prometheus.lookback: Expected `int` >= 10; {EXAMPLE}"),
    (
        within("pod-label: 'a\"b'"),
        f"prometheus.pod-label: Expected `str` matching regex '^[a-zA-Z_][a-zA-Z0-9_]*$'; {EXAMPLE}",
    ),
    (
        within('tenant: "a\\r\\nX: y"'),
        f"prometheus.tenant: Expected `str` matching regex '^[!-~]{{1,128}}$'; {EXAMPLE}",
    ),
    (within("ca-file: ca.crt"), "prometheus.ca-file: found 'ca.crt', allowed: an absolute path"),
    (within("header-files: {X-A: ''}"), "prometheus.header-files.X-A: found ' ', allowed: an absolute path"),
    (
        within("bearer-token-file: /t, basic-auth: {username: x, password-file: /p}"),
        "prometheus: found bearer-token-file and basic-auth, allowed: one of them",
    ),
    (b"version: 1\na: &a [1]\nb: *a", "found an alias (*), which is not allowed; write the value out"),
    (b"version: 1 #" + b"x" * 70_000, "larger than 64 KiB"),
    (b"version: 1\nx: !!python/object/apply:os.system [id]", f"line 2: not YAML; {EXAMPLE}"),
    (b"[" * 600, f"not YAML; {EXAMPLE}"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_told_in_one_line(text: bytes, problem: str) -> None:
    """Place, found, allowed, example. An address with a password in it is not repeated."""
    with pytest.raises(ConfigurationError) as refused:
        parse(text)

    assert str(refused.value) == problem


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    """The controller ends with it."""
    file = tmp_path / "penstock.yaml"
    for made, problem in ((None, "cannot be read: No such file or directory"), ("version: 2", ": version: found 2")):
        if made:
            file.write_text(made)
        with pytest.raises(ConfigurationError) as refused:
            load(str(file))
        assert str(refused.value).startswith(f"{file}{'' if made else ' '}{problem}")


def test_the_installed_file_is_accepted_also_with_its_comments_taken_away() -> None:
    """What people will uncomment has to be right."""
    deployed = Path(__file__).parents[2] / "deploy/base/configuration.yaml"
    text: str = yaml.safe_load(deployed.read_text())["data"]["penstock.yaml"]

    assert parse(text.encode()) == Configuration()
    bare = re.sub(r"^# (?=prometheus|notifications)|^#(?=   )", "", text, flags=re.MULTILINE)
    assert parse(bare.encode()) == Configuration(
        prometheus=Prometheus(
            url="https://prometheus.monitoring.svc:9090",
            bearer_token_file="/etc/penstock/token",
            ca_file="/etc/penstock/ca.crt",
        ),
        notifications=Notifications(targets={"chat": Target(apprise_file="/etc/penstock-notifications/chat")}),
    )
