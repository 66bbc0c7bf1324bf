"""How a receiver knows that a message is ours and new: HMAC-SHA256 over the time and the body.

The time is signed too, or a recorded message could be sent again for ever.
"""

import hashlib
import hmac

TIMESTAMP, SIGNATURE = "Penstock-Timestamp", "Penstock-Signature"
TOLERANCE = 300
"""Seconds by which a receiver's clock may differ from ours."""


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """The header's value."""
    return "v1=" + hmac.new(key, timestamp.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()


def genuine(key: bytes, timestamp: str, body: bytes, found: str, now: float) -> bool:
    """What a receiver asks."""
    if not (timestamp.isascii() and timestamp.isdecimal() and abs(now - int(timestamp)) <= TOLERANCE):
        return False
    return hmac.compare_digest(signature(key, timestamp, body).encode(), found.encode())
