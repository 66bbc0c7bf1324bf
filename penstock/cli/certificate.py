"""Until when a certificate is valid, read from its DER: the standard library shows that only for CAs, and only after it
has trusted them. Nothing is verified here; that is the API server's affair, and `doctor` asks it.
"""

import binascii
import re
from base64 import b64decode
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)

SEQUENCE, VERSION, UTC_TIME, GENERALIZED = 0x30, 0xA0, 0x17, 0x18


def blocks(pem: bytes) -> set[bytes]:
    """The certificates of a text, to be compared. While one CA replaces another, two bundles share only some."""
    return {b"".join(body.split()) for body in _PEM.findall(pem)}


def ends(pem: bytes) -> list[float]:
    """When each certificate of a text ends, in seconds since 1970; those that cannot be read are left out."""
    found = []
    for body in _PEM.findall(pem):
        try:
            found.append(_end(b64decode(body)))
        except (ValueError, IndexError, binascii.Error):
            continue
    return found


def _end(der: bytes) -> float:
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)  # what is signed
    tag, _, after = _element(rest)
    rest = after if tag == VERSION else rest
    for _ in ("serial number", "algorithm", "issuer"):
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != SEQUENCE:
        raise ValueError("no validity where it should be")
    _, _, rest = _element(validity)  # not before
    tag, text, _ = _element(rest)
    form = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED: "%Y%m%d%H%M%SZ"}[tag]
    return datetime.strptime(text.decode(), form).replace(tzinfo=UTC).timestamp()


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what comes after it."""
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("cut off")
    return data[0], data[start : start + length], data[start + length :]
