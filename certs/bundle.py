"""Certificates as text and as a bundle: what the API server is told to trust, oldest first.

A bundle has more than one member only while one CA replaces another. Its bytes are compared with what stands in the
webhook configurations, so the same members always give the same bytes. Texts come from a Secret that anybody with the
right may have edited; what cannot be read is nothing, and never an exception in the middle of a rotation.
"""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Bundle = tuple[x509.Certificate, ...]

OURS = "penstock webhook CA "
"""How the common name of every CA of ours begins; its serial number follows, so that no two share a name."""

LONGEST = 3
"""Members of a bundle: the one being left, the one in use, the one to come."""


def certificates(pem: bytes) -> Bundle:
    """The certificates in a text; none if any part of it cannot be read."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem)) if pem.strip() else ()
    except (ValueError, UnsupportedAlgorithm):
        return ()


def key(pem: bytes) -> ec.EllipticCurvePrivateKey | None:
    """A private key of the kind we make."""
    try:
        found = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def text(members: Iterable[x509.Certificate]) -> bytes:
    """The PEM of a bundle."""
    return b"".join(member.public_bytes(serialization.Encoding.PEM) for member in members)


def key_text(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The PEM of a key, PKCS 8 without a password: whoever reads the Secret could read the password too."""
    plain = serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def ordered(members: Iterable[x509.Certificate]) -> Bundle:
    """Each once, the oldest first."""
    return tuple(sorted(dict.fromkeys(members), key=lambda member: (member.not_valid_before_utc, fingerprint(member))))


def valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether `now` lies within its dates."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def ours(certificate: x509.Certificate) -> bool:
    """Whether a release of ours made this CA. Judged by its name: whoever can write it there is trusted already."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return bool(names) and str(names[0].value).startswith(OURS)


def matches(certificate: x509.Certificate, private: ec.EllipticCurvePrivateKey) -> bool:
    """Whether a key belongs to a certificate."""
    return certificate.public_key() == private.public_key()


def issuer(certificate: x509.Certificate, members: Bundle) -> x509.Certificate | None:
    """The member that signed a certificate. The signature decides, not the name."""
    for member in members:
        try:
            certificate.verify_directly_issued_by(member)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return member
    return None


def names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names and addresses that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(str(name.value) for name in found if isinstance(name, x509.DNSName | x509.IPAddress))


def general_name(name: str) -> x509.GeneralName:
    """A name as a certificate holds it: addresses are a kind of their own, and Go compares them as such."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def fingerprint(certificate: x509.Certificate) -> str:
    """A name for exactly this certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()
