"""The vocabulary: every label and annotation under our prefix, and the values we put into the brake.

One table, so that admission, the controller, the command line and the docs cannot disagree about a name.
"""

PREFIX = "penstock.dev/"

ENABLED = PREFIX + "enabled"
ROLLOUT = PREFIX + "rollout"
RECORD = PREFIX + "record"
PREVIOUS = PREFIX + "previous"
REQUEST = PREFIX + "request"
DECLARED = PREFIX + "declared"
HISTORY = PREFIX + "history"
"""Label of the ConfigMaps in which the controller keeps how rollouts ended, see core/history.py."""
EVIDENCE = PREFIX + "evidence"
"""On the new version's ReplicaSet: what scraping its pods has gathered, for a controller that is restarted."""

STEPS = PREFIX + "steps"
STEP_TIME = PREFIX + "step-time"
WARMUP = PREFIX + "warmup"
ERRORS = PREFIX + "errors"
SLOW = PREFIX + "slow"
LIMIT = PREFIX + "limit."
MAX_IMPACT = PREFIX + "max-impact"
APPROVE = PREFIX + "approve"
ON_FAILURE = PREFIX + "on-failure"
ON_INCONCLUSIVE = PREFIX + "on-inconclusive"
SOURCE = PREFIX + "source"
FAST_ROLLBACK = PREFIX + "fast-rollback"

"""DECLARED keeps the declared template for the milliseconds in which a retreat shows the stable one."""

DESIRED = "deployment.kubernetes.io/desired-replicas"
"""The native controller's own annotation on a ReplicaSet: where it differs from the replicas, it scales, not rolls."""

REVISION = "deployment.kubernetes.io/revision"
"""The native controller's number of the version that runs, on the Deployment and on that version's ReplicaSet; no
manifest has it."""

CONDITION = PREFIX + "Rollout"
"""Type of the condition in a Deployment's status."""

STALLED = "Stalled"
"""Type of the condition by which kstatus (Flux, Helm, `kpt`) knows a failure; ours where its reason is Rejected."""

MANAGER = "penstock"
"""Our field manager: the name under which the API server notes what we changed."""

CONTROLLER = "system:serviceaccount:penstock-system:controller"

USER_ANNOTATIONS = (
    STEPS,
    STEP_TIME,
    WARMUP,
    ERRORS,
    SLOW,
    MAX_IMPACT,
    APPROVE,
    ON_FAILURE,
    ON_INCONCLUSIVE,
    SOURCE,
    FAST_ROLLBACK,
)
OUR_ANNOTATIONS = (RECORD, PREVIOUS, REQUEST, DECLARED, EVIDENCE)
"""Annotations of ours; PREVIOUS outlives the rollout, the others end with it."""

COPIED = (RECORD, REQUEST, DECLARED, EVIDENCE)
"""Annotations that stand on ReplicaSets: the Deployment controller copied them there and never removes them, the last
is our own; `kubectl rollout undo` copies them back to the Deployment."""

BRAKE_READY = 2147483646
BRAKE_DEADLINE = 2147483647
"""Largest values the API server accepts: it demands progressDeadlineSeconds > minReadySeconds, both int32."""
