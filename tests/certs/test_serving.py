"""What a replica refuses to serve. Whatever it is, the certificate before goes on being served."""

import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from certs import authority, bundle, store
from certs.protocol import Held
from certs.reload import NotYet, Serving, Unfit
from tests.certs.moments import NAMES, NOW, days, held, leaf_of, secret

Break = Callable[[Held], dict[str, Any]]


def torn(content: Held) -> dict[str, Any]:
    """The certificate of one generation with the key of another, as two reads of two files can give."""
    other = secret(held())
    other["data"][store.LEAF] = secret(content)["data"][store.LEAF]
    return other


def emptied(_: Held) -> dict[str, Any]:
    return {"metadata": {}, "data": None}


def of_another_ca(content: Held) -> dict[str, Any]:
    return secret(replace(content, leaf=held().leaf))


def without_bundle(content: Held) -> dict[str, Any]:
    return secret(replace(content, bundle=()))


def expired(content: Held) -> dict[str, Any]:
    return secret(replace(held(NOW - days(40)), key=content.key))


def not_begun(_: Held) -> dict[str, Any]:
    return secret(held(NOW + timedelta(hours=2)))


def for_other_names(_: Held) -> dict[str, Any]:
    return secret(held(names=("webhook.elsewhere.svc",)))


def cut(content: Held) -> dict[str, Any]:
    half = secret(content)
    half["data"][store.LEAF] = b64encode(bundle.text([leaf_of(content).certificate])[:200]).decode()
    return half


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (emptied, "the Secret holds no certificate yet"),
        (torn, "certificate and key cannot be read or do not belong together"),
        (cut, "certificate and key cannot be read or do not belong together"),
        (of_another_ca, "no CA in the bundle has signed the certificate"),
        (without_bundle, "no CA in the bundle has signed the certificate"),
        (expired, "the certificate is valid from 2027-01-20 11:00:00+00:00 to 2027-02-19 12:00:00+00:00"),
        (not_begun, "the certificate is valid from 2027-03-01 13:00:00+00:00 to 2027-03-31 14:00:00+00:00"),
        (for_other_names, "the certificate is not for 127.0.0.1, webhook.penstock-system.svc"),
    ],
)
def test_what_clients_would_refuse_is_refused_here_first(broken: Break, message: str) -> None:
    """A bad Secret must never cost the certificate that works."""
    serving = Serving(NAMES)
    good = held()
    assert serving.take(secret(good), NOW)
    before = serving.current
    with pytest.raises(Unfit) as refusal:
        serving.take(broken(held()), NOW)
    assert str(refusal.value) == message
    assert isinstance(refusal.value, NotYet) == (broken is emptied)
    assert serving.current is before


def test_the_same_certificate_again_changes_nothing() -> None:
    """Every write to the Secret is seen, also those that only touch the bundle."""
    serving = Serving()
    content = held()
    wider = replace(content, bundle=(*content.bundle, authority.new_ca(NOW).certificate))
    assert [serving.take(secret(each), NOW) for each in (content, content, wider, held())] == [True, False, False, True]


def test_readiness_begins_with_the_first_good_certificate() -> None:
    """Before it there is nothing to serve; after it there always is."""
    serving = Serving()
    with pytest.raises(Unfit):
        serving.take({}, NOW)
    assert not serving.ready.is_set()
    serving.take(secret(held()), NOW)
    assert serving.ready.is_set()


def test_old_tls_is_not_spoken_and_sessions_are_not_resumed() -> None:
    """A resumed session shows no certificate, so a client would not notice a rotation."""
    serving = Serving()
    serving.take(secret(held()), NOW)
    assert serving.current is not None
    found = [
        (context.minimum_version, context.num_tickets, bool(context.options & ssl.OP_NO_TICKET))
        for context in (serving.context(), serving.current.context)
    ]
    assert found == [(ssl.TLSVersion.TLSv1_2, 0, True)] * 2
