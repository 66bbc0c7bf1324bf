"""One bounded GET or POST to something that may be broken or hostile: limited in time, bytes and places.

Bytes are counted after decompression and while they come: a gigabyte of zeros is a megabyte of gzip. So the client's
own decompression is off. Redirects, the environment's proxies and cookies are never followed, used or kept. Of what
went wrong only the kind is told: an answer's text ends in conditions and Events that others may read.
"""

import errno
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

CHUNK = 64 * 1024


class Trouble(Exception):
    """No answer to use; the words are for people."""


@dataclass(frozen=True)
class Answer:
    """A whole answer of at most the bytes that were allowed."""

    status: int
    kind: str
    """The media type, in small letters, without parameters."""
    body: bytes


def session(connections: int, *, reuse: bool) -> aiohttp.ClientSession:
    """A client for `ask`. To be closed by its owner."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, force_close=not reuse),
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def ask(
    client: aiohttp.ClientSession,
    url: URL,
    *,
    seconds: float,
    cap: int,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None = None,
    form: Mapping[str, str] | None = None,
) -> Answer:
    """The answer, whatever its status but a redirect. Raises Trouble."""
    try:
        async with client.request(
            "POST" if form is not None else "GET",
            url,
            data=form,
            headers={"Accept-Encoding": "gzip", **headers},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
            ssl=tls or True,
        ) as response:
            if 300 <= response.status < 400:
                raise Trouble(f"a redirect (HTTP {response.status}), which is not followed")
            body = await _read(response, cap)
            return Answer(response.status, response.content_type.lower(), body)
    except TimeoutError:
        raise Trouble(f"no answer within {seconds:g} s") from None
    except aiohttp.ClientConnectorCertificateError:
        raise Trouble("its certificate is not trusted") from None
    except aiohttp.ClientConnectorDNSError:
        raise Trouble("its name cannot be resolved") from None
    except aiohttp.ClientConnectorError as error:
        raise Trouble(f"no connection ({_why(error.os_error)})") from None
    except (aiohttp.ClientError, OSError, ValueError, zlib.error):
        raise Trouble("the answer broke off or is no HTTP") from None


async def _read(response: aiohttp.ClientResponse, cap: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise Trouble("the answer has an encoding that was not asked for")
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    out = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        out += unpack.decompress(chunk, cap + 1 - len(out)) if unpack else chunk
        if len(out) > cap:
            raise Trouble(f"the answer is larger than {cap // 1024} KiB")
    if unpack and not unpack.eof:
        raise Trouble("the answer broke off or is no HTTP")
    return bytes(out)


def _why(error: OSError) -> str:
    """asyncio puts the address into strerror, which is no business of whoever reads."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "unreachable" if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH) else "failed"
