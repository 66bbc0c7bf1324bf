"""A certificate authority for one sandbox.

Client certificates name every component the way kubeadm does (`system:node:…` in `system:nodes` and so on), so
RBAC and the node authorizer treat them as on a real cluster; one shared all-powerful token would hide every
missing permission. Elliptic keys, because making a dozen RSA keys would take longer than starting etcd.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=365)
BACKDATED = datetime.timedelta(hours=1)
"""A clock that is set back a little must not make the cluster invalid."""


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """The sandbox's authority: its directory, certificate and key."""

    directory: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        """What others verify with."""
        return ca_file(self.directory)

    def client(self, file: str, user: str, group: str = "") -> Pair:
        """A certificate by which a client is USER in GROUP."""
        names = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        return self._issue(file, x509.Name(names), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def server(self, file: str, names: list[str]) -> Pair:
        """A certificate under which all of NAMES, addresses or DNS names, can be served."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
        return self._issue(file, subject, ExtendedKeyUsageOID.SERVER_AUTH, [_general(name) for name in names])

    def _issue(
        self, file: str, subject: x509.Name, usage: x509.ObjectIdentifier, names: list[x509.GeneralName]
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self.certificate.subject, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return _write(self.directory, file, builder.sign(self.key, hashes.SHA256()), key)


def create(directory: Path) -> Authority:
    """A new authority, its files in DIRECTORY."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "penstock-sandbox")])
    builder = _builder(name, name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    _write(directory, "ca", certificate, key)
    return Authority(directory, certificate, key)


def ca_file(directory: Path) -> Path:
    """The authority's certificate."""
    return directory / "ca.crt"


def signing_key(directory: Path) -> Path:
    """A key pair for ServiceAccount tokens: NAME.key, and NAME.pub for who verifies them."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (directory / "tokens.pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return _write_key(directory / "tokens.key", key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFE)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(directory: Path, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    written = directory / f"{file}.crt"
    written.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Pair(written, _write_key(directory / f"{file}.key", key))


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    file.touch(mode=0o600)
    # EC keys must be in SEC1 form for ServiceAccount tokens: kube-controller-manager reads no PKCS #8 EC key there.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return file
