"""Every metric of both processes, once: the registries, the reference, the alerts' and the dashboard's tests read it.

Names follow Prometheus' conventions (base units, `_total` for counters only; promtool checks the real output). What
grows with the cluster is no label: no user, image or address, and namespace and name of *active* rollouts only.
"""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Series:
    """One metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> frozenset[str]:
        """The names that a query may use."""
        if self.kind is Kind.HISTOGRAM:
            return frozenset(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return frozenset({self.name})


def counter(name: str, text: str, *labels: str) -> Series:
    return Series(name, Kind.COUNTER, text, labels)


def gauge(name: str, text: str, *labels: str) -> Series:
    return Series(name, Kind.GAUGE, text, labels)


def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Series:
    return Series(name, Kind.HISTOGRAM, text, labels, buckets)


ROLLOUT = ("namespace", "name")
CHECK = (*ROLLOUT, "check")
QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)

BUILD = gauge("penstock_build_info", "1, with the version of the process", "version")

# The webhook.
ADMISSIONS = counter(
    "penstock_admission_requests_total",
    "Reviews that were answered; the decision is one word of the webhook's own",
    *("path", "operation", "decision", "dry_run"),
)
ADMISSION_SECONDS = histogram(
    "penstock_admission_duration_seconds", "From the whole body to the answer", "path", buckets=QUICK
)
CERTIFICATE_RELOADS = counter("penstock_cert_reloads_total", "Versions of the Secret that were seen", "result")

# Both: the webhook for the certificate it serves, the controller for those it keeps.
CERTIFICATE_END = gauge("penstock_cert_not_after_seconds", "End of the certificate's life, Unix time", "role")

# The controller: itself.
LEADER = gauge("penstock_is_leader", "1 while this controller leads its shard")
LEASE_AGE = gauge(
    "penstock_lease_renew_age_seconds", "Since the last renewal of the lease by this process; NaN while it leads none"
)
QUEUE = gauge(
    "penstock_queue_depth", "Looks at rollouts that are due or under way (each rollout has a task, so none waits long)"
)
DECISION_LAG = histogram(
    "penstock_decision_lag_seconds", "From an event or due time to the decision carried out", buckets=SLOW
)
WRITES = counter("penstock_writes_total", "Writes to the API server that were answered", "verb", "code")
RELISTS = counter("penstock_watch_relists_total", "Lists that a watch began with, by what made it", "reason")
DECISIONS = counter("penstock_decisions_total", "Decisions that said something new or wrote", "reason")
FAULTS = counter("penstock_errors_total", "Looks that failed", "kind")
MISSED = counter(
    "penstock_missed_admissions_total",
    "Changes of active rollouts that the webhook should have seen and has not",
    "what",
)
ENDED = counter(
    "penstock_rollouts_ended_total", "Rollouts that ended or were rejected while this process led", "reason"
)
NOTIFICATIONS = counter(
    "penstock_notifications_total", "Messages to people, by what became of them", "target", "kind", "result"
)

# The controller: certificates.
CA_GENERATIONS = gauge("penstock_ca_bundle_generations", "CAs that are trusted")
CERTIFICATE_STEPS = counter("penstock_cert_steps_total", "Writes for the certificates, by what they did", "action")
SELF_PROBE = gauge(
    "penstock_selfprobe_success",
    "1 if the webhook answered where the API server calls it, by the caBundle it trusts; NaN: another process probes",
)

# The controller: active rollouts.
ACTIVE = gauge("penstock_rollouts_active", "Rollouts that are looked after")
UNLISTED = gauge("penstock_rollouts_unlisted", "Of these, those without series of their own, for there are too many")
PHASE = gauge("penstock_rollout_phase", "1 for the present phase", *ROLLOUT, "phase")
REASON = gauge("penstock_rollout_reason", "1, with the reason of the present state", *ROLLOUT, "reason")
STEP = gauge("penstock_rollout_step", "Present step, from 1; 0 is before the first", *ROLLOUT)
STEPS = gauge("penstock_rollout_steps", "Steps of the plan at the present size", *ROLLOUT)
EXPOSED_PODS = gauge("penstock_rollout_exposed_pods", "Pods that are not of the stable version", *ROLLOUT)
ALLOWED_PODS = gauge("penstock_rollout_allowed_pods", "Pods of the new version that the step allows", *ROLLOUT)
EXPOSED = gauge("penstock_rollout_exposed_ratio", "Exposed pods, of the replicas that are wanted", *ROLLOUT)
ALLOWED = gauge("penstock_rollout_allowed_ratio", "Allowed pods, of the replicas that are wanted", *ROLLOUT)
OPEN_WINDOW = gauge("penstock_rollout_window_open_seconds", "Since the window was opened that is open now", *ROLLOUT)
PAUSED = gauge("penstock_rollout_paused_seconds", "Since the last window, while the pause is Penstock's", *ROLLOUT)
LONGEST_STAY = gauge("penstock_rollout_longest_stay_seconds", "The plan's longest stay at a step", *ROLLOUT)

# The controller: metric checks of active rollouts.
CHECKS = counter("penstock_check_total", "Looks of metric checks, by what they said", "result")
CHECK_STATE = gauge("penstock_check_state", "1 for what the check says now", *CHECK, "state")
EVIDENCE = gauge("penstock_check_evidence", "Against the release, as a factor; of a limit: breaches in a row", *CHECK)
EVIDENCE_NEEDED = gauge("penstock_check_evidence_needed", "With so much the release is taken back", *CHECK)
REQUESTS = gauge("penstock_check_requests", "Requests that were counted", *CHECK, "version")
BAD_REQUESTS = gauge("penstock_check_bad_requests", "Bad or slow ones of them", *CHECK, "version")

WEBHOOK = (BUILD, ADMISSIONS, ADMISSION_SECONDS, CERTIFICATE_END, CERTIFICATE_RELOADS)
CUSTODY = (CERTIFICATE_END, CA_GENERATIONS, CERTIFICATE_STEPS, SELF_PROBE)
PER_ROLLOUT = (
    *(PHASE, REASON, STEP, STEPS, EXPOSED_PODS, ALLOWED_PODS, EXPOSED, ALLOWED),
    *(OPEN_WINDOW, PAUSED, LONGEST_STAY),
)
PER_CHECK = (CHECK_STATE, EVIDENCE, EVIDENCE_NEEDED, REQUESTS, BAD_REQUESTS)
CONTROLLER = (
    *(BUILD, LEADER, LEASE_AGE, QUEUE, DECISION_LAG, WRITES, RELISTS, DECISIONS, FAULTS, MISSED, ENDED, NOTIFICATIONS),
    *(*CUSTODY, ACTIVE, UNLISTED, *PER_ROLLOUT, CHECKS, *PER_CHECK),
)
"""What each process has."""
