"""Certificates for TLS tests. The CA is as plain as old clusters' are: no key usage, no key identifiers."""

import base64
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        kind = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())

    @property
    def data(self) -> str:
        return base64.b64encode(self.pem).decode()

    @property
    def key_data(self) -> str:
        return base64.b64encode(self.key_pem).decode()


def authority(name: str = "kubernetes") -> Pair:
    """A self-signed CA."""
    return _signed(name, None, x509.BasicConstraints(ca=True, path_length=None))


def leaf(ca: Pair, name: str, address: str | None = None) -> Pair:
    """Signed by `ca`; with an IP address as its only subject alternative name, or none."""
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]) if address else None
    return _signed(name, ca, names)


def _signed(name: str, ca: Pair | None, extension: x509.ExtensionType | None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.certificate.subject if ca else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return Pair(builder.sign(ca.key if ca else key, hashes.SHA256()), key)


def serving(directory: Path, pair: Pair, clients: Pair | None = None) -> ssl.SSLContext:
    """A server's context; with `clients` it demands certificates signed by that CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (directory / "leaf.pem").write_bytes(pair.pem + pair.key_pem)
    context.load_cert_chain(directory / "leaf.pem")
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem.decode())
    return context
