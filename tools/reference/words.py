"""What the code cannot say of itself in a table: the meaning of each reason, annotation, phase and field of the record.

Each table has just the names of the code; the pages refuse one that is missing or too many.
"""

from collections.abc import Mapping

from penstock.core import keys
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase

NOTHING = "nothing; it goes on by itself"

REASONS: Mapping[Reason, tuple[str, str]] = {
    Reason.GATED: ("admitted, and nothing of it runs yet; only commands say so, before the controller's first look", NOTHING),
    Reason.STEP_OPENED: ("a step begins: pods of the new version are added", NOTHING),
    Reason.WINDOW: ("a write between two states that people see", NOTHING),
    Reason.WAITING_FOR_PODS: ("pods of this step are not available yet", NOTHING),
    Reason.JUDGING: ("all pods of this step are available and are judged", NOTHING),
    Reason.AWAITING_APPROVAL: ("the step waits for a person", "`penstock approve`, or `penstock abort`"),
    Reason.APPROVED: ("a person said yes", NOTHING),
    Reason.PAUSED_BY_USER: ("your own `paused: true` is respected", "`kubectl rollout resume`"),
    Reason.SCALED_TO_ZERO: ("no pods are wanted", "scale up; it goes on by itself then"),
    Reason.NO_SERIES: ("a check is configured and no pod delivers its metric", "correct the annotation or the metric"),
    Reason.NO_TRAFFIC: ("the metric is there and no requests are", "send requests; `on-inconclusive` says what else"),
    Reason.UNREACHABLE: ("the source of metrics does not answer, or not understandably", "look at the source"),
    Reason.INCIDENT: ("old pods fail too; nothing advances while that lasts", "look at the service, not at the release"),
    Reason.MORE_ERRORS: ("new pods fail clearly more often than old ones", "correct the version, deploy it again"),
    Reason.SLOWER: ("new pods are slow clearly more often than old ones", "correct the version, deploy it again"),
    Reason.LIMIT_BREACHED: ("a number left its limit so often in a row", "correct the version, or the limit"),
    Reason.INCONCLUSIVE: ("the longest stay is over without a verdict", "`penstock approve`, or `penstock abort`"),
    Reason.FINISHING: ("every step passed; all other pods follow", NOTHING),
    Reason.PROMOTED: ("all pods run the new version", "nothing"),
    Reason.RETREATING: ("pods of the new version are going", NOTHING),
    Reason.REJECTED: ("all pods run the former version, the declared one stays out", "deploy another version, or `penstock retry`"),
    Reason.HELD_FAILED: ("the release failed and `on-failure` is `pause`", "`penstock abort`, or `penstock approve` to go on all the same"),
    Reason.ABORTED: ("a person took the release back", "deploy another version, or `penstock retry`"),
    Reason.RETRIED: ("a person asked for another try", NOTHING),
    Reason.REQUEST_IGNORED: ("a request was for another rollout or step, or made no sense now", "look at `penstock status`, ask again"),
    Reason.SUPERSEDED: ("a newer version was declared; pods of the former go first", NOTHING),
    Reason.SCALED: ("the replicas changed so that the step is opened anew", NOTHING),
    Reason.RELEASED: ("opted out: every field is yours again, and the declared version goes to all pods", "nothing"),
    Reason.FAILED_RELEASED: ("opted out although the version had failed: it goes to all pods", "`penstock undo`, if that was not meant"),
    Reason.UNINSTALLED: ("Penstock was taken out of the cluster; this rollout was left held", "`penstock release` or `penstock undo`, or install it again"),
    Reason.REVERTED: ("the former version was declared again; the rollout is over", "nothing"),
    Reason.REPAUSED: ("somebody un-paused a held rollout past the webhook; it is paused again", "`penstock doctor`: did the webhook answer?"),
    Reason.BAD_ANNOTATION: ("an annotation cannot be read; nothing advances", "correct it"),
    Reason.BAD_RECORD: ("the record cannot be read; nothing is changed", "run the version of Penstock that wrote it, or opt out: the fields are put back as far as they are known"),
    Reason.NO_STABLE: ("no other version runs, there is nothing to compare with", "nothing; it goes to all pods"),
    Reason.FORMER_LEADER: ("another controller has taken over, or the record was edited", "nothing; opt out if no other controller runs"),
    Reason.CRASH_LOOP: ("a new pod crash-loops", "`kubectl logs --previous`"),
    Reason.CRASHED: ("a container of a new pod ended with an error", "`kubectl logs --previous`"),
    Reason.OUT_OF_MEMORY: ("a new pod was killed for using more memory than its limit", "raise the limit, or mend the leak"),
    Reason.IMAGE_PULL: ("the image cannot be pulled", "correct its name, or the pull secret"),
    Reason.CANNOT_START: ("a container cannot be started", "`kubectl describe pod`"),
    Reason.UNREADY: ("a new pod lost readiness again and again", "`kubectl describe pod`"),
    Reason.NEVER_READY: ("a new pod was not Ready within `progressDeadlineSeconds`", "`kubectl describe pod`"),
    Reason.NOT_THE_RELEASE: ("a new pod was evicted, fits on no node or into no quota, or its node is at fault: no evidence against the release", "look at the nodes"),
}  # fmt: skip
"""Meaning, and what to do."""

DURATION = "a duration"
ANNOTATIONS: Mapping[str, tuple[str, str, str]] = {
    keys.STEPS: ("pods or percentages, growing within one unit; at most 20", "1, 25%, 50%", "how many pods run the new version after each step"),
    keys.STEP_TIME: ("`MIN..MAX`, or `MIN`", "1m..10m", "shortest and longest stay at a step, from when its last pod is available"),
    keys.WARMUP: (DURATION, "60s", "a pod's requests count from so long after it is Ready"),
    keys.ERRORS: ("`BAD_SELECTOR / ALL_SELECTOR`, counters", 'http_requests_total{code=~"5.."} / http_requests_total', "new pods against old ones: failed requests"),
    keys.SLOW: ("`HISTOGRAM > DURATION`, or `HISTOGRAM`", "http_request_duration_seconds > 250ms", "new pods against old ones: slow requests"),
    keys.LIMIT + "NAME": ("`PROMQL < NUMBER`, also `<=`, `>`, `>=`; `for N`", "max(queue_length) < 500 for 3", "a number that must keep within a limit"),
    keys.MAX_IMPACT: ("`1%` to `100%`", "5%", "share of all requests that the next step may break at worst before it is proven healthy"),
    keys.APPROVE: ("`never`, `each`, `last`, or steps as written in `steps`", "last", "steps that wait for a person"),
    keys.ON_FAILURE: ("`rollback`, `pause`", "pause", "what happens when the new version fails"),
    keys.ON_INCONCLUSIVE: ("`hold`, `advance`, `rollback`", "hold", "what happens after the longest stay without a verdict"),
    keys.SOURCE: ("`auto`, `prometheus`, `pods`, `none`", "pods", "where the counters come from"),
    keys.FAST_ROLLBACK: (f"{DURATION}, or `0s` for never", "1h", "for so long after a release the former version comes back un-stepped"),
}  # fmt: skip
"""Values, an example, meaning."""

OURS: Mapping[str, tuple[str, str]] = {
    keys.RECORD: ("Deployment", "the state of the rollout, see [record.md](record.md)"),
    keys.PREVIOUS: ("Deployment", "which version may come back un-stepped, and until when"),
    keys.REQUEST: ("Deployment", "what a person asks; the commands write it, the controller takes it away"),
    keys.DECLARED: ("Deployment", "the declared pod template, while a way back shows the former one"),
    keys.EVIDENCE: ("the new ReplicaSet", "what was counted at the pods, for a controller that is restarted"),
}

PHASES: Mapping[Phase, str] = {
    Phase.PENDING: "gated: paused, nothing of the new version runs",
    Phase.BRAKING: "paused; the brake is written, and not yet seen by every controller",
    Phase.OPENING: "un-paused under the brake: the native controller adds pods up to the step and stops",
    Phase.HOLDING: "paused at a step: pods become available, are judged, a person may be asked",
    Phase.RETREATING: "new pods are going; a way back without enough old pods un-pauses for moments",
    Phase.REJECTED: "taken back: all pods run the stable version, the declared one stays out",
    Phase.FINISHING: "every field is the user's again, the native controller completes",
    Phase.LEAVING: "released: every field is the user's again, then the record goes",
}

RECORD: Mapping[str, str] = {
    "uid": "of the Deployment; in a copy of another object the record does not count",
    "id": "of this rollout: the same for the same change of the same object",
    "declared": "hash of the pod template that is released",
    "loose": "the same without restart annotations: a rejected version that is only restarted stays rejected",
    "saved": "your own values of the fields that have others in force; null is absent",
    "stable": "hash of the pod template that is replaced; empty until it is found",
    "revision": "of the stable version, as `kubectl rollout history` counts",
    "phase": "see [states.md](states.md)",
    "step": "present step, from 1; 0 is before the first",
    "started": "when the first window was opened, seconds since 1970",
    "since": "when the last window was opened",
    "target": "new pods that the last window was for",
    "replicas": "replicas for which `target` was computed",
    "epoch": "of the leader that wrote last; one with a smaller number stops",
    "approved": "steps that a person has approved",
    "awaiting": "whether a person's approval of `step` is awaited",
    "failed": "why the release failed",
    "note": "the reason that goes with `failed`; or `Inconclusive` once a person was asked",
    "owners": "who owned the fields in force, to give them back",
    "sent": "the declared version as admission saw it, where another webhook has changed it since; else left out",
}

CONFIGURATION: Mapping[str, tuple[str, str]] = {
    "version": ("`1`", "of this format; must be there"),
    "prometheus": ("", "without it, counters come from the pods themselves"),
    "prometheus.url": ("`http://` or `https://`, host, port, path", "must be there; no user, no query"),
    "prometheus.pod-label": ("a label", "the label that holds a pod's name"),
    "prometheus.namespace-label": ("a label", "and its namespace"),
    "prometheus.bearer-token-file": ("an absolute path", "not together with `basic-auth`"),
    "prometheus.basic-auth": ("", "a user"),
    "prometheus.basic-auth.username": ("text without spaces", "must be there"),
    "prometheus.basic-auth.password-file": ("an absolute path", "must be there"),
    "prometheus.ca-file": ("an absolute path", "a private CA"),
    "prometheus.header-files": ("names of headers, each with an absolute path", "further headers"),
    "prometheus.tenant": ("text without spaces", "sent as `X-Scope-OrgID`"),
    "prometheus.lookback": ("`10` to `900` seconds", "at least two scrape intervals"),
    "notifications": ("", "without it, nobody is told"),
    "notifications.cluster": ("up to 60 characters", "a name for this cluster, in every message"),
    "notifications.targets": ("names (`a-z`, `0-9`, `-`), each with the keys below", "whom to tell"),
    "notifications.targets.NAME.apprise-file": ("an absolute path", "one URL of apprise; either this or `webhook`"),
    "notifications.targets.NAME.webhook": ("", "a receiver of signed JSON"),
    "notifications.targets.NAME.webhook.url-file": ("an absolute path", "must be there"),
    "notifications.targets.NAME.webhook.key-file": (
        "an absolute path",
        "must be there; what the signature is made with",
    ),
    "notifications.targets.NAME.webhook.ca-file": ("an absolute path", "a private CA"),
    "notifications.targets.NAME.kinds": ("a list of `rejected`, `held`, `approval`, `promoted`", "what to tell"),
    "notifications.targets.NAME.namespaces": ("a list of names, with `*` and `?`", "of whom to tell"),
    "notifications.targets.NAME.pause": ("`1` to `3600` seconds", "between two messages"),
}
"""Values, and meaning."""
