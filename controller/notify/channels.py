"""The two ways out: a URL of apprise's (Slack, Teams, mail and a hundred more), and JSON that is signed.

What goes wrong is told in words without the address, which is a secret as a whole: a chat's URL lets anybody write
there.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import aiohttp
import msgspec

from controller.notify.notice import Notice
from penstock import clock
from penstock.signals.signature import SIGNATURE, TIMESTAMP, signature
from penstock.signals.targets import Notifications, Webhook

PATIENCE = 15.0
"""Seconds for one message."""
MOST_LINES = 20
LONGEST = 1500
LARGEST_FILE = 16 * 1024


THREADS = ThreadPoolExecutor(2, "apprise")
"""Of its own: a service that never answers keeps its thread, and in the common ones names are looked up, also that of
the API server."""


class Failed(Exception):
    """Not sent. `again`: whether another try may help, and after how many seconds at least."""

    def __init__(self, words: str, again: bool = True, after: float = 0.0) -> None:
        super().__init__(words)
        self.again, self.after = again, after


class Channel(Protocol):
    """One way out."""

    async def send(self, notices: Sequence[Notice], cluster: str) -> None:
        """One message. Raises Failed."""


def secret(file: str) -> str:
    """What stands in a mounted file."""
    try:
        with open(file, "rb") as stream:
            text = stream.read(LARGEST_FILE).decode()
    except (OSError, UnicodeError) as error:
        raise Failed(f"{file} cannot be read ({type(error).__name__})") from None
    if not text.strip():
        raise Failed(f"{file} is empty")
    return text.strip()


@dataclass(frozen=True)
class Apprise:
    """By apprise, in a thread: it blocks, and loading its hundred services takes a second."""

    file: str

    async def send(self, notices: Sequence[Notice], cluster: str) -> None:
        url = secret(self.file)
        async with asyncio.timeout(PATIENCE + 15):
            await asyncio.get_running_loop().run_in_executor(THREADS, _by_apprise, url, *words(notices, cluster))


def unsendable(notifications: Notifications) -> Iterator[str]:
    """What cannot be sent with what is installed: told at the start, not when somebody waits for the message."""
    for name, target in notifications.targets.items():
        if target.apprise_file and find_spec("apprise") is None:
            yield f"notifications.targets.{name}.apprise-file: apprise is not installed; install: penstock[notify]"


def _by_apprise(url: str, title: str, body: str) -> None:
    import apprise  # 25 MB of memory: only for those who have such a target

    logging.getLogger("apprise").disabled = True  # it names addresses
    asset = apprise.AppriseAsset(app_id="Penstock", app_desc="Penstock", http_redirects=False)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(url):
        raise Failed("apprise does not know such a URL", again=False)
    if not sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT, timeout=PATIENCE):
        raise Failed("the service did not take it")


def words(notices: Sequence[Notice], cluster: str) -> tuple[str, str]:
    """Title and body of a message for people."""
    where = f" ({cluster})" if cluster else ""
    first = notices[0]
    title = f"{first.kind}: {first.namespace}/{first.name}{where}"
    if len(notices) == 1:
        return title, harmless(first.message)
    lines = [f"{n.kind}: {n.namespace}/{n.name}: {harmless(n.message)}" for n in notices[:MOST_LINES]]
    if len(notices) > MOST_LINES:
        lines.append(f"and {len(notices) - MOST_LINES} more")
    return f"{len(notices)} rollouts{where}", "\n".join(lines)


def harmless(text: str) -> str:
    """Without what a chat would obey (<!channel>, @everyone, links in brackets): parts of a message are a tenant's."""
    plain = "".join(c if c.isprintable() else " " for c in text[:LONGEST])
    return plain.translate(str.maketrans("<>@[]`*", "‹›＠()'·"))


class _Message(msgspec.Struct, frozen=True):
    """The body of a signed message."""

    version: int
    cluster: str
    notifications: list[dict[str, Any]]


@dataclass(frozen=True)
class Signed:
    """By POST, with a signature over time and body."""

    target: Webhook

    async def send(self, notices: Sequence[Notice], cluster: str) -> None:
        url, key = secret(self.target.url_file), secret(self.target.key_file).encode()
        tls = self._tls()
        body = message(notices, cluster)
        timestamp = str(int(clock.now()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: signature(key, timestamp, body),
        }
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False, ssl=tls) as answer,
            ):
                _understood(answer.status, answer.headers.get("Retry-After", ""))
        except TimeoutError:
            raise Failed(f"no answer within {PATIENCE:g} s") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise Failed("not an http or https address", again=False) from None
        except aiohttp.ClientConnectorCertificateError:
            raise Failed("its certificate is not trusted") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Failed(f"no answer ({type(error).__name__})") from None

    def _tls(self) -> ssl.SSLContext | bool:
        try:
            return ssl.create_default_context(cafile=self.target.ca_file) if self.target.ca_file else True
        except (OSError, ValueError):
            raise Failed(f"{self.target.ca_file} holds no certificates") from None


def message(notices: Sequence[Notice], cluster: str) -> bytes:
    """The body: the newest of each rollout's states among them is what holds."""
    found = [
        {
            "id": n.key,
            "kind": n.kind,
            "reason": n.reason,
            "namespace": n.namespace,
            "name": n.name,
            "rollout": n.rollout,
            "step": n.step,
            "steps": n.steps,
            "message": n.message,
            "time": int(n.time),
            "trace": n.trace,
        }
        for n in notices
    ]
    return msgspec.json.encode(_Message(1, cluster, found))


def _understood(status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    after = min(float(retry_after), 600.0) if retry_after.isdecimal() else 0.0
    again = status in (408, 425, 429) or status >= 500
    raise Failed(
        f"HTTP {status}" + (", a redirect, which is not followed" if 300 <= status < 400 else ""), again, after
    )
