"""The certificate that the webhook serves now, exchanged as a whole while connections come in.

`load_cert_chain` on a context in use is the usual advice and drops traffic: between certificate and key it is neither
the old pair nor the new one, and a pair that does not fit leaves it broken for good (measured: 50 of 50 later
handshakes failed). So each certificate gets a context of its own, made and verified first, and each handshake takes
the one that is current then; that is one assignment, and it works for clients that send no server name too. What does
not fit is refused, and the former certificate goes on being served.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from certs import bundle, store
from certs.authority import Pair


class Unfit(Exception):
    """Why a Secret gives no certificate to serve."""


class NotYet(Unfit):
    """It holds none: the installation is new, or a rotation is at the point before the certificate."""


@dataclass(frozen=True)
class Served:
    """A context and the certificate in it."""

    context: ssl.SSLContext
    certificate: x509.Certificate

    @property
    def not_after(self) -> float:
        """Unix time of its end."""
        return self.certificate.not_valid_after_utc.timestamp()


class Serving:
    """Takes Secrets, gives contexts. `ready` is set with the first good certificate and stays set."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.current: Served | None = None
        self.ready = asyncio.Event()
        self._names = tuple(names)

    def take(self, secret: Mapping[str, Any], now: datetime | None = None) -> bool:
        """Serve the certificate in a Secret from now on; False if it is served already. Raises Unfit."""
        pair = _verified(secret, self._names, now or datetime.now(UTC))
        if self.current is not None and self.current.certificate == pair.certificate:
            return False
        self.current = Served(_context(pair), pair.certificate)
        self.ready.set()
        return True

    def context(self) -> ssl.SSLContext:
        """The context to listen with. It has no certificate; every handshake is handed over to the current one."""
        outer = _bare_context()

        def exchange(handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext) -> int | None:
            if self.current is None:
                return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
            handshake.context = self.current.context
            return None

        outer.sni_callback = exchange
        return outer


def _verified(secret: Mapping[str, Any], names: Sequence[str], now: datetime) -> Pair:
    """What clients would find wrong, found before they do."""
    if not store.part(secret, store.LEAF):
        raise NotYet("the Secret holds no certificate yet")
    held = store.decode(secret)
    if held.leaf is None:
        raise Unfit("certificate and key cannot be read or do not belong together")
    leaf = held.leaf.certificate
    if bundle.issuer(leaf, held.bundle) is None:
        raise Unfit("no CA in the bundle has signed the certificate")
    if not bundle.valid(leaf, now):
        raise Unfit(f"the certificate is valid from {leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}")
    missing = {str(bundle.general_name(name).value) for name in names} - bundle.names(leaf)
    if missing or not bundle.names(leaf):
        raise Unfit(f"the certificate is not for {', '.join(sorted(missing)) or 'any name'}")
    return held.leaf


def _context(pair: Pair) -> ssl.SSLContext:
    context = _bare_context()
    # The module loads from files only. This one lives for a millisecond, readable by us alone, on a memory file system
    # in the cluster.
    with tempfile.NamedTemporaryFile() as file:
        file.write(bundle.key_text(pair.key) + bundle.text([pair.certificate]))
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise Unfit(f"OpenSSL refuses it: {error}") from error
    return context


def _bare_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A resumed session shows no certificate: a client could go on for hours without having seen the new one.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    return context
