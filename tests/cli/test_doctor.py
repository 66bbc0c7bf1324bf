"""What of `penstock doctor` needs no cluster: its list of rights, the dates of certificates, how findings are shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from certs import authority, bundle
from penstock.cli.certificate import blocks, ends
from penstock.cli.doctor import show
from penstock.cli.doctor_install import RIGHTS
from penstock.cli.finding import ok, unknown, wrong

IDENTITY = Path(__file__).parents[2] / "deploy" / "base" / "controller-identity.yaml"


def test_the_rights_that_are_asked_for_are_those_that_the_installation_gives() -> None:
    """One that is forgotten here would never be missed; one too many would be called a fault on every cluster."""
    given = set()
    for item in yaml.safe_load_all(IDENTITY.read_text()):
        for rule in item.get("rules", ()):
            for verb, group, resource in (
                (v, g, r) for v in rule["verbs"] for g in rule["apiGroups"] for r in rule["resources"]
            ):
                for name in rule.get("resourceNames", [""]):
                    given.add((verb, group, resource, name, item["metadata"].get("namespace", "")))
    assert set(RIGHTS) == given


NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize("years", [1, 30])
def test_the_end_of_a_certificate_is_read_as_the_library_reads_it(years: int) -> None:
    """Times after 2049 are written in another form."""
    ca = authority.new_ca(NOW, authority.Lifetimes(ca=timedelta(days=365 * years))).certificate
    assert ends(bundle.text([ca, ca])) == [ca.not_valid_after_utc.timestamp()] * 2


@pytest.mark.parametrize("cut", range(1, 400, 23))
def test_what_is_no_certificate_has_no_end(cut: int) -> None:
    """A Secret may hold anything; cut short, the rest of a number must not be taken for a date."""
    text = bundle.text([authority.new_ca(NOW).certificate])
    lines = text.splitlines()
    broken = b"\n".join([lines[0], b"".join(lines[1:-1])[:-cut], lines[-1]])
    assert ends(broken) == []
    assert (ends(b""), ends(b"scribble"), blocks(b"")) == ([], [], set())


def test_findings_fit_on_eighty_columns_with_their_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal there are 80 columns, and a command is found by its mark."""
    monkeypatch.delenv("COLUMNS", raising=False)
    show(
        [
            ok("scope", "2 Deployments"),
            unknown("rights", "[b]no[/b]"),
            wrong("plans", "shop/web: bad " * 9, "kubectl x"),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:2] == ["ok     scope   2 Deployments", "?      rights  [b]no[/b]"]
    assert lines[2].startswith("WRONG  plans   shop/web: bad")
    assert lines[-1] == "               > kubectl x"
