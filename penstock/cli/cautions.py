"""The forecast in words: one sentence that says it all, then what a person should know besides.

The latter is a tuple of questions, each with a sentence or none.

Most surprises come from arithmetic on few replicas (a step that means all pods is no step) and from scope (nothing is
stepped in a namespace that is not opted in), so these are said before, not found out afterwards.
"""

from collections.abc import Callable

from penstock.cli.forecast import Forecast
from penstock.cli.text import counted, listed
from penstock.core import keys
from penstock.core.guard import label
from penstock.core.queries import Limit
from penstock.core.units import print_duration


def headline(f: Forecast) -> str:
    """What a change of the pod template does."""
    if f.admission.reason == "PausedByUser":
        return "A change of its pod template waits until its own pause is lifted."
    if f.replicas == 0:
        return "A change of its pod template takes effect when it is scaled up, for all pods at once."
    if not f.stages:
        whom = "its only pod" if f.replicas == 1 else f"all {counted(f.replicas, 'pod')}"
        return f"A change of its pod template goes to {whom} at once."
    if f.replicas == 1:
        way = "first runs in one pod beside the old one, then replaces it"
    else:
        *few, last = (stage.exposure.pods for stage in f.stages)
        sizes = listed([*few, counted(last, "pod")])
        way = f"goes to {sizes}, then to all {f.replicas}"
    shortest = print_duration(len(f.stages) * f.plan.step_time.min)
    asked = [stage.exposure.pods for stage in f.stages if stage.approval]
    person = f", and waits for a person at {listed(asked)}" if asked else ""
    return f"A change of its pod template {way}; it takes at least {shortest}{person}."


Question = Callable[[Forecast], str | None]


def _not_opted_in(f: Forecast) -> str | None:
    if f.opted_in is not False:
        return None
    if label(f.manifest, keys.ENABLED) == "false":
        return f'opted out by its own label {keys.ENABLED}: "false"; a change goes to all pods at once'
    return (
        f"namespace {f.namespace} is not opted in, a change goes to all pods at once; what is shown here comes true "
        f"after: kubectl label namespace {f.namespace} {keys.ENABLED}=true"
    )


def _unknown_namespace(f: Forecast) -> str | None:
    if f.opted_in is not None:
        return None
    return (
        f"namespace {f.namespace} is not known here: it may not be opted in, and its annotations may give other "
        "defaults"
    )


def _not_stepped(f: Forecast) -> str | None:
    if not f.gated or f.stages:
        return None
    if f.replicas == 1 and f.limits.surge == 0:
        return (
            "1 replica and maxSurge 0: a new pod cannot run beside the old one, so the change is not stepped; "
            "with maxSurge: 1 it would be"
        )
    return f"no step is left at {counted(f.replicas, 'replica')}: the change goes to all pods at once"


def _dropped(f: Forecast) -> str | None:
    dropped = _steps_dropped(f)
    if not f.stages or not dropped:
        return None
    subject = f"step {dropped[0]} means" if len(dropped) == 1 else f"steps {listed(dropped)} mean"
    return f"{subject} all {counted(f.replicas, 'pod')} or more: dropped"


def _steps_dropped(f: Forecast) -> list[str]:
    kept = {text for stage in f.stages for text in stage.exposure.written}
    return [str(step) for step in f.plan.steps if str(step) not in kept]


def _approvals_dropped(f: Forecast) -> str | None:
    dropped = [name for name in f.plan.approve if name in _steps_dropped(f)]
    if not f.gated or not dropped:
        return None
    return f"{keys.APPROVE} names {listed(dropped)}, which is dropped at this size: nobody is asked there"


def _checks_off(f: Forecast) -> str | None:
    wanted = [key for key in f.notes if key in (keys.ERRORS, keys.SLOW) or key.startswith(keys.LIMIT)]
    if f.plan.source != "none" or not wanted:
        return None
    return f"{listed(sorted(wanted))}: not asked, {keys.SOURCE} is none; the checks of pods decide alone"


def _limits(f: Forecast) -> str | None:
    limits = [check.name for check in f.plan.checks if isinstance(check.query, Limit)]
    if not limits or not f.stages:
        return None
    if f.plan.source == "pods":
        return f"{listed(limits)}: limits are asked of a Prometheus, and {keys.SOURCE} is pods: they stay without data"
    return f"{listed(limits)}: limits are asked of the Prometheus of the controller's configuration, else without data"


CAUTIONS: tuple[Question, ...] = (
    _not_opted_in,
    _unknown_namespace,
    _not_stepped,
    _dropped,
    _approvals_dropped,
    _checks_off,
    _limits,
)


def cautions(f: Forecast) -> tuple[str, ...]:
    """All sentences, those of admission first."""
    return (*f.admission.warnings, *(sentence for question in CAUTIONS if (sentence := question(f))))
