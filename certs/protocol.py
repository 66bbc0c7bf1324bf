"""What to do next with the certificates, as a pure function of what stands in the Secret and in the configurations.

Replacing a CA in one go drops calls: each API server has its own cache of the webhook configurations, each replica its
own certificate, and nobody switches at the same moment. So trust goes first: the new CA is published beside the old
one, then every configuration trusts both, then some time passes, and only then a certificate of the new CA is served.
The old CA leaves last, when every replica was seen with the new certificate.

Nothing is remembered between two looks except for how long trust has been seen complete; forgetting it (a new leader)
only makes the rotation wait once more. A first installation is the same path with nothing to wait for, and so is every
emergency (Secret lost, expired, restored from a backup): a CA of ours that the API server still trusts is adopted,
because replicas may be serving a certificate of it from memory.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs import authority, bundle
from certs.authority import USUAL, Lifetimes, Pair
from certs.bundle import Bundle

TRUST_WAIT = 120.0
"""Seconds between "every configuration trusts the new CA" and the first certificate of it."""

DROP_AFTER = timedelta(hours=24)
LOOK_AGAIN = 600.0


class Action(enum.StrEnum):
    PUBLISH = "Publish"  # a new CA joins the bundle in the Secret
    TIDY = "Tidy"  # the bundle in the Secret loses what expired and gains what is trusted
    TRUST = "Trust"  # the configurations get the bundle
    ISSUE = "Issue"  # a new certificate for the webhook
    ASK = "Ask"  # which certificates do the replicas serve?
    DROP = "Drop"  # the configurations, then the Secret, lose the CAs that are not used any more
    REST = "Rest"  # nothing, for some seconds


@dataclass(frozen=True)
class Held:
    """What the Secret holds. The key is the signing CA's; CAs whose key is gone are still trusted."""

    bundle: Bundle = ()
    key: ec.EllipticCurvePrivateKey | None = None
    leaf: Pair | None = None

    @property
    def signer(self) -> Pair | None:
        """The CA that signs."""
        for member in self.bundle:
            if self.key is not None and bundle.matches(member, self.key):
                return Pair(member, self.key)
        return None


@dataclass(frozen=True)
class State:
    """One look. `trusted` has the caBundle of every webhook entry, `trusted_for` the seconds since all were right."""

    held: Held
    trusted: tuple[bytes, ...]
    names: tuple[str, ...]
    trusted_for: float = 0.0
    served: frozenset[str] | None = None
    """Fingerprints of the certificates that replicas serve; None: not asked."""


@dataclass(frozen=True)
class Step:
    """What to do, why, what the bundle shall be afterwards, and for REST how long nothing will change by itself."""

    action: Action
    reason: str
    bundle: Bundle = ()
    wait: float = 0.0


def plan(state: State, now: datetime, trust_wait: float = TRUST_WAIT) -> Step:
    """The first thing that is not as it should be."""
    for question in QUESTIONS:
        step = question(state, now, trust_wait)
        if step is not None:
            return step
    raise AssertionError("the last question always has an answer")


def performed(step: Step, state: State, now: datetime, lifetimes: Lifetimes = USUAL) -> Held:
    """What the Secret shall hold after a step."""
    held = state.held
    match step.action:
        case Action.PUBLISH:
            ca = authority.new_ca(now, lifetimes)
            return Held(bundle.ordered((*step.bundle, ca.certificate)), ca.key, held.leaf)
        case Action.TIDY | Action.DROP:
            return Held(step.bundle, held.key, held.leaf)
        case Action.ISSUE if held.signer is not None:
            return Held(held.bundle, held.key, authority.new_leaf(held.signer, state.names, now, lifetimes))
    return held


def _no_authority(state: State, now: datetime, _: float) -> Step | None:
    signer = state.held.signer
    if signer is not None and bundle.valid(signer.certificate, now):
        return None
    kept = _limited(_known(state, now), state.held, bundle.LONGEST - 1)
    return Step(Action.PUBLISH, "there is no authority that could sign", kept)


def _untidy(state: State, now: datetime, _: float) -> Step | None:
    wanted = _limited(_known(state, now), state.held, bundle.LONGEST)
    if wanted == state.held.bundle:
        return None
    return Step(Action.TIDY, "the bundle is not what is valid and trusted", wanted)


def _not_trusted(state: State, _now: datetime, _: float) -> Step | None:
    wanted = bundle.text(state.held.bundle)
    wrong = sum(trusted != wanted for trusted in state.trusted)
    if not wrong:
        return None
    return Step(Action.TRUST, f"{wrong} of {len(state.trusted)} webhooks do not trust the bundle", state.held.bundle)


def _leaf_unfit(state: State, now: datetime, trust_wait: float) -> Step | None:
    problem = _problem(state, now)
    if problem is None:
        return None
    left = trust_wait - state.trusted_for
    if _replaces_an_authority(state.held) and left > 0:
        return Step(Action.REST, f"{problem}; every API server shall know the new authority first", wait=left)
    return Step(Action.ISSUE, problem)


def _authority_due(state: State, now: datetime, _: float) -> Step | None:
    signer = state.held.signer
    if signer is None or now < authority.renewal(signer.certificate) or len(state.held.bundle) >= bundle.LONGEST:
        return None
    return Step(Action.PUBLISH, "two thirds of the authority's life are over", state.held.bundle)


def _old_authority(state: State, now: datetime, _: float) -> Step | None:
    held = state.held
    if len(held.bundle) < 2 or held.leaf is None or held.signer is None:
        return None
    left = authority.issued(held.leaf.certificate) + DROP_AFTER - now
    if left > timedelta():
        return Step(Action.REST, "the former authority stays trusted for a day", wait=left.total_seconds())
    if state.served is None:
        return Step(Action.ASK, "do all replicas serve the new certificate?")
    if state.served != {bundle.fingerprint(held.leaf.certificate)}:
        return Step(Action.REST, "not every replica serves the new certificate", wait=LOOK_AGAIN)
    return Step(Action.DROP, "every replica serves the new certificate", (held.signer.certificate,))


def _at_rest(state: State, now: datetime, _: float) -> Step:
    signer, leaf = state.held.signer, state.held.leaf
    due = [authority.renewal(pair.certificate) for pair in (signer, leaf) if pair is not None]
    wait = max(min(due, default=now) - now, timedelta(seconds=1))
    return Step(Action.REST, "all is as it should be", wait=wait.total_seconds())


Question = Callable[[State, datetime, float], Step | None]

QUESTIONS: tuple[Question, ...] = (
    _no_authority,  # make one: nothing else can be repaired without it
    _untidy,  # adopt what is trusted, forget what is over
    _not_trusted,  # before any certificate changes
    _leaf_unfit,  # missing, of another authority, for other names, due
    _authority_due,  # publish the next one
    _old_authority,  # say good-bye
    _at_rest,
)


def _problem(state: State, now: datetime) -> str | None:
    """Why the webhook needs another certificate."""
    held = state.held
    if held.leaf is None:
        return "there is no certificate"
    leaf = held.leaf.certificate
    missing = {str(bundle.general_name(name).value) for name in state.names} - bundle.names(leaf)
    if missing:
        return f"the certificate is not for {', '.join(sorted(missing))}"
    if not bundle.valid(leaf, now):
        return "the certificate is not valid now"
    if _replaces_an_authority(held):
        return "the certificate is of a former authority"
    return "two thirds of the certificate's life are over" if now >= authority.renewal(leaf) else None


def _replaces_an_authority(held: Held) -> bool:
    """Whether the next certificate comes from a CA that replicas and API servers may not know yet."""
    if held.leaf is None:
        return len(held.bundle) > 1
    signer = held.signer
    return signer is None or bundle.issuer(held.leaf.certificate, held.bundle) != signer.certificate


def _known(state: State, now: datetime) -> Bundle:
    """Every valid CA of ours in the Secret, and those that the API server trusts."""
    trusted = (member for pem in state.trusted for member in bundle.certificates(pem) if bundle.ours(member))
    return bundle.ordered(member for member in (*state.held.bundle, *trusted) if bundle.valid(member, now))


def _limited(members: Bundle, held: Held, most: int) -> Bundle:
    """At most so many: those in use, then the newest."""
    in_use: list[x509.Certificate | None] = [held.signer.certificate if held.signer else None]
    in_use.append(bundle.issuer(held.leaf.certificate, members) if held.leaf else None)
    first = [member for member in dict.fromkeys(in_use) if member in members]
    rest = [member for member in reversed(members) if member not in first]
    return bundle.ordered([*first, *rest][:most])
