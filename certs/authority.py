"""Makes certification authorities and the webhook's certificate. Time is an argument; nothing is read or written.

Each CA has a name of its own and key identifiers: with two CAs of one name and without identifiers OpenSSL takes the
first one and fails when the signer is the second (measured; Go accepts it), and a bundle in the middle of a rotation is
exactly that. Certificates begin an hour ago, because nodes' clocks differ by minutes. One is renewed after two thirds
of its life, a little earlier by a fraction that its fingerprint decides: the same answer at every look, and many
clusters installed in the same minute do not renew in the same minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import bundle

BACKDATED = timedelta(hours=1)
JITTER = 0.1


@dataclass(frozen=True)
class Lifetimes:
    """How long certificates are good for; tests shorten them."""

    ca: timedelta = timedelta(days=365)
    leaf: timedelta = timedelta(days=30)


USUAL = Lifetimes()


@dataclass(frozen=True)
class Pair:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def new_ca(now: datetime, lifetimes: Lifetimes = USUAL) -> Pair:
    """A new generation of the authority. It signs leaves only, no further CA."""
    private = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = _name(f"{bundle.OURS}{serial:040x}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    builder = (
        _dated(now, now + lifetimes.ca)
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return Pair(builder.sign(private, hashes.SHA256()), private)


def new_leaf(ca: Pair, names: Sequence[str], now: datetime, lifetimes: Lifetimes = USUAL) -> Pair:
    """A server certificate for all `names`; it never outlives its CA."""
    private = ec.generate_private_key(ec.SECP256R1())
    end = min(now + lifetimes.leaf, ca.certificate.not_valid_after_utc)
    above = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _dated(now, end)
        .subject_name(_name("penstock webhook"))
        .issuer_name(ca.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([bundle.general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), critical=False)
    )
    return Pair(builder.sign(ca.key, hashes.SHA256()), private)


def renewal(certificate: x509.Certificate) -> datetime:
    """When it should be replaced."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    fraction = int(bundle.fingerprint(certificate)[:8], 16) / 0xFFFFFFFF
    return begin + (end - begin) * (2 / 3) * (1 - JITTER * fraction)


def issued(certificate: x509.Certificate) -> datetime:
    """When it was made."""
    return certificate.not_valid_before_utc + BACKDATED


def _dated(now: datetime, end: datetime) -> x509.CertificateBuilder:
    return x509.CertificateBuilder().not_valid_before(now - BACKDATED).not_valid_after(end)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
