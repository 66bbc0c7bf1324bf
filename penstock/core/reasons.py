"""Reasons: the names that people meet in conditions, Events, logs, metrics and the command line.

They are an API: scripts compare them. Each stands here once, with what it means; an Event is sent for those that
tell of a change, not for those that say that we wait a moment.
"""

import enum


class Reason(enum.StrEnum):
    """Why a rollout is where it is."""

    GATED = "Gated"  # the template change was admitted, nothing of it runs yet
    STEP_OPENED = "StepOpened"  # a window is open: pods of the new version are added
    WINDOW = "Window"  # a protocol write between two states that people see
    WAITING_FOR_PODS = "WaitingForPods"  # pods of this step are not available yet
    JUDGING = "Judging"  # all pods of this step are available and are being judged
    AWAITING_APPROVAL = "AwaitingApproval"  # a person is asked
    APPROVED = "Approved"  # a person said yes
    PAUSED_BY_USER = "PausedByUser"  # the user's own `paused: true` is respected
    SCALED_TO_ZERO = "ScaledToZero"  # no pods are wanted now
    NO_SERIES = "NoSeries"  # a metric check is configured and no pod delivers its metric
    NO_TRAFFIC = "NoTraffic"  # the metric is there, and no requests are
    UNREACHABLE = "Unreachable"  # the source of metrics does not answer, or not understandably
    INCIDENT = "Incident"  # old pods fail as well; nothing advances while it lasts
    MORE_ERRORS = "MoreErrors"  # new pods fail clearly more often than old ones
    SLOWER = "Slower"  # new pods are slow clearly more often than old ones
    LIMIT_BREACHED = "LimitBreached"
    INCONCLUSIVE = "Inconclusive"  # the longest stay is over without a verdict
    FINISHING = "Finishing"  # every step passed, the native controller completes
    PROMOTED = "Promoted"  # all pods run the new version
    RETREATING = "Retreating"  # pods of the new version are going
    REJECTED = "Rejected"  # all pods run the stable version, the declared one stays out
    HELD_FAILED = "HeldAfterFailure"  # the release failed and on-failure is pause
    ABORTED = "Aborted"  # a person took the release back
    RETRIED = "Retried"  # a person asked for another try
    REQUEST_IGNORED = "RequestIgnored"  # a request was for another rollout or step, or made no sense now
    SUPERSEDED = "Superseded"  # a newer template came
    SCALED = "Scaled"  # the replicas changed, the step is opened anew
    RELEASED = "Released"  # opted out: every field is the user's again
    FAILED_RELEASED = "FailedVersionReleased"  # opted out although the version has failed: it goes to all pods
    UNINSTALLED = "Uninstalled"  # Penstock was taken out of the cluster, this rollout was left held
    REVERTED = "Reverted"  # the stable template was declared again
    REPAUSED = "PausedAgain"  # somebody un-paused a held rollout
    BAD_ANNOTATION = "BadAnnotation"  # an annotation cannot be read
    BAD_RECORD = "BadRecord"  # the record cannot be read
    NO_STABLE = "NoStableVersion"  # no ReplicaSet of another version exists, there is nothing to compare with
    FORMER_LEADER = "FormerLeader"  # another controller has taken over
    CRASH_LOOP = "CrashLoop"
    CRASHED = "Crashed"
    OUT_OF_MEMORY = "OutOfMemory"
    IMAGE_PULL = "ImagePull"
    CANNOT_START = "CannotStart"
    UNREADY = "Unready"
    NEVER_READY = "NeverReady"
    NOT_THE_RELEASE = "NotTheRelease"  # evicted, no room, node or quota at fault: no evidence against the release


WARNINGS = frozenset(
    {
        Reason.RETREATING,
        Reason.REJECTED,
        Reason.HELD_FAILED,
        Reason.ABORTED,
        Reason.REQUEST_IGNORED,
        Reason.REPAUSED,
        Reason.FAILED_RELEASED,
        Reason.UNINSTALLED,
        Reason.BAD_ANNOTATION,
        Reason.BAD_RECORD,
        Reason.NO_STABLE,
        Reason.INCONCLUSIVE,
        Reason.NO_SERIES,
        Reason.NO_TRAFFIC,
        Reason.UNREACHABLE,
        Reason.INCIDENT,
        Reason.MORE_ERRORS,
        Reason.SLOWER,
        Reason.LIMIT_BREACHED,
        Reason.CRASH_LOOP,
        Reason.CRASHED,
        Reason.OUT_OF_MEMORY,
        Reason.IMAGE_PULL,
        Reason.CANNOT_START,
        Reason.UNREADY,
        Reason.NEVER_READY,
        Reason.NOT_THE_RELEASE,
    }
)
"""Reasons whose Event is a Warning."""

QUIET = frozenset({Reason.WINDOW, Reason.WAITING_FOR_PODS, Reason.JUDGING, Reason.FORMER_LEADER})
"""Reasons without an Event."""

ENDS = frozenset({Reason.PROMOTED, Reason.RELEASED, Reason.FAILED_RELEASED, Reason.REVERTED, Reason.NO_STABLE})
"""Reasons after which no condition is shown: a True left from the last release would answer `kubectl wait`."""
