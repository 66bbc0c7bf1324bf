"""The API server, spoken to in plain dictionaries, with a deadline on everything.

Only this module knows the official `kubernetes` client, and takes just two things from it: credentials (kubeconfig,
exec plugins, OIDC, ServiceAccount tokens) and the sending of a request. Its models are left alone because they drop
fields they do not know, its watch and leader election for what docs/decisions/0003 tells. It is imported when a
client connects, not before: it takes a second, and `penstock --help` has none.

Proxies: only kubeconfig's own `proxy-url`. The environment's HTTPS_PROXY is meant for the outside world, and a
loopback or in-cluster address sent there fails in ways that are hard to see.
"""

# ruff: noqa: ASYNC109 - a deadline as a keyword of every request cannot be forgotten, one around it can

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from penstock.kube import credentials, status
from penstock.kube.credentials import InCluster, Kubeconfig
from penstock.kube.errors import ApiError, Unavailable
from penstock.kube.lines import Lines

if TYPE_CHECKING:
    from penstock.kube.connection import Connection

Object = dict[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""As `accept` of a get: only the object's metadata. For a list or a watch, see PARTIAL_LIST."""
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

DEADLINE = 10.0
"""Seconds for one request unless the caller says otherwise, connecting and reading the answer included."""

IDLE = 75.0
"""Seconds without a byte after which a watch counts as dead. With bookmarks the API server speaks once a minute."""


class Client:
    """Verbs on paths. Answers are dictionaries as the API server sent them; failures are `ApiError`."""

    def __init__(self, connection: "Connection", namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace
        self.on_write: Callable[[str, str, int], None] | None = None
        """Told (verb, path, status) after each write; status 0 where no answer came."""
        self.before_write: Callable[[], None] | None = None
        """Called before each write is sent; what it raises comes out instead."""
        self._more: dict[str, str] = {}

    def acting_as(self, user: str) -> Self:
        """The same connection for requests in another's name, of those who have the right `impersonate`."""
        other = copy(self)
        other._more = {"Impersonate-User": user}
        return other

    def guarded(self, before_write: Callable[[], None]) -> Self:
        """The same connection for one who may write only as long as `before_write` does not raise."""
        other = copy(self)
        other.before_write = before_write
        return other

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, kubeconfig: str | None = None, context: str | None = None, user_agent: str = "penstock"
    ) -> AsyncIterator[Self]:
        """A client for the cluster that `credentials.find` finds; sends nothing yet. Raises NotConfigured."""
        async with cls.at(credentials.find(kubeconfig, context), user_agent) as client:
            yield client

    @classmethod
    @asynccontextmanager
    async def at(cls, place: Kubeconfig | InCluster, user_agent: str = "penstock") -> AsyncIterator[Self]:
        """The same for a known place. Without a deadline: a plugin may be waiting for a person to log in."""
        from penstock.kube.connection import Connection

        api, namespace = await _load(place, user_agent)

        async def reload() -> Any:
            return (await _load(place, user_agent))[0]

        connection = Connection(api, reload)
        try:
            yield cls(connection, namespace)
        finally:
            await connection.close()

    async def get(self, path: str, *, accept: str = JSON, timeout: float = DEADLINE, **params: Any) -> Object:
        """One object, or a list."""
        answer, _ = await self._ask("get", "GET", path, params, accept=accept, timeout=timeout)
        return answer

    async def post(self, path: str, body: Object, *, timeout: float = DEADLINE, **params: Any) -> Object:
        """Create."""
        return await self._write("post", "POST", path, params, body, timeout=timeout)

    async def put(self, path: str, body: Object, *, timeout: float = DEADLINE, **params: Any) -> Object:
        """Replace whole. For objects that are ours alone: fields we do not send are erased."""
        return await self._write("put", "PUT", path, params, body, timeout=timeout)

    async def patch(
        self, path: str, operations: Sequence[Object], *, timeout: float = DEADLINE, **params: Any
    ) -> Object:
        """JSON Patch. A `test` that fails is a Conflict."""
        body = list(operations)
        return await self._write("patch", "PATCH", path, params, body, content=JSON_PATCH, timeout=timeout)

    async def strategic(self, path: str, body: Object, *, timeout: float = DEADLINE, **params: Any) -> Object:
        """Strategic merge patch: lists are merged by their keys; built-in kinds only."""
        return await self._write("strategic", "PATCH", path, params, body, content=STRATEGIC, timeout=timeout)

    async def merge(self, path: str, body: Object, *, timeout: float = DEADLINE, **params: Any) -> Object:
        """JSON merge patch: null removes, lists are replaced."""
        return await self._write("merge", "PATCH", path, params, body, content=MERGE, timeout=timeout)

    async def apply(
        self, path: str, body: Object, *, manager: str, force: bool = False, timeout: float = DEADLINE, **params: Any
    ) -> Object:
        """Server-side apply: creates what is missing. Another owner of a field is a Conflict unless `force`."""
        query = {"fieldManager": manager, "force": force, **params}
        return await self._write("apply", "PATCH", path, query, body, content=APPLY, timeout=timeout)

    async def delete(
        self,
        path: str,
        uid: str | None = None,
        resource_version: str | None = None,
        *,
        timeout: float = DEADLINE,
        **params: Any,
    ) -> Object:
        """Delete, if given only this very object (`uid`) in this very state; else Conflict."""
        wanted = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {name: value for name, value in wanted.items() if value is not None}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions} if preconditions else None
        return await self._write("delete", "DELETE", path, params, body, timeout=timeout)

    async def watch(
        self, path: str, *, accept: str = JSON, timeout: float = DEADLINE, idle: float = IDLE, **params: Any
    ) -> AsyncGenerator[Object, None]:
        """The events of one connection, `{"type": …, "object": …}`, until the server ends it.

        `timeout` bounds the opening, `idle` the silence later. An event of type ERROR is raised, not given.
        """
        request = f"watch {path}"
        lines = Lines()
        async with AsyncExitStack() as stack:
            async with _deadline(timeout, request):
                opened = self._connection.answer(
                    "GET", path, {"watch": True, **params}, {"Accept": accept}, idle=idle, request=request
                )
                answer = await stack.enter_async_context(opened)
                if answer.status != 200:
                    raise status.refused(answer.status, answer.phrase, answer.headers, await answer.read(), request)
            chunks = await stack.enter_async_context(aclosing(answer.chunks()))
            async for chunk in chunks:
                for line in lines.feed(chunk):
                    yield status.event(line, request)

    async def _write(
        self,
        verb: str,
        method: str,
        path: str,
        params: Object,
        body: Any,
        *,
        content: str = JSON,
        timeout: float,
    ) -> Object:
        """Ask, and tell `on_write` how it went, also when nothing came back or the caller was cancelled."""
        if self.before_write is not None:
            self.before_write()
        code = 0
        try:
            answer, code = await self._ask(verb, method, path, params, body, content=content, timeout=timeout)
            return answer
        except ApiError as error:
            code = error.status
            raise
        finally:
            if self.on_write is not None:
                self.on_write(verb, path, code)

    async def _ask(
        self,
        verb: str,
        method: str,
        path: str,
        params: Object,
        body: Any = None,
        *,
        accept: str = JSON,
        content: str = JSON,
        timeout: float,
    ) -> tuple[Object, int]:
        request = f"{verb} {path}"
        headers = {"Accept": accept, "Content-Type": content, **self._more}
        async with (
            _deadline(timeout, request),
            self._connection.answer(method, path, params, headers, body, request=request) as answer,
        ):
            raw = await answer.read()
        if answer.status < 300:
            return status.decoded(raw, request), answer.status
        tested = content == JSON_PATCH and status.asks(body)
        raise status.refused(answer.status, answer.phrase, answer.headers, raw, request, tested=tested)


@asynccontextmanager
async def _deadline(seconds: float, request: str) -> AsyncIterator[None]:
    # asyncio's own time-out, not aiohttp's: that one rounds up to whole seconds, too coarse for the lease.
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unavailable(0, "Timeout", f"no answer within {seconds:.3g} s", request=request) from error


async def _load(place: Kubeconfig | InCluster, user_agent: str) -> tuple[Any, str]:
    """An ApiClient with the credentials as they are now, and the namespace to work in by default."""
    import yaml
    from kubernetes.aio.client import ApiClient, Configuration
    from kubernetes.aio.config import ConfigException

    configuration = Configuration()
    configuration.client_session_kwargs = {"trust_env": False}
    configuration.connection_pool_maxsize = 0  # no limit: at 100, fifty rollouts' watches would starve the lease
    # Python 3.13 began to demand extensions that many clusters' CA certificates lack; Go, and so kubectl, does not.
    configuration.disable_strict_ssl_verification = True
    try:
        if isinstance(place, InCluster):
            namespace = _from_pod(configuration, place)
        else:
            namespace = await _from_kubeconfig(configuration, place)
        api = ApiClient(configuration)
    except (ConfigException, yaml.YAMLError, *BROKEN) as error:
        raise credentials.unusable(place, error) from error
    api.user_agent = user_agent
    return api, namespace


BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What a malformed kubeconfig or certificate makes `kubernetes` raise, besides its own ConfigException."""


def _from_pod(configuration: Any, place: InCluster) -> str:
    from kubernetes.aio.config.incluster_config import InClusterConfigLoader

    token = credentials.TokenFile(place.mounted / "token")
    loader = InClusterConfigLoader(
        token_filename=str(token.path),
        cert_filename=str(place.mounted / "ca.crt"),
        try_refresh_token=False,  # once a minute, and a file that is just being replaced is an exception
        environ={"KUBERNETES_SERVICE_HOST": place.host, "KUBERNETES_SERVICE_PORT": place.port},
    )
    loader.load_and_set(configuration)

    def refresh(configured: Any) -> None:  # called before each request
        configured.api_key["BearerToken"] = f"Bearer {token.read()}"

    configuration.refresh_api_key_hook = refresh
    return place.namespace()


async def _from_kubeconfig(configuration: Any, place: Kubeconfig) -> str:
    from kubernetes.aio.config import load_kube_config

    loader = await load_kube_config(
        config_file=place.path, context=place.context, client_configuration=configuration, persist_config=False
    )
    if "exec" in (loader._user or ()) and not configuration.api_key and not configuration.cert_file:
        # `kubernetes` only logs that and goes on as nobody, which later looks like a missing permission.
        raise ValueError("the credentials plugin gave none; what it said is logged above")
    if configuration.proxy and urlsplit(configuration.proxy).scheme not in ("http", "https"):
        raise ValueError(f"proxy-url {configuration.proxy}: only http:// and https:// proxies can be used")
    return str(loader.current_context["context"].get("namespace") or "default")
