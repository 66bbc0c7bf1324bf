"""What the webhook is told when it starts: each field once, as a flag and as an environment variable."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import click
import msgspec
from msgspec import Meta

Function = TypeVar("Function", bound=Callable[..., Any])

Port = Annotated[int, Meta(ge=0, le=65535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Flags of `python -m webhook`."""

    kubeconfig: Annotated[str, Meta(description="Path; else $KUBECONFIG, else the pod's ServiceAccount.")] = ""
    namespace: Annotated[str, Meta(min_length=1, description="Namespace of the Secret.")] = "penstock-system"
    bind_address: Annotated[str, Meta(description="Address to listen on, both ports.")] = "0.0.0.0"
    port: Annotated[Port, Meta(description="TLS, for the API server.")] = 9443
    metrics_port: Annotated[Port, Meta(description="Plain HTTP: /metrics /healthz /readyz; 0: none.")] = 9090
    webhook_names: Annotated[
        str, Meta(description="Names that the certificate must be for, comma separated; empty: any.")
    ] = ""
    drain_seconds: Annotated[
        float, Meta(ge=0, le=60, description="From SIGTERM on: not ready, but still answering.")
    ] = 5.0
    strict: Annotated[bool, Meta(description="Refuse template changes that were not gated.")] = False

    @property
    def names(self) -> tuple[str, ...]:
        """The webhook names, one by one."""
        return tuple(name.strip() for name in self.webhook_names.split(",") if name.strip())


def options(function: Function) -> Function:
    """A click option for every field; `parsed` checks what they got."""
    for field in reversed(msgspec.structs.fields(Settings)):
        notes = [note.description for note in field.type.__metadata__ if note.description]
        flag = "--" + field.name.replace("_", "-")
        kind: dict[str, Any] = {"is_flag": True} if isinstance(field.default, bool) else {"type": type(field.default)}
        function = click.option(flag, default=field.default, help=notes[0], **kind)(function)
    return function


def parsed(flags: Mapping[str, Any]) -> Settings:
    """Settings from click's values."""
    try:
        return msgspec.convert(dict(flags), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error
