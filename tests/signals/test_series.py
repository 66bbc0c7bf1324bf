"""Metrics are an API too: one list says what there is, and both processes have just that."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from certs.metrics import Metrics
from controller.telemetry import Telemetry as Controller
from penstock.core.admission import Request
from penstock.core.counters import Count
from penstock.core.decide import decide
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from penstock.core.verdict import Numbers, State, Verdict
from penstock.signals import instruments, series
from penstock.signals.series import Kind, Series
from tests.core.seen import observation
from tests.core.shop import record
from webhook.review import Answer
from webhook.telemetry import Telemetry as Webhook

FAILING = Verdict("errors", State.FAIL, "more errors", numbers=Numbers(120.0, 100.0, new=Count(100, 9)))
EVERY = {*series.WEBHOOK, *series.CONTROLLER}


def controller() -> Controller:
    """One that has something to say of everything."""
    made, known = Controller(), record(Phase.OPENING)
    Metrics(made.registry)
    seen = observation(known)
    made.decided("shop", "web", seen, known, decide(seen))
    held = observation(record())
    made.decided("shop", "api", held, record(), decide(held))
    made.judged("shop", "web", [FAILING])
    made.wrote("PATCH", "/apis", 200)
    made.listed("start")
    made.errors.labels("bug").inc()
    made.decisions.labels("Window").inc()
    made.lag.observe(0.1)
    made.carried_out(seen, known, replace(decide(seen), reason=Reason.REPAUSED))
    return made


def webhook() -> Webhook:
    """One that has answered."""
    made = Webhook()
    request = Request("u", "UPDATE", "Deployment", "shop", "web", "anna", "kubectl", False, None, None)
    made.answered("/mutate", request, Answer(), 0.001)
    made.reloaded(1.0)
    return made


def named(registry: CollectorRegistry) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What a registry has of ours: type and help by name."""
    found = {}
    for family in registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = (family.type, family.documentation)
    return {name: value for name, value in found.items() if not name.startswith("process_")}


def listed(of: Iterable[Series]) -> dict[str, tuple[str, str]]:
    """The same of the list."""
    return {known.name: (known.kind.value, known.help) for known in of}


@pytest.mark.parametrize(
    ("registry", "of"),
    [(webhook().registry, series.WEBHOOK), (controller().registry, series.CONTROLLER)],
    ids=["webhook", "controller"],
)
def test_each_process_has_what_the_list_says(registry: CollectorRegistry, of: tuple[Series, ...]) -> None:
    """The reference, the alerts and the dashboard are made from the list."""
    assert named(registry) == listed(of)


@pytest.mark.parametrize("process", [webhook, controller])
def test_promtool_finds_nothing_to_say_about_the_names(process: type[Webhook] | type[Controller]) -> None:
    """Units, suffixes, help texts: what people's tools expect."""
    if shutil.which("promtool") is None:
        pytest.skip("needs the Debian package prometheus")
    exposition = instruments.exposition(process().registry)
    done = subprocess.run(["promtool", "check", "metrics"], input=exposition, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_name_is_ours_and_says_what_it_counts() -> None:
    """One prefix, and no word that a user, an image or an address could fill."""
    assert {s.name for s in EVERY if not s.name.startswith("penstock_")} == set()
    assert {label for s in EVERY for label in s.labels} == {
        "version", "path", "operation", "decision", "dry_run", "result", "role", "verb", "code", "reason", "kind",
        "what", "target", "action", "namespace", "name", "phase", "check", "state",
    }  # fmt: skip
    assert all((s.kind is Kind.COUNTER) == s.name.endswith("_total") for s in EVERY)
    assert len({s.name for s in EVERY}) == len(EVERY)
