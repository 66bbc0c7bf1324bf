"""What has to be said beside the tables: where bounds and computed numbers come from, and how the controller died."""

from collections.abc import Sequence

from sandbox.demo.account import NOTICED, PROBED, PROPAGATED
from sandbox.demo.expectations import HELD, RATE, Outcome, words
from sandbox.demo.releases import REPLICAS, Fault
from sandbox.demo.summary import bad, timer
from sandbox.demo.timer import LIMIT, STAY, WINDOW, Spell
from sandbox.demo.traffic import SLOW


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Where bounds and computed numbers come from, and what happened while the controller was dead."""
    lines = [line for seen in outcomes if seen.requests is not None and (line := derivation(seen))]
    if any(seen.spell for seen in outcomes):
        lines.append(
            f"The timer was not run. It stays {STAY:.0f} s at each step and then takes the release back if more than "
            f"{LIMIT:.0%} of the new pods' requests in the last {WINDOW:.0f} s were bad. Its column takes the new pod "
            f"to go on as it did in this run, at a share of bad requests that runs high: it was measured until a "
            f"verdict."
        )
    lines += [line for seen in outcomes if seen.spell and (line := comparison(seen, seen.spell))]
    lines += [line for seen in outcomes if (line := death(seen))]
    return lines


def derivation(seen: Outcome) -> str:
    """The bound on failed requests, so that it can be checked by hand."""
    version, pods = seen.release.version, REPLICAS + 1
    match seen.release.fault:
        case Fault.CRASH:
            down = NOTICED + PROBED + PROPAGATED
            return (
                f"Bound of {version}: {seen.measured.crashes} crashes, each at most {down:g} s in the "
                f"Service without answering (kubelet {NOTICED:g} s, probe {PROBED:g} s, kube-proxy {PROPAGATED:g} s), "
                f"one pod of {pods}, {RATE:g} requests/s, and three standard deviations: {seen.bound}."
            )
        case Fault.ERRORS:
            return (
                f"Bound of {version}: {seen.release.error_rate:.0%} of the requests to one pod of {pods} in "
                f"{seen.seconds:.0f} s at {RATE:g} requests/s, and three standard deviations: {seen.bound}."
            )
    return ""


def comparison(seen: Outcome, spell: Spell) -> str:
    """What has to be known about a computed number."""
    version, fault, computed = seen.release.version, seen.release.fault, timer(seen, spell)
    match fault:
        case Fault.ERRORS | Fault.SLOW if not computed.caught:
            return f"The timer would not have caught {version}: {spell.share:.1%} bad is not over its threshold."
        case Fault.ERRORS | Fault.SLOW:
            beyond = f", that is not answered within {SLOW * 1000:.0f} ms" if fault is Fault.SLOW else ""
            return (
                f"{version} with the same rule looked at as soon as {WINDOW:.0f} s are full: "
                f"{bad(spell.after(WINDOW), fault)}{beyond}."
            )
        case Fault.CRASH:
            return (
                f"{version} crashes at the kubelet's pace (restarted at once, then after 10, 20, 40 … s), not at a "
                f"rate; the timer is credited with taking it back for not being Ready."
            )
    return ""


def death(seen: Outcome) -> str:
    """The controller's."""
    interruption = seen.interruption
    if interruption is None:
        return ""
    return (
        f"In {seen.release.version} the controller was dead for {interruption.seconds:.0f} s (at least {HELD:g}) with "
        f"the window for {interruption.step} new pods open; new pods meanwhile: {words(interruption.sizes)}."
    )
