"""What a thief can do with the controller's token: what stepping needs, in rollouts that run, and nothing else.

Each attack is one patch with the controller's real token on a real API server. It must be refused by our fence, not by
a mistake of the test, so beside them stand the writes of a rollout, with the same token on the same objects.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.record import Record, decode, encode
from penstock.core.rollout import Phase
from penstock.core.template import template_hash
from penstock.kube import ApiError, Client, objects
from tests.deploy.conftest import Installation
from tests.deploy.test_scope import deployment, image

pytestmark = pytest.mark.cluster

NAMESPACE = "fence"
Object = dict[str, Any]
IDLE, ROLLING, PLAIN = "idle", "rolling", "plain-1"
"""A Deployment at rest, one in a rollout, a ReplicaSet of the latter."""


def template(tag: str) -> Object:
    found: Object = deepcopy(deployment(ROLLING)["spec"]["template"])
    found["spec"]["containers"][0]["image"] = tag
    return found


@dataclass(frozen=True)
class Write:
    """One patch of one object; strategic where it says so."""

    patch: Object
    name: str = ROLLING
    kind: str = "deployments"
    strategic: bool = False

    @property
    def path(self) -> str:
        return f"/apis/apps/v1/namespaces/{NAMESPACE}/{self.kind}/{self.name}"


def spec(name: str = ROLLING, **values: Any) -> Write:
    return Write({"spec": values}, name)


def annotated(name: str = ROLLING, kind: str = "deployments", **values: str | None) -> Write:
    return Write(
        {"metadata": {"annotations": {f"penstock.dev/{key}": value for key, value in values.items()}}}, name, kind
    )


def pod(**values: Any) -> Write:
    """Something else in the pods of the declared version."""
    return Write({"spec": {"template": {"spec": values}}}, strategic=True)


def of_replicaset(**values: Any) -> Write:
    return Write(values, PLAIN, "replicasets")


CONTAINER = {"name": "c", "image": "app:2"}


def attacks(record: Record) -> dict[str, Write]:
    """More than thirty; RECORD is the one of the rollout."""
    text, evil = encode(record), template("evil:1")

    def recorded(text: str) -> Write:
        return annotated(record=text)

    def with_key(key: str) -> str:
        return text[:-1] + f',{key}:"{template_hash(evil)}"}}'

    return {
        "image": spec(**image("evil:1")),
        "image at rest": spec(IDLE, **image("evil:1")),
        "service account": pod(serviceAccountName="admin"),
        "host path": pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        "host network": pod(hostNetwork=True),
        "privileged": pod(containers=[{**CONTAINER, "securityContext": {"privileged": True}}]),
        "command": pod(containers=[{**CONTAINER, "command": ["sh", "-c", "evil"]}]),
        "environment from a Secret": pod(containers=[{**CONTAINER, "envFrom": [{"secretRef": {"name": "s"}}]}]),
        "one container more": pod(containers=[{"name": "d", "image": "evil:1"}]),
        "an init container": pod(initContainers=[{"name": "d", "image": "evil:1"}]),
        "an annotation on pods": Write({"spec": {"template": {"metadata": {"annotations": {"inject": "evil"}}}}}),
        "replicas": spec(replicas=9),
        "history limit": spec(revisionHistoryLimit=0),
        "pause at rest": spec(IDLE, paused=True),
        "strategy at rest": spec(IDLE, strategy={"rollingUpdate": {"maxSurge": 9}}),
        "brake at rest": spec(IDLE, minReadySeconds=9),
        "Recreate": spec(strategy={"type": "Recreate", "rollingUpdate": None}),
        "opting out": Write({"metadata": {"labels": {"penstock.dev/enabled": "false"}}}),
        "opting in": Write({"metadata": {"labels": {"penstock.dev/enabled": "true"}}}, IDLE),
        "a label of others": Write({"metadata": {"labels": {"team": "evil"}}}),
        "no label of others": Write({"metadata": {"labels": {"team": None}}}),
        "an annotation of others": Write({"metadata": {"annotations": {"team": "evil"}}}),
        "no annotation of others": Write({"metadata": {"annotations": {"team": None}}}),
        "the plan": annotated(steps="100%"),
        "a request": annotated(request="release"),
        "a finalizer": Write({"metadata": {"finalizers": ["evil.example/never"]}}),
        "an owner": Write(
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]}}
        ),
        "the label at rest": Write({"metadata": {"labels": {"penstock.dev/rollout": "stepping"}}}, IDLE),
        "a record at rest": annotated(IDLE, record=text),
        "another declared version": recorded(encode(replace(record, declared=template_hash(evil)))),
        "a hidden declared version": recorded(with_key('"decl\\u0061red"')),
        "a second declared version": recorded(with_key('"declared"')),
        "a second stable version": recorded(with_key('"stable" ')),
        "another object's record": recorded(encode(replace(record, uid="0"))),
        "no record any more, but its annotation": recorded("{}"),
        "stable version and template at once": Write(
            {
                "metadata": {"annotations": {keys.RECORD: encode(replace(record, stable=template_hash(evil)))}},
                "spec": {"template": evil},
            }
        ),
        "ReplicaSet's image": of_replicaset(spec=image("evil:1")),
        "ReplicaSet's replicas": of_replicaset(spec={"replicas": 7}),
        "ReplicaSet's readiness": of_replicaset(spec={"minReadySeconds": 7}),
        "ReplicaSet's owner": of_replicaset(metadata={"ownerReferences": None}),
        "ReplicaSet's labels": of_replicaset(metadata={"labels": {"app": "other"}}),
        "ReplicaSet's revision": of_replicaset(metadata={"annotations": {keys.REVISION: "9"}}),
        "a ReplicaSet of nobody": Write({"spec": {"replicas": 0}}, "nobodys", "replicasets"),
        "status": Write({"status": {"readyReplicas": 7, "replicas": 7}}, f"{ROLLING}/status"),
        "a condition of others": Write(
            {"status": {"conditions": [{"type": "Available", "status": "False"}]}}, f"{ROLLING}/status", strategic=True
        ),
        "an annotation through the status": Write({"metadata": {"annotations": {"team": "evil"}}}, f"{ROLLING}/status"),
        "a record through the status": Write({"metadata": {"annotations": {keys.RECORD: "{}"}}}, f"{ROLLING}/status"),
    }


def needed(record: Record, found: Object) -> dict[str, Write]:
    """Writes of a rollout, for the same token and the same objects."""
    manager = [entry for entry in found["metadata"]["managedFields"] if entry["manager"] != "kubectl"]
    brake = {"minReadySeconds": keys.BRAKE_READY, "progressDeadlineSeconds": keys.BRAKE_DEADLINE}
    condition = {"type": keys.CONDITION, "status": "Unknown", "reason": "Waiting", "message": "x"}
    rolling = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return {
        "a window": Write(
            {
                "metadata": {"annotations": {keys.RECORD: encode(replace(record, phase=Phase.OPENING, step=1))}},
                "spec": {"paused": None, "strategy": rolling, **brake},
            }
        ),
        "the stable template": Write(
            {
                "metadata": {"annotations": {keys.DECLARED: json.dumps(template("app:2"))}},
                "spec": {"paused": None, "template": template("app:1")},
            }
        ),
        "the end": Write(
            {
                "metadata": {
                    "annotations": {keys.RECORD: None, keys.REQUEST: None, keys.PREVIOUS: "x"},
                    "labels": {keys.ROLLOUT: "finishing"},
                },
                "spec": {"paused": None},
            }
        ),
        "the label": Write({"metadata": {"labels": {keys.ROLLOUT: None}}}),
        "ownership": Write({"metadata": {"managedFields": manager}}),
        "the stable version found": annotated(record=encode(replace(record, stable=template_hash(template("app:0"))))),
        "the condition": Write({"status": {"conditions": [condition]}}, f"{ROLLING}/status", strategic=True),
        "empty": of_replicaset(spec={"replicas": 0}),
        "evidence": annotated(PLAIN, "replicasets", evidence="x"),
        "aligned": of_replicaset(metadata={"annotations": {keys.DESIRED: "3"}}),
        "clean": annotated(PLAIN, "replicasets", record=None, request=None, declared=None, evidence=None),
        "nothing at rest": Write({}, IDLE),
    }


def replicaset(name: str, owner: Object | None = None) -> Object:
    """Its own pods, so that no controller has a word to say to it: it is adopted by none."""
    body = deployment(name)["spec"]
    metadata: Object = {"name": name, "labels": {"app": name}, "annotations": {keys.RECORD: "x", keys.DECLARED: "x"}}
    if owner:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner["metadata"]["name"]}
        metadata["ownerReferences"] = [{**reference, "uid": owner["metadata"]["uid"]}]
    return {"metadata": metadata, "spec": {**body, "replicas": 1}}


@pytest.fixture(scope="module")
def prey(installed: Installation) -> tuple[Installation, Record, Object]:
    """One Deployment at rest, and one whose rollout admission has begun."""
    plane = installed.plane
    plane.must("create", "namespace", NAMESPACE)
    plane.must("label", "namespace", NAMESPACE, f"{keys.ENABLED}=true")

    async def create(client: Client) -> Object:
        path = objects.deployments(NAMESPACE)
        await client.post(path, deployment(IDLE, replicas=2))
        body = deployment(ROLLING, {"team": "theirs"}, replicas=2)
        body["metadata"]["annotations"] = {"team": "theirs"}
        created = await client.post(path, body)
        await client.post(objects.replicasets(NAMESPACE), replicaset(PLAIN, created))
        await client.post(objects.replicasets(NAMESPACE), replicaset("nobodys"))
        return created

    plane.call(create)
    plane.must("wait", f"deployment/{ROLLING}", "-n", NAMESPACE, "--for=condition=Available", "--timeout=20s")
    plane.must("set", "image", f"deployment/{ROLLING}", "c=app:2", "-n", NAMESPACE)
    found = plane.call(lambda client: client.get(objects.deployment(NAMESPACE, ROLLING)))
    return installed, decode(objects.annotations(found)[keys.RECORD]), found


async def outcome(client: Client, write: Write) -> str:
    """`allowed`, or the API server's words."""
    send = client.strategic if write.strategic else client.merge
    try:
        await send(write.path, write.patch, dryRun="All")
    except ApiError as error:
        return error.message
    return "allowed"


FENCES = ("ValidatingAdmissionPolicy 'penstock-fence'", 'admission webhook "fence.penstock.dev" denied the request')


def test_a_stolen_token_of_the_controller_is_worth_little(prey: tuple[Installation, Record, Object]) -> None:
    """Every attack is refused by the fence, in the API server or at the webhook, and says so."""
    found, record, _ = prey

    async def all_of_them(client: Client) -> dict[str, str]:
        return {name: await outcome(client, write) for name, write in attacks(record).items()}

    said = found.plane.call(all_of_them, found.controller)
    passed = {name: words for name, words in said.items() if not any(fence in words for fence in FENCES)}
    assert passed == {}
    assert len(said) >= 30
    assert found.plane.call(all_of_them) != said, "nobody else is fenced"


def test_what_a_rollout_needs_passes_the_fence(prey: tuple[Installation, Record, Object]) -> None:
    """With the same token; otherwise refusing everything would do."""
    installed, record, stored = prey

    async def all_of_them(client: Client) -> dict[str, str]:
        return {name: await outcome(client, write) for name, write in needed(record, stored).items()}

    said = installed.plane.call(all_of_them, installed.controller)
    assert said == dict.fromkeys(said, "allowed")


def test_only_empty_replicasets_are_deleted(prey: tuple[Installation, Record, Object]) -> None:
    """A full one would take its pods with it."""
    installed, _, _ = prey

    async def attempt(client: Client, replicas: int) -> str:
        path = objects.replicaset(NAMESPACE, PLAIN)
        uid = objects.uid(await client.merge(path, {"spec": {"replicas": replicas}}))
        try:
            await controller_deletes(path, uid)
        except ApiError as error:
            return error.message
        return "allowed"

    async def controller_deletes(path: str, uid: str) -> None:
        async with Client.connect(installed.controller) as client:
            await client.delete(path, uid=uid, dryRun="All")

    full = installed.plane.call(lambda client: attempt(client, 1))
    empty = installed.plane.call(lambda client: attempt(client, 0))
    assert (full.endswith("deletes empty ReplicaSets of Deployments only"), empty) == (True, "allowed")


def test_the_policy_means_what_it_says(installed: Installation) -> None:
    """The API server checks expressions against the types they are about, and notes what cannot work."""
    said = installed.plane.must("get", "validatingadmissionpolicy", "penstock-fence", "-o", "jsonpath={.status}")
    assert "warning" not in said, said
