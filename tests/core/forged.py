"""Two hundred things that a tenant may write on their own Deployment where nothing of it is theirs to write.

Made from a number alone, so that a case can be named and played again; on the model here and on a real control plane.
A forgery that is about a record is made of the one that stands there, as a tenant would do it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from penstock.core import keys
from penstock.core.record import RecordError, decode
from penstock.core.rollout import Phase

COUNT = 200
LARGE = 200 * 1024
"""Characters; all annotations of an object may have 256 KiB together."""

DEEP = "[" * 900 + "]" * 900
DEEPER = '{"a":' * 50_000 + "1" + "}" * 50_000

ODD: tuple[str, ...] = (
    "null", "true", "-1", "0", "1.5", "1e308", "NaN", "Infinity", "-Infinity", "9" * 18, "9" * 400, "9" * 5000,
    '""', '"Holding"', '"\\u0000"', '"\\ud800"', '"💥"', '"25%"', '"-5%"', '"999999999%"', '"9999999999%"', "[]", "{}",
    "[1,[2]]", DEEP, json.dumps({"a": [None]}), json.dumps("é" * 3000), "2147483646", "2147483647", "4294967296",
)  # fmt: skip
"""As they stand in JSON."""

TEXTS: tuple[str, ...] = (
    "", " ", "null", "[]", "{}", '"text"', "NaN", "-", "'; DROP", "{{ new }}", "é" * 1000, "\u202e\u0007", "💥" * 50,
    "[" * 100_000, DEEP, DEEPER, "9" * 5000, "x" * LARGE, '{"v":1}', '{"v":2,"saved":{}}', '{"v":1e400}',
    "$(reboot)", "%s%n", "<script>", "\t\r\n", "٣", "1, 1", "0%", "101%", "1h" * 700,
)  # fmt: skip

RECORD = ("uid", "id", "declared", "loose", "stable", "revision", "phase", "step", "started", "since", "target",
          "replicas", "epoch", "approved", "awaiting", "failed", "note", "owners", "saved", "v")  # fmt: skip
SAVED = ("type", "surge", "unavailable", "min_ready", "deadline", "paused")
PHASES = ("Pending", "Braking", "Opening", "Holding", "Retreating", "Rejected", "Finishing", "Leaving")
USERS = (keys.STEPS, keys.STEP_TIME, keys.WARMUP, keys.APPROVE, keys.ON_FAILURE, keys.SOURCE, keys.ERRORS, keys.SLOW,
         keys.LIMIT + "queue", keys.MAX_IMPACT, keys.FAST_ROLLBACK, keys.PREFIX + "unknown")  # fmt: skip
LABELS = ("stepping", "holding", "rejected", "finishing", "nonsense", "")

DESIRED = keys.DESIRED
ON_REPLICASETS = (keys.EVIDENCE, DESIRED, "deployment.kubernetes.io/max-replicas", keys.RECORD)


@dataclass(frozen=True)
class Case:
    """What is written: the values of some annotations and of our label; None takes it away."""

    number: int
    kind: str
    held: bool
    """In a hold; else at rest."""
    notes: Callable[[str], dict[str, str | None]]
    """The Deployment's annotations, from the record that stands there."""
    label: str | None = "as it is"
    of_replicasets: dict[str, str] | None = None

    @property
    def name(self) -> str:
        return f"{self.number}, {self.kind}, {'held' if self.held else 'at rest'}"


def case(number: int) -> Case:
    """One of them."""
    random = Random(number)
    kind, make = KINDS[number % len(KINDS)]
    held = kind in ONLY_HELD or (number // len(KINDS)) % 3 != 2
    return make(number, kind, held, random)


def cases() -> tuple[Case, ...]:
    return tuple(map(case, range(COUNT)))


def says_it_is_over(text: str) -> bool:
    """Whether a sound record says that the fields in force are the user's own."""
    try:
        return decode(text).phase in (Phase.FINISHING, Phase.LEAVING)
    except RecordError:
        return False


Maker = Callable[[int, str, bool, Random], Case]


def _record(change: Callable[[dict[str, Any], Random], str | None]) -> Maker:
    """A forgery of the record; at rest one is made up."""

    def make(number: int, kind: str, held: bool, random: Random) -> Case:
        state = random.getstate()

        def notes(text: str) -> dict[str, str | None]:
            again = Random()
            again.setstate(state)
            return {keys.RECORD: change(json.loads(text or MADE_UP), again)}

        return Case(number, kind, held, notes, label="as it is" if held else random.choice(LABELS[:4]))

    return make


MADE_UP = json.dumps(
    {
        "v": 1, "uid": "", "id": "deadbeef", "declared": "x", "loose": "x", "stable": "y", "revision": "1",
        "phase": "Holding", "step": 1, "started": 1, "since": 1, "target": 1, "replicas": 10, "epoch": 1,
        "approved": [], "awaiting": False, "failed": "", "note": "", "owners": {},
        "saved": {"type": "RollingUpdate", "surge": 9, "unavailable": 0, "min_ready": 7, "deadline": 99,
                  "paused": None},
    }
)  # fmt: skip


def _put(values: dict[str, Any], name: str, odd: str) -> str:
    """The record's text with one value as it stands in JSON, sound or not."""
    mark = "\ue000"
    target = values["saved"] if name in SAVED else values
    target[name] = mark
    return json.dumps(values).replace(json.dumps(mark), odd)


def _odd(values: dict[str, Any], random: Random) -> str:
    return _put(values, random.choice(RECORD), random.choice(ODD))


def _odd_saved(values: dict[str, Any], random: Random) -> str:
    return _put(values, random.choice(SAVED), random.choice(ODD))


def _truncated(values: dict[str, Any], random: Random) -> str:
    text = json.dumps(values)
    return text[: random.randrange(len(text))]


def _damaged(values: dict[str, Any], random: Random) -> str:
    text = json.dumps(values)
    at = random.randrange(len(text))
    return text[:at] + random.choice('"}{]:,0xé') + text[at + 1 :]


def _future(values: dict[str, Any], random: Random) -> str:
    return json.dumps({**values, "v": random.choice([0, 2, 3, 99]), "more": {"of": "it"}})


def _foreign(values: dict[str, Any], random: Random) -> str:
    return json.dumps({**values, "uid": f"{random.getrandbits(64):x}", "phase": random.choice(PHASES)})


def _oversized(values: dict[str, Any], random: Random) -> str:
    name = random.choice(["failed", "note", "revision", "declared", "id"])
    return json.dumps({**values, name: random.choice("xé\n") * (random.randint(1000, LARGE) // 2)})


def _advanced(values: dict[str, Any], random: Random) -> str:
    """A sound record that says what is not so: another phase, a later step, everything approved."""
    forged = {"phase": random.choice(PHASES), "step": random.randint(0, 9), "approved": [1, 2, 3, 4]}
    forged |= {"started": random.choice([0, 1, 4e9]), "since": random.choice([0, 1, 4e9])}
    forged |= {"target": random.choice([0, 10, 10**6]), "replicas": random.choice([0, 10, 10**6])}
    forged |= {"epoch": random.choice([0, values["epoch"], values["epoch"] + 1, 10**9])}
    return json.dumps(values | {name: forged[name] for name in random.sample(sorted(forged), 3)})


def _swapped(values: dict[str, Any], random: Random) -> str:
    return json.dumps(values | {"stable": values["declared"], "declared": values["stable"], "failed": "by hand"})


def _text(values: dict[str, Any], random: Random) -> str:
    return random.choice(TEXTS)


def _removed(values: dict[str, Any], random: Random) -> None:
    return None


def _note(*names: str) -> Maker:
    def make(number: int, kind: str, held: bool, random: Random) -> Case:
        key, value = random.choice(names), random.choice(TEXTS)
        return Case(number, kind, held, lambda _: {key: value})

    return make


def _request(number: int, kind: str, held: bool, random: Random) -> Case:
    do, odd = random.choice(["approve", "abort", "retry", "skip-to", "explode"]), random.choice(ODD)
    name = random.choice(["do", "rollout", "step", ""])

    def notes(text: str) -> dict[str, str | None]:
        values = {"do": json.dumps(do), "rollout": json.dumps(json.loads(text or MADE_UP)["id"]), "step": "1"}
        values |= {name: odd} if name else {}
        return {keys.REQUEST: "{" + ",".join(f'"{k}":{v}' for k, v in values.items()) + "}"}

    return Case(number, kind, held, notes)


def _previous(number: int, kind: str, held: bool, random: Random) -> Case:
    value = '{"template":' + random.choice(ODD) + ',"until":' + random.choice(ODD) + "}"
    return Case(number, kind, held, lambda _: {keys.PREVIOUS: value})


def _declared(number: int, kind: str, held: bool, random: Random) -> Case:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "evil", "image": "evil:1"}]}}
    value = random.choice([json.dumps(template), *TEXTS])
    return Case(number, kind, held, lambda _: {keys.DECLARED: value})


def _labelled(number: int, kind: str, held: bool, random: Random) -> Case:
    label = random.choice([None, *LABELS]) if held else random.choice(LABELS)
    return Case(number, kind, held, lambda _: {}, label=label)


def _replicaset(number: int, kind: str, held: bool, random: Random) -> Case:
    forged = {"odd": random.choice(TEXTS), "evidence": "[1," + ",".join(random.choice(ODD) for _ in range(3)) + "]"}
    keys_ = random.sample(ON_REPLICASETS, 2)
    return Case(
        number, kind, held, lambda _: {}, of_replicasets={k: forged[random.choice(list(forged))] for k in keys_}
    )


def _everything(number: int, kind: str, held: bool, random: Random) -> Case:
    """Many at once, to the limit of what an object may carry."""
    chosen = {key: random.choice(TEXTS)[:9000] for key in (*keys.OUR_ANNOTATIONS, *USERS)}
    return Case(number, kind, held, lambda _: dict(chosen), label=random.choice(LABELS[:5]))


KINDS: tuple[tuple[str, Maker], ...] = (
    ("an odd value", _record(_odd)),
    ("cut off", _record(_truncated)),
    ("another version's", _record(_future)),
    ("odd saved fields", _record(_odd_saved)),
    ("another object's", _record(_foreign)),
    ("a sound lie", _record(_advanced)),
    ("a request", _request),
    ("too large", _record(_oversized)),
    ("a damaged character", _record(_damaged)),
    ("taken away", _record(_removed)),
    ("an annotation of the user's", _note(*USERS)),
    ("the label", _labelled),
    ("versions swapped", _record(_swapped)),
    ("no record at all", _record(_text)),
    ("a former version", _previous),
    ("a declared template", _declared),
    ("on ReplicaSets", _replicaset),
    ("everything at once", _everything),
)
ONLY_HELD = frozenset({"taken away", "versions swapped"})
