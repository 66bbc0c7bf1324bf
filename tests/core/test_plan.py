"""Every annotation of the vocabulary: good values, and bad ones with the exact sentence that refuses them."""

from typing import Any

import pytest

from penstock.core import keys, plan, queries
from penstock.core.plan import Check, Plan, Request, Step, StepTime
from penstock.core.units import AnnotationError

LIMIT = keys.LIMIT + "queue"
ASKED = '{"do": "approve", "rollout": "3f2a9c1e", "step": 1}'

GOOD: list[tuple[str, str, Any]] = [
    (keys.STEPS, "1, 25%, 50%", (Step(1, False), Step(25, True), Step(50, True))),
    (keys.STEPS, "100%", (Step(100, True),)),
    (keys.STEPS, "5,10%,6", (Step(5, False), Step(10, True), Step(6, False))),
    (keys.STEP_TIME, "1m..10m", StepTime(60, 600)),
    (keys.STEP_TIME, "15s .. 1m", StepTime(15, 60)),
    (keys.STEP_TIME, "5s..5s", StepTime(5, 5)),
    (keys.STEP_TIME, "30s", StepTime(30, 600)),
    (keys.STEP_TIME, "1h", StepTime(3600, 3600)),
    (keys.WARMUP, "90s", 90.0),
    (keys.MAX_IMPACT, "2%", 0.02),
    (keys.APPROVE, "never", ("never",)),
    (keys.APPROVE, "each", ("each",)),
    (keys.APPROVE, "last", ("last",)),
    (keys.APPROVE, "1, 050%", ("1", "50%")),
    (keys.ON_FAILURE, "pause", "pause"),
    (keys.ON_INCONCLUSIVE, "advance", "advance"),
    (keys.SOURCE, "pods", "pods"),
    (keys.FAST_ROLLBACK, "2h", 7200.0),
    (keys.FAST_ROLLBACK, "0s", 0.0),
    (keys.REQUEST, ASKED, Request("approve", "3f2a9c1e", 1)),
    (keys.REQUEST, '{"step":20,"rollout":"","do":"skip-to"}', Request("skip-to", "", 20)),
]

STEPS_EXAMPLE = 'example: "1, 25%, 50%"'
TIME_EXAMPLE = 'example: "1m..10m"'
REQUEST_EXAMPLE = f"example: {ASKED}"

BAD = [
    (keys.STEPS, "", f'column 1: "" is neither a number of pods nor a percentage from 1% to 100%; {STEPS_EXAMPLE}'),
    (
        keys.STEPS,
        "1, 0%",
        f'column 4: "0%" is neither a number of pods nor a percentage from 1% to 100%; {STEPS_EXAMPLE}',
    ),
    (
        keys.STEPS,
        "10%,, 50%",
        f'column 5: "" is neither a number of pods nor a percentage from 1% to 100%; {STEPS_EXAMPLE}',
    ),
    (
        keys.STEPS,
        "  1, half",
        f'column 6: "half" is neither a number of pods nor a percentage from 1% to 100%; {STEPS_EXAMPLE}',
    ),
    (keys.STEPS, "50%, 25%", f'column 6: "25%" does not increase; percentages must grow; {STEPS_EXAMPLE}'),
    (keys.STEPS, "2, 10%, 2", f'column 9: "2" does not increase; numbers of pods must grow; {STEPS_EXAMPLE}'),
    (keys.STEPS, ", ".join(map(str, range(1, 22))), f"column 1: 21 steps; allowed: at most 20; {STEPS_EXAMPLE}"),
    (
        keys.STEP_TIME,
        "soon",
        f'column 1: "soon" is not a duration; allowed: whole numbers with h, m, s, ms; {TIME_EXAMPLE}',
    ),
    (
        keys.STEP_TIME,
        "1m.. x",
        f'column 6: "x" is not a duration; allowed: whole numbers with h, m, s, ms; {TIME_EXAMPLE}',
    ),
    (
        keys.STEP_TIME,
        "1m..",
        f'column 5: "" is not a duration; allowed: whole numbers with h, m, s, ms; {TIME_EXAMPLE}',
    ),
    (
        keys.STEP_TIME,
        " 10m..1m",
        f'column 7: the longest stay "1m" is shorter than the shortest "10m"; {TIME_EXAMPLE}',
    ),
    (
        keys.WARMUP,
        "60",
        'column 1: "60" is not a duration; allowed: whole numbers with h, m, s, ms; example: "60s"',
    ),
    (keys.MAX_IMPACT, "0.05", 'column 1: "0.05" is not a percentage; allowed: 1% to 100%; example: "5%"'),
    (
        keys.APPROVE,
        "25%, always",
        'column 6: "always" is not a step; allowed: never, each, last, or steps as in penstock.dev/steps; '
        'example: "25%, 50%"',
    ),
    (
        keys.APPROVE,
        "never, 1",
        'column 1: "never" is not a step; allowed: never, each, last, or steps as in penstock.dev/steps; '
        'example: "25%, 50%"',
    ),
    (keys.ON_FAILURE, "stop", 'column 1: "stop" is not known; allowed: rollback, pause; example: "rollback"'),
    (
        keys.ON_INCONCLUSIVE,
        "Hold",
        'column 1: "Hold" is not known; allowed: hold, advance, rollback; example: "hold"',
    ),
    (
        keys.SOURCE,
        "graphite",
        'column 1: "graphite" is not known; allowed: auto, prometheus, pods, none; example: "auto"',
    ),
    (
        keys.FAST_ROLLBACK,
        "never",
        'column 1: "never" is not a duration; allowed: whole numbers with h, m, s, ms; '
        'example: "1h", or "0s" for never',
    ),
    (
        keys.ERRORS,
        " bad all",
        "column 6: expected '/' between two selectors, found \"all\"; "
        """example: 'http_requests_total{code=~"5.."} / http_requests_total'""",
    ),
    (
        keys.SLOW,
        "latency > 1",
        'column 11: "1" is not a duration; allowed: whole numbers with h, m, s, ms; '
        "example: 'http_request_duration_seconds > 250ms'",
    ),
    (
        LIMIT,
        "queue",
        "column 5: expected a query, then <, <=, > or >=, a number, and optionally 'for N'; "
        "example: 'max(queue_length) < 500 for 3'",
    ),
    (keys.REQUEST, "approve", f"column 1: this is not JSON; {REQUEST_EXAMPLE}"),
    (keys.REQUEST, '{"do": approve}', f"column 8: this is not JSON; {REQUEST_EXAMPLE}"),
    (keys.REQUEST, "[" * 2048, f"column 1: this is not JSON; {REQUEST_EXAMPLE}"),
    (keys.REQUEST, "[]", f"column 1: expected an object with exactly do, rollout and step; {REQUEST_EXAMPLE}"),
    (
        keys.REQUEST,
        '{"do":"approve"}',
        f"column 1: expected an object with exactly do, rollout and step; {REQUEST_EXAMPLE}",
    ),
    (
        keys.REQUEST,
        '{"do":"promote","rollout":"a","step":1}',
        f'column 1: do is "promote"; allowed: approve, abort, retry, skip-to; {REQUEST_EXAMPLE}',
    ),
    (
        keys.REQUEST,
        '{"do":["approve"],"rollout":"a","step":1}',
        f"""column 1: do is "no text"; allowed: approve, abort, retry, skip-to; {REQUEST_EXAMPLE}""",
    ),
    *(
        (
            keys.REQUEST,
            f'{{"do":"approve","rollout":{rollout},"step":{step}}}',
            f"column 1: rollout must be a string, step a number from 0 to 20; {REQUEST_EXAMPLE}",
        )
        for rollout, step in (("1", "1"), ('"a"', '"1"'), ('"a"', "true"), ('"a"', "-1"), ('"a"', "21"), ('"a"', "1.0"))
    ),
    (keys.STEPS, "1," * 1025, 'column 1: 2050 characters; allowed: at most 2048; example: "1,1,1,1,1,1,1,1,1,1,..."'),
    (
        keys.PREFIX + "step",
        "1",
        "column 1: there is no such annotation; known: steps, step-time, warmup, errors, slow, max-impact, approve, "
        "on-failure, on-inconclusive, source, fast-rollback, limit.NAME; example: penstock.dev/steps: "
        '"1, 25%, 50%"',
    ),
    (
        keys.LIMIT,
        "a < 5",
        'column 1: "" is not a name for a limit; allowed: a-z, 0-9, -; example: limit.queue',
    ),
    (
        keys.LIMIT + "Queue",
        "a < 5",
        'column 1: "Queue" is not a name for a limit; allowed: a-z, 0-9, -; example: limit.queue',
    ),
]


@pytest.mark.parametrize(("key", "text", "read"), GOOD)
def test_a_good_value_is_read(key: str, text: str, read: object) -> None:
    """Blanks around it come with YAML and mean nothing."""
    plan.check(key, f"  {text} ")
    assert plan.parser(key)(text) == read


@pytest.mark.parametrize(("key", "text", "message"), BAD)
def test_a_bad_value_is_refused_with_its_place_and_an_example(key: str, text: str, message: str) -> None:
    """The column is counted in the value as written, blanks in front included."""
    with pytest.raises(AnnotationError) as refused:
        plan.check(key, text)
    assert str(refused.value) == f"{key}, {message}"


def test_the_tables_of_this_file_name_every_annotation() -> None:
    """A new key without a bad value here would be refused with a sentence nobody has read."""
    assert {key for key, _, _ in BAD} >= {*plan.PARSERS, LIMIT}
    assert set(plan.PARSERS) == {*keys.USER_ANNOTATIONS, keys.REQUEST}


def test_without_annotations_the_plan_is_the_documented_one() -> None:
    """The label alone is enough to start."""
    assert plan.plan({}, {}) == Plan(
        steps=(Step(10, True), Step(25, True), Step(50, True)),
        step_time=StepTime(60, 600),
        approve=("never",),
        on_failure="rollback",
        on_inconclusive="hold",
        fast_rollback=3600,
        warmup=60,
        max_impact=0.05,
        source="auto",
        checks=(),
    )


def test_the_workload_has_the_last_word_over_its_namespace() -> None:
    """Key by key: what the workload leaves out, the namespace says."""
    workload = {keys.STEPS: " 1 ", keys.ON_FAILURE: "pause", LIMIT: "a < 5", "app": "web"}
    namespace = {
        keys.STEPS: "50%",
        keys.STEP_TIME: "15s..60s",
        keys.APPROVE: "last",
        keys.FAST_ROLLBACK: "2h",
        keys.WARMUP: "5s",
        keys.MAX_IMPACT: "1%",
        keys.SOURCE: "pods",
        keys.ON_INCONCLUSIVE: "rollback",
        keys.ERRORS: "a / b",
        keys.SLOW: "c",
        LIMIT: "b < 5",
    }
    assert plan.plan(workload, namespace) == Plan(
        steps=(Step(1, False),),
        step_time=StepTime(15, 60),
        approve=("last",),
        on_failure="pause",
        on_inconclusive="rollback",
        fast_rollback=7200,
        warmup=5,
        max_impact=0.01,
        source="pods",
        checks=(
            Check("errors", queries.errors("a / b")),
            Check("limit.queue", queries.limit("a < 5")),
            Check("slow", queries.slow("c")),
        ),
    )


def test_our_own_annotations_are_no_part_of_the_plan() -> None:
    """A request that cannot be read must not stop the rollout; it is answered where requests are."""
    assert plan.plan(dict.fromkeys(keys.OUR_ANNOTATIONS, "no plan")) == Plan()


def test_a_bad_value_of_the_namespace_counts_only_where_the_workload_has_none() -> None:
    """Correcting it on the workload must be enough."""
    assert plan.plan({keys.STEPS: "1"}, {keys.STEPS: "bad"}) == Plan(steps=(Step(1, False),))
    with pytest.raises(AnnotationError, match=r"^penstock.dev/steps, column 1: "):
        plan.plan({}, {keys.STEPS: "bad"})


@pytest.mark.parametrize(
    ("own", "namespace", "column"),
    [
        ({keys.APPROVE: "10%, 33%"}, {}, 6),
        ({keys.APPROVE: "33%"}, {keys.STEPS: "1, 50%"}, 1),
        ({keys.STEPS: "1, 50%"}, {keys.APPROVE: "33%"}, 1),
    ],
)
def test_an_approval_at_a_step_that_does_not_exist_is_no_plan(
    own: dict[str, str], namespace: dict[str, str], column: int
) -> None:
    """Nobody would be asked, where somebody wanted to be: the rollout waits for the correction instead."""
    with pytest.raises(
        AnnotationError, match=rf"^penstock.dev/approve, column {column}: 33% is not one of the steps 1"
    ):
        plan.plan(own, namespace)
    assert plan.plan({**own, keys.STEPS: "10%, 33%"}, namespace).steps == (Step(10, True), Step(33, True))


def test_a_workload_has_ten_checks_at_most() -> None:
    """Each is a query every few seconds, and all workloads share the source."""
    limits = {f"{keys.LIMIT}n{number}": "a < 5" for number in range(11)}
    assert len(plan.plan(dict(list(limits.items())[:10])).checks) == 10
    with pytest.raises(AnnotationError, match="11 metric checks; allowed: at most 10"):
        plan.plan(limits)
