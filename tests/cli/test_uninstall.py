"""What `penstock uninstall` says before it does anything, and what it refuses to decide by itself."""

from dataclasses import replace

import pytest

from penstock.cli.errors import Refusal
from penstock.cli.halves import Trace
from penstock.cli.installed import PARTS, spoken
from penstock.cli.uninstall import chosen, plan
from penstock.core.fields import Fields
from penstock.core.record import Record
from penstock.core.rollout import Phase

RECORD = Record("u", "id", "d", "l", Fields(), phase=Phase.HOLDING, step=1)
HELD = Trace("shop", "web", RECORD, "", None)
BAD = Trace("shop", "api", replace(RECORD, phase=Phase.REJECTED, failed="pods crashed"), "", None)
OVER = Trace("bank", "ledger", None, "", None)
DAMAGED = Trace("bank", "vault", None, "the record has version 99", None)


def test_a_version_that_failed_is_not_sent_to_all_pods_unasked() -> None:
    """The default would do just that, in the night in which somebody uninstalls in anger."""
    with pytest.raises(Refusal) as refused:
        chosen(None, [HELD, BAD])
    assert (refused.value.message, refused.value.hint) == (
        "releases have failed and are held: shop/api (pods crashed); nothing was done",
        "say what shall become of them and of the others: --on-uninstall undo, release or hold",
    )
    assert chosen("release", [HELD, BAD]) == "release"
    assert chosen(None, [HELD]) == "release"


def test_one_that_was_released_already_is_not_in_the_way() -> None:
    """Its fields are the owner's; only its record is still to go."""
    leaving = replace(BAD, record=replace(RECORD, phase=Phase.LEAVING, failed="pods crashed"))
    assert chosen(None, [leaving]) == "release"


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("release", "released: all pods get the new version at once"),
        ("undo", "ended: all pods run the former version"),
        ("hold", "left held as it is"),
    ],
)
def test_the_plan_names_every_deployment_and_every_part(way: str, words: str) -> None:
    """A person reads it before they say yes, or with --dry-run."""
    assert plan(way, PARTS[:2], (OVER, DAMAGED, HELD)) == [
        f"bank/vault: {words}",
        f"shop/web: {words}",
        "1 Deployment: notes of former rollouts are removed",
        *([] if way == "hold" else ["histories of past rollouts (ConfigMaps penstock-history-…): deleted"]),
        "deployment/controller: deleted",
        "mutatingwebhookconfiguration/zz-penstock: deleted",
    ]


def test_parts_are_named_as_kubectl_names_them() -> None:
    """So that a person can look at each."""
    assert [spoken(path) for path in PARTS] == [
        "deployment/controller",
        "mutatingwebhookconfiguration/zz-penstock",
        "validatingwebhookconfiguration/zz-penstock",
        "validatingadmissionpolicybinding/penstock-step-lock",
        "validatingadmissionpolicy/penstock-step-lock",
        "namespace/penstock-system",
        "validatingadmissionpolicybinding/penstock-fence",
        "validatingadmissionpolicy/penstock-fence",
        "validatingadmissionpolicybinding/penstock-history",
        "validatingadmissionpolicy/penstock-history",
        "flowschema/penstock-leases",
        "clusterrolebinding/penstock-controller",
        "clusterrole/penstock-controller",
    ]
