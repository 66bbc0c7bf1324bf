"""`penstock.yaml`: what a cluster's administrator decides, above all where metrics are asked for.

A tenant's annotation never holds an address: whoever may name one can make the controller send requests for them.
Typing errors are refused by place, with what was found, what is allowed and an example, because an option that is
silently ignored (a CA file, a tenant header) is found out in an incident.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
import yaml
from msgspec import Meta

from penstock.signals import targets
from penstock.signals.targets import Notifications

LARGEST = 64 * 1024
EXAMPLE = "prometheus: {url: 'http://prometheus.monitoring.svc:9090'}"
EXAMPLES = {"notifications": targets.EXAMPLE}
"""By the first key of a place."""

LabelName = Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")]
HeaderValue = Annotated[str, Meta(pattern=r"^[!-~]{1,128}$")]


class ConfigurationError(ValueError):
    """One mistake, in one line for people."""


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """A user and the file that holds the password."""

    username: HeaderValue
    password_file: str


class Prometheus(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """A server with Prometheus' HTTP API. Files are read at every request, so that rotated secrets count at once."""

    url: str
    pod_label: LabelName = "pod"
    namespace_label: LabelName = "namespace"
    bearer_token_file: str = ""
    basic_auth: BasicAuth | None = None
    ca_file: str = ""
    header_files: dict[HeaderName, str] = {}
    tenant: HeaderValue | None = None
    """Sent as X-Scope-OrgID (Mimir, Cortex, Loki's kin)."""
    lookback: Annotated[int, Meta(ge=10, le=900)] = 150
    """Seconds; at least two scrape intervals. A pod without a sample for so long is not known any more."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """All of penstock.yaml."""

    version: int = 1
    prometheus: Prometheus | None = None
    notifications: Notifications | None = None


class _Loader(yaml.SafeLoader):
    """No aliases (256 bytes of them make a gigabyte), no key twice (YAML would take the last)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ConfigurationError("found an alias (*), which is not allowed; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigurationError(f"line {node.start_mark.line + 1}: the key {key} stands there twice")
        return super().construct_mapping(node, deep=deep)


def load(file: str) -> Configuration:
    """The file's configuration; the defaults where FILE is empty. Raises ConfigurationError."""
    if not file:
        return Configuration()
    try:
        with open(file, "rb") as stream:
            text = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    try:
        return parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from None


def parse(text: bytes) -> Configuration:
    """The configuration in TEXT. Raises ConfigurationError."""
    if len(text) > LARGEST:
        raise ConfigurationError(f"larger than {LARGEST // 1024} KiB")
    try:
        found = yaml.load(text, _Loader)
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise ConfigurationError(f"{place}not YAML; example: {EXAMPLE}") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"found {_shown(found)}, expected keys and values; example: version: 1")
    if found.get("version") != 1 or isinstance(found["version"], bool):
        raise ConfigurationError(f"version: found {_shown(found.get('version'))}, allowed: 1; example: version: 1")
    _refuse_unknown(found, Configuration, "")
    try:
        configuration = msgspec.convert(found, Configuration)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        place = place.strip("`$.") or "file"
        raise ConfigurationError(f"{place}: {problem}; example: {_example(place)}") from None
    if configuration.prometheus:
        _check(configuration.prometheus)
    for found_problem in targets.problems(configuration.notifications or Notifications()):
        raise ConfigurationError(f"{found_problem}; example: {targets.EXAMPLE}")
    return configuration


def _example(place: str) -> str:
    return EXAMPLES.get(place.partition(".")[0], EXAMPLE)


def _refuse_unknown(found: dict[Any, Any], kind: type[msgspec.Struct], place: str) -> None:
    """msgspec names the first unknown key, but not those that are allowed."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind)
    for key, value in found.items():
        where = f"{place}{key}"
        if key not in fields:
            allowed = ", ".join(fields)
            raise ConfigurationError(f"{where}: unknown key, allowed: {allowed}; example: {_example(where)}")
        hint = hints[fields[key].name]
        values = {f"{where}.": value}
        if get_origin(hint) is dict:
            values = {f"{where}.{name}.": each for name, each in value.items()} if isinstance(value, dict) else {}
        for struct in (t for t in (hint, *get_args(hint)) if isinstance(t, type) and issubclass(t, msgspec.Struct)):
            for inner, each in values.items():
                if isinstance(each, dict):
                    _refuse_unknown(each, struct, inner)


def _check(prometheus: Prometheus) -> None:
    """What types cannot say."""
    allowed = "http:// or https://, a host, a port and a path; no user, no query"
    try:
        url = urlsplit(prometheus.url)
    except ValueError:  # a bracket that begins no IPv6 address
        raise ConfigurationError(
            f"prometheus.url: not such an address, allowed: {allowed}; example: {EXAMPLE}"
        ) from None
    if (
        url.scheme not in ("http", "https")
        or not url.hostname
        or "@" in url.netloc
        or url.query
        or url.fragment
        or not prometheus.url.isprintable()
        or " " in prometheus.url
    ):
        raise ConfigurationError(f"prometheus.url: not such an address, allowed: {allowed}; example: {EXAMPLE}")
    try:
        _ = url.port
    except ValueError:
        raise ConfigurationError(f"prometheus.url: not a port, allowed: 1 to 65535; example: {EXAMPLE}") from None
    if prometheus.bearer_token_file and prometheus.basic_auth:
        raise ConfigurationError("prometheus: found bearer-token-file and basic-auth, allowed: one of them")
    files = {
        "bearer-token-file": prometheus.bearer_token_file,
        "ca-file": prometheus.ca_file,
        **{f"header-files.{name}": file or " " for name, file in prometheus.header_files.items()},
    }
    if prometheus.basic_auth:
        files["basic-auth.password-file"] = prometheus.basic_auth.password_file or " "
    for key, file in files.items():
        if file and not Path(file).is_absolute():
            raise ConfigurationError(f"prometheus.{key}: found {_shown(file)}, allowed: an absolute path")


def _shown(value: object) -> str:
    """Short, and never the content of a deep structure."""
    text = "nothing" if value is None else repr(value) if isinstance(value, str | int | float) else "a list or mapping"
    return text if len(text) <= 60 else text[:57] + "..."
