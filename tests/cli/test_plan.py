"""`penstock plan` on files as people have them: several documents, Windows line ends, mistakes."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from penstock.cli.main import cli
from penstock.core import keys
from penstock.core.fields import Fields
from penstock.core.record import decode

NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {penstock.dev/enabled: "true"}
  annotations: {penstock.dev/steps: "2, 50%"}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 6
  template: {spec: {containers: [{name: web, image: "shop/web:1"}]}}
"""


def plan(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["plan", *arguments], input=stdin)


def planned(text: str) -> dict[str, object]:
    """The first Deployment of a text, as JSON."""
    result = plan("-f", "-", "-o", "json", stdin=text)
    assert result.exit_code == 0, result.output
    deployment: dict[str, object] = json.loads(result.stdout)["deployments"][0]
    return deployment


def test_json_holds_every_window_of_every_step() -> None:
    """Scripts read this; the table shortens long rows, JSON must not."""
    found = planned(f"{NAMESPACE}---\n{DEPLOYMENT}")
    admission, admitted = found.pop("admission"), found.pop("admitted")
    assert isinstance(admission, dict)
    assert admission["reason"] == "Gated"
    assert isinstance(admitted, dict)
    assert admitted["spec"]["paused"] is True
    assert found == {
        "file": "standard input",
        "document": "document 2",
        "namespace": "shop",
        "name": "web",
        "optedIn": True,
        "replicas": 6,
        "maxSurge": 2,
        "maxUnavailable": 1,
        "stepTime": {"min": 60, "max": 600},
        "summary": "A change of its pod template goes to 2 and 3 pods, then to all 6; it takes at least 2m.",
        "first": "step 1 of 2: 2 of 6 pods get the new version",
        "steps": [
            {
                "step": 1,
                "written": ["2"],
                "pods": 2,
                "oldPods": 6,
                "windows": [{"target": 2, "surge": 2, "unavailable": 0}],
                "approval": False,
            },
            {
                "step": 2,
                "written": ["50%"],
                "pods": 3,
                "oldPods": 5,
                "windows": [{"target": 3, "surge": 2, "unavailable": 1}],
                "approval": False,
            },
        ],
        "warnings": [],
    }


def test_line_ends_and_byte_order_marks_of_windows_change_nothing() -> None:
    """Half of all manifests are written there; `50%\\r` is no step."""
    unix = f"{NAMESPACE}---\n{DEPLOYMENT}"
    windows = "\ufeff" + unix.replace("\n", "\r\n")
    assert plan("-f", "-", "-o", "json", stdin=windows).stdout == plan("-f", "-", "-o", "json", stdin=unix).stdout


def test_a_namespace_counts_wherever_it_stands_in_the_files(tmp_path: Path) -> None:
    """kubectl applies files in the order given, people keep the Namespace in another one."""
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "namespace.yaml").write_text(NAMESPACE)
    result = plan("-f", str(tmp_path / "web.yaml"), "-f", str(tmp_path / "namespace.yaml"), "-o", "json")
    deployment = json.loads(result.stdout)["deployments"][0]
    assert (deployment["optedIn"], [step["pods"] for step in deployment["steps"]]) == (True, [2, 3])


def test_the_namespace_option_names_that_of_objects_without_one() -> None:
    """As in kubectl apply -n; it may stand before or after the command's name."""
    bare = DEPLOYMENT.replace("  namespace: shop\n", "")
    after = plan("-n", "shop", "-f", "-", "-o", "json", stdin=f"{NAMESPACE}---\n{bare}")
    before = CliRunner().invoke(cli, ["-n", "shop", "plan", "-f", "-", "-o", "json"], input=f"{NAMESPACE}---\n{bare}")
    assert json.loads(after.stdout)["deployments"][0]["optedIn"] is True
    assert before.stdout == after.stdout


def test_yaml_output_is_the_manifest_as_admitted_with_the_whole_record() -> None:
    """It may be piped on, so nothing else may be on stdout, and nothing may be shortened."""
    result = plan("-f", "-", "-o", "yaml", stdin=f"{DEPLOYMENT}---\n{DEPLOYMENT.replace('web', 'api')}")
    web, api = yaml.safe_load_all(result.stdout)
    record = decode(web["metadata"]["annotations"][keys.RECORD])
    assert record.saved == Fields(deadline=600)
    assert web["metadata"]["labels"] == {keys.ROLLOUT: "stepping"}
    assert web["spec"]["paused"] is True
    assert [sorted(obj) for obj in (web, api)] == [["apiVersion", "kind", "metadata", "spec"]] * 2
    assert sorted(web["metadata"]) == ["annotations", "labels", "name", "namespace"]
    assert api["metadata"]["name"] == "api"
    assert "Warning: shop/web: namespace shop is not known here" in result.stderr


def test_every_mistake_has_a_line_of_its_own_with_its_place() -> None:
    """The sentences are those of admission, so that CI and the cluster say the same; exit code 1 stops a pipeline."""
    wrong = DEPLOYMENT.replace(
        "  namespace: shop\n", '  annotations: {penstock.dev/steps: "3, 2", penstock.dev/step: "1"}\n'
    )
    result = plan("-f", "-", stdin=f"{DEPLOYMENT}---\n# nothing here\n---\n{wrong}")
    assert result.exit_code == 1
    assert "Deployment shop/web" in result.stdout  # what can be planned is planned
    assert result.stderr.splitlines() == [
        "Error: standard input, document 3, Deployment web: annotation penstock.dev/step, column 1: there is no such "
        "annotation; known: steps, step-time, warmup, errors, slow, max-impact, approve, on-failure, on-inconclusive, "
        'source, fast-rollback, limit.NAME; example: penstock.dev/steps: "1, 25%, 50%"',
        'Error: standard input, document 3, Deployment web: annotation penstock.dev/steps, column 4: "2" does not '
        'increase; numbers of pods must grow; example: "1, 25%, 50%"',
    ]


def test_a_mistake_in_the_namespace_is_told_once_and_nothing_is_guessed() -> None:
    """Ten Deployments under one bad default must not be planned with another default, nor give ten errors."""
    result = plan("-f", "-", stdin=f"{NAMESPACE.replace('2, 50%', 'half')}---\n{DEPLOYMENT}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        'Error: standard input, document 1, Namespace shop: annotation penstock.dev/steps, column 1: "half" is neither '
        'a number of pods nor a percentage from 1% to 100%; example: "1, 25%, 50%"',
        "Note: standard input, document 2, Deployment shop/web: not planned, its Namespace has errors",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: web\n", "name:\n"), "Deployment shop: metadata.name is missing"),
        (("replicas: 6", 'replicas: "6"'), 'spec.replicas is "6"; allowed: a whole number from 0'),
        (("replicas: 6", "replicas: -1"), 'spec.replicas is "-1"; allowed: a whole number from 0'),
        (("replicas: 6", "replicas: true"), 'spec.replicas is "True"; allowed: a whole number from 0'),
        (("replicas: 6", "paused: maybe"), 'spec.paused is "maybe"; allowed: true or false'),
        (("replicas: 6", "1: 6"), "spec: the key 1 is not text; put it in quotes"),
        (
            ("replicas: 6", "strategy: {rollingUpdate: {maxSurge: half}}"),
            'spec.strategy.rollingUpdate.maxSurge is "half"; allowed: a number of pods, or a percentage like 25%',
        ),
        (
            ("replicas: 6", "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}"),
            "maxSurge and maxUnavailable are both 0",
        ),
        (
            ("replicas: 6", "minReadySeconds: 600"),
            "progressDeadlineSeconds 600 is not above minReadySeconds 600",
        ),
        (("  template:", "  templates:"), "spec.template is missing"),
        (
            ("  namespace: shop", "  annotations: {penstock.dev/steps: 5}"),
            'annotation penstock.dev/steps: "5" is not text; put it in quotes',
        ),
        (
            ("  namespace: shop", "  labels: {penstock.dev/enabled: true}"),
            "label penstock.dev/enabled: an unquoted yes, on or true is not text; put it in quotes",
        ),
        (
            ("  namespace: shop", "  annotations: {penstock.dev/approve: yes}"),
            'annotation penstock.dev/approve: an unquoted yes, on or true is not text; put it in quotes; "yes" is not '
            'a step; allowed: never, each, last, or steps as in penstock.dev/steps; example: "25%, 50%"',
        ),
        (
            ("  namespace: shop", "  annotations: {other.dev/flag: off}"),
            "annotation other.dev/flag: an unquoted no, off or false is not text; put it in quotes",
        ),
        (
            ("  namespace: shop", '  annotations: {penstock.dev/enabled: "true"}'),
            "annotation penstock.dev/enabled: this is a label; write it under metadata.labels: "
            'penstock.dev/enabled: "true"',
        ),
        (("  namespace: shop", "  labels: [a]"), "metadata.labels is \"['a']\"; allowed: an object"),
    ],
)
def test_what_the_api_server_would_refuse_is_a_sentence_not_a_traceback(change: tuple[str, str], message: str) -> None:
    """Admission never sees such objects, so there is no sentence of admission for them."""
    result = plan("-f", "-", stdin=DEPLOYMENT.replace(*change))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].endswith(message)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c\n", "Error: standard input, line 1, column 5: this is not YAML: "),
        ("a: 1\n---\n- 1\n", "Error: standard input, document 2: expected a Kubernetes object, found list"),
        ("just words\n", "Error: standard input, document 1: expected a Kubernetes object, found str"),
        (b"a: \xff\n", "Error: standard input: not text in UTF-8"),
        ("[" * 5000, "Error: standard input"),
    ],
)
def test_what_is_no_manifest_is_told_with_its_place(text: str | bytes, message: str) -> None:
    """A template that a tool has not rendered, a binary file: the usual accidents in a pipeline."""
    result = plan("-f", "-", stdin=text)
    assert result.exit_code == 1
    assert result.output.startswith(message)


def test_a_missing_file_is_one_line() -> None:
    """The most frequent error of all."""
    result = plan("-f", "nowhere.yaml")
    assert (result.exit_code, result.output) == (1, "Error: nowhere.yaml: No such file or directory\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"])
def test_an_empty_file_is_an_error(text: str) -> None:
    """A template that rendered to nothing must not pass for a plan without complaints."""
    result = plan("-f", "-", stdin=text)
    assert (result.exit_code, result.output) == (1, "Error: standard input: empty, no object to plan\n")


def test_the_same_deployment_twice_is_said() -> None:
    """Two overlays in one file: the last one wins, and nobody notices."""
    result = plan("-n", "shop", "-f", "-", stdin=f"{DEPLOYMENT}---\n{DEPLOYMENT.replace('  namespace: shop', '')}")
    assert result.exit_code == 0
    assert result.stderr == (
        "Note: standard input, document 2, Deployment web: the same as standard input, document 1, "
        "Deployment shop/web; the last one applied counts\n"
    )


def test_an_approval_at_no_step_is_an_error_where_the_namespace_is_known() -> None:
    """Nobody would be asked. Where it is not known, its steps may be just these."""
    own = DEPLOYMENT.replace("  namespace: shop\n", '  namespace: shop\n  annotations: {penstock.dev/approve: "25%"}\n')
    known, alone = plan("-f", "-", stdin=f"{NAMESPACE}---\n{own}"), plan("-f", "-", stdin=own.replace("25%", "30%"))
    said = 'annotation penstock.dev/approve, column 1: {}; example: "50%"\n'
    assert (known.exit_code, known.stdout) == (1, "")
    assert known.stderr == (
        f"Error: standard input, document 2, Deployment shop/web: {said.format('25% is not one of the steps 2, 50%')}"
    )
    assert (alone.exit_code, alone.stdout) == (0, "")
    assert alone.stderr == (
        "Note: standard input, document 1, Deployment shop/web: not planned, its Namespace is not known here: "
        + said.format("30% is not one of the steps 10%, 25%, 50%")
    )


def test_files_without_a_deployment_are_no_error() -> None:
    """CI runs it over all manifests of a repository."""
    result = plan("-f", "-", stdin=NAMESPACE)
    assert (result.exit_code, result.output) == (0, "Note: no Deployment found, there is nothing to plan\n")


def test_an_unquoted_date_is_text_as_it_is_for_kubernetes() -> None:
    """Python's YAML would make an object of it that no hash of a template can hold."""
    dated = DEPLOYMENT.replace("template: {spec", "template: {metadata: {annotations: {day: 2026-11-25}}, spec")
    admitted = planned(dated)["admitted"]
    assert isinstance(admitted, dict)
    assert admitted["spec"]["template"]["metadata"]["annotations"] == {"day": "2026-11-25"}


def test_fields_that_are_null_count_as_absent() -> None:
    """Templating tools leave `labels:` with nothing below it."""
    nulls = "  labels:\n  annotations:\nspec:\n  strategy:\n  paused:\n"
    found = planned(f"{NAMESPACE.replace('true', 'false')}---\n{DEPLOYMENT.replace('spec:' + chr(10), nulls, 1)}")
    assert (found["optedIn"], found["maxSurge"], found["replicas"]) == (False, 2, 6)


def test_lists_of_any_kind_are_opened() -> None:
    """`kubectl get deployments -o yaml` writes a List; the API's own lists leave the kind of their items out."""
    deployment = yaml.safe_load(DEPLOYMENT)
    item = {"metadata": deployment["metadata"], "spec": deployment["spec"]}
    listed = [
        {"apiVersion": "v1", "kind": "List", "items": [deployment]},
        {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [item]},
    ]
    for obj in listed:
        assert planned(yaml.safe_dump(obj))["document"] == "document 1, item 1"


def test_an_anchor_is_written_out_in_the_output() -> None:
    """YAML that points into itself is legal, and read by nobody."""
    text = DEPLOYMENT.replace("template: {", "selector: &s {matchLabels: {a: b}}\n  other: *s\n  template: {")
    result = plan("-f", "-", "-o", "yaml", stdin=text)
    assert "&" not in result.stdout
    assert "*" not in result.stdout
