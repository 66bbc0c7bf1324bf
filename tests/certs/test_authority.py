"""The certificates themselves, judged by OpenSSL as clients judge them."""

import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certs import authority, bundle
from certs.authority import Lifetimes
from certs.protocol import Held
from certs.reload import Serving
from tests.certs.moments import NAMES, NOW, days, secret


def shown(serving: Serving, trusted: bytes, name: str) -> x509.Certificate:
    """A whole TLS handshake in memory, with a strict client; the certificate that it saw."""
    client = ssl.create_default_context(cadata=trusted.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    unfinished = [here, serving.context().wrap_bio(to_server, to_client, server_side=True)]
    while unfinished:
        for side in list(unfinished):
            try:
                side.do_handshake()
                unfinished.remove(side)
            except ssl.SSLWantReadError:
                continue
    return x509.load_der_x509_certificate(here.getpeercert(binary_form=True) or b"")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("signer", [0, 1])
def test_a_certificate_is_accepted_whichever_ca_of_the_bundle_signed_it(name: str, signer: int) -> None:
    """In the middle of a rotation the bundle has two; with equal names OpenSSL would try the first one only."""
    now = datetime.now(UTC)
    generations = [authority.new_ca(now), authority.new_ca(now)]
    members = tuple(ca.certificate for ca in generations)
    leaf = authority.new_leaf(generations[signer], NAMES, now)
    serving = Serving(NAMES)
    serving.take(secret(Held(members, generations[signer].key, leaf)))
    assert shown(serving, bundle.text(members), name) == leaf.certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(serving, bundle.text([members[1 - signer]]), name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(serving, bundle.text(members), "another.svc")


def test_dates_leave_room_for_clocks_and_no_leaf_outlives_its_ca() -> None:
    """A node an hour behind must not refuse a new certificate; a leaf beyond its CA's end would be invalid unseen."""
    ca = authority.new_ca(NOW)
    leaf = authority.new_leaf(ca, NAMES, NOW)
    late = authority.new_leaf(ca, NAMES, NOW + days(350))
    found = [
        (pair.certificate.not_valid_before_utc - NOW, pair.certificate.not_valid_after_utc - NOW)
        for pair in (ca, leaf, late)
    ]
    hour = days(1) / 24
    assert found == [(-hour, days(365)), (-hour, days(30)), (days(350) - hour, days(365))]


def test_renewal_comes_after_two_thirds_of_life_or_a_little_earlier_but_not_at_one_moment() -> None:
    """Jitter of at most a tenth, and the same answer at every look: it comes from the certificate itself."""
    life = 30 + 1 / 24
    dues = [authority.renewal(authority.new_ca(NOW, Lifetimes(ca=days(30))).certificate) for _ in range(20)]
    ages = [(due - NOW) / days(1) + 1 / 24 for due in dues]
    assert life * 0.6 <= min(ages) < max(ages) <= life * 2 / 3
    one = authority.new_ca(NOW).certificate
    assert authority.renewal(one) == authority.renewal(one)


def test_no_two_authorities_share_a_name_and_all_are_known_as_ours() -> None:
    """What adopts a CA from a configuration tells ours from a stranger's by the name."""
    made = [authority.new_ca(NOW).certificate for _ in range(3)]
    leaf = authority.new_leaf(authority.new_ca(NOW), NAMES, NOW).certificate
    assert len({ca.subject.rfc4514_string() for ca in made}) == 3
    assert [bundle.ours(certificate) for certificate in (*made, leaf)] == [True, True, True, False]
    assert bundle.names(leaf) == {"webhook.penstock-system.svc", "127.0.0.1"}
