"""One test for each way to be known to a cluster, over real TLS: the official client's major releases break these."""

import asyncio
import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from penstock.kube import Client, Denied, NotConfigured, Unavailable
from penstock.kube.credentials import InCluster, Kubeconfig, find
from tests.kube import pki
from tests.kube.loopback import Asked, Loopback, Respond, always, http

OK = always(http(200, {"ok": True}))
ADDRESS = "127.0.0.1"


@pytest.fixture(scope="module")
def ca() -> pki.Pair:
    return pki.authority()


@pytest.fixture
def secure(ca: pki.Pair, tmp_path: Path) -> Loopback:
    """A server whose certificate is for the IP address, as sandboxes and kind clusters have."""
    return Loopback(OK, pki.serving(tmp_path, pki.leaf(ca, "kube-apiserver", ADDRESS)))


def demanding(*accepted: str) -> Respond:
    """Answers 401 to every token but these."""

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        known = asked.headers.get("authorization", "").removeprefix("Bearer ").removeprefix("bearer ") in accepted
        refused = {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"}
        writer.write(http(200, {"ok": True}) if known else http(401, refused))

    return respond


def trusting(ca: pki.Pair) -> dict[str, str]:
    return {"certificate-authority-data": ca.data}


def plugin(directory: Path, script: str) -> dict[str, Any]:
    file = directory / "plugin"
    file.write_text(f"#!/bin/sh\necho run >> {directory}/runs\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "interactiveMode": "Never"}}


def credential(**status: str) -> str:
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


def runs(directory: Path) -> int:
    return len((directory / "runs").read_text().split())


async def test_a_token_and_an_embedded_ca(secure: Loopback, ca: pki.Pair, tmp_path: Path) -> None:
    """The sandbox's own kubeconfig; the namespace comes from the context."""
    async with secure.running():
        place = secure.kubeconfig(tmp_path, **trusting(ca))
        async with Client.at(place) as client:
            assert client.namespace == "shop"
            assert await client.get("/x") == {"ok": True}
    assert secure.asked[0].headers["authorization"] == "Bearer secret"


async def test_a_ca_file_next_to_the_kubeconfig(secure: Loopback, ca: pki.Pair, tmp_path: Path) -> None:
    """Relative paths in a kubeconfig are relative to it, not to where we run."""
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    async with (
        secure.running(),
        Client.at(secure.kubeconfig(tmp_path, **{"certificate-authority": "ca.pem"})) as client,
    ):
        assert await client.get("/x") == {"ok": True}


async def test_a_foreign_ca_is_not_believed(secure: Loopback, tmp_path: Path) -> None:
    """And the credentials are not sent there."""
    foreign = {"certificate-authority-data": pki.authority().data}
    async with secure.running(), Client.at(secure.kubeconfig(tmp_path, **foreign)) as client:
        with pytest.raises(Unavailable, match="certificate verify failed") as caught:
            await client.get("/x")
    assert caught.value.reason == "Untrusted"  # somebody has answered: not the same as silence
    assert secure.asked == []


async def test_a_certificate_for_another_address_is_not_believed(ca: pki.Pair, tmp_path: Path) -> None:
    """Signed by the right CA, but for some other machine."""
    other = Loopback(OK, pki.serving(tmp_path, pki.leaf(ca, "kube-apiserver", "10.96.0.1")))
    async with other.running(), Client.at(other.kubeconfig(tmp_path, **trusting(ca))) as client:
        with pytest.raises(Unavailable, match="IP address mismatch"):
            await client.get("/x")


async def test_insecure_skip_tls_verify_is_obeyed(secure: Loopback, tmp_path: Path) -> None:
    """People have such kubeconfigs for their test machines."""
    async with secure.running(), Client.at(secure.kubeconfig(tmp_path, **{"insecure-skip-tls-verify": True})) as client:
        assert await client.get("/x") == {"ok": True}


async def test_a_client_certificate(ca: pki.Pair, tmp_path: Path) -> None:
    """kubeadm's admin.conf: certificate and key are embedded, there is no token."""
    admin = pki.leaf(ca, "kubernetes-admin")
    server = Loopback(OK, pki.serving(tmp_path, pki.leaf(ca, "kube-apiserver", ADDRESS), clients=ca))
    user = {"client-certificate-data": admin.data, "client-key-data": admin.key_data}
    async with server.running():
        place = server.kubeconfig(tmp_path, user, **trusting(ca))
        async with Client.at(place) as client:
            assert await client.get("/x") == {"ok": True}
    assert "authorization" not in server.asked[0].headers


async def test_a_plugin_is_asked_again_when_its_token_has_expired(tmp_path: Path) -> None:
    """Cloud clusters: a token lives minutes, a controller months. Twenty requests at once start it once."""
    user = plugin(tmp_path, f"printf '{credential(token='t%d')}' $(wc -l < {tmp_path}/runs)")
    server = Loopback(demanding("t1"))
    async with server.running(), Client.at(server.kubeconfig(tmp_path, user)) as client:
        assert await client.get("/x") == {"ok": True}
        assert runs(tmp_path) == 1
        server.respond = demanding("t2")
        answers = await asyncio.gather(*(client.patch("/x", []) for _ in range(20)))
        assert answers == [{"ok": True}] * 20
        assert runs(tmp_path) == 2


async def test_a_refusal_that_comes_late_uses_what_others_renewed(tmp_path: Path) -> None:
    """It was sent with the old token and is answered after the new one is there: no second run, no error."""
    user = plugin(tmp_path, f"printf '{credential(token='t%d')}' $(wc -l < {tmp_path}/runs)")
    refuse = demanding("t2")

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.query and asked.headers["authorization"] == "Bearer t1":
            await asyncio.sleep(0.3)
        await refuse(asked, writer)

    async with Loopback(respond).running() as server, Client.at(server.kubeconfig(tmp_path, user)) as client:
        answers = await asyncio.gather(client.get("/x", late=1), client.get("/x"))
        assert answers == [{"ok": True}] * 2
        assert runs(tmp_path) == 2


async def test_a_plugin_may_give_a_certificate(ca: pki.Pair, tmp_path: Path) -> None:
    """The other thing plugins may answer."""
    admin = pki.leaf(ca, "admin")
    given = credential(clientCertificateData=admin.pem.decode(), clientKeyData=admin.key_pem.decode())
    (tmp_path / "given.json").write_text(given)
    server = Loopback(OK, pki.serving(tmp_path, pki.leaf(ca, "kube-apiserver", ADDRESS), clients=ca))
    user = plugin(tmp_path, f"cat {tmp_path}/given.json")
    async with server.running(), Client.at(server.kubeconfig(tmp_path, user, **trusting(ca))) as client:
        assert await client.get("/x") == {"ok": True}


@pytest.mark.parametrize("script", ["exit 1", "echo not json", "echo '{}'", f"echo '{credential()}'"])
async def test_a_plugin_that_fails_is_named(script: str, tmp_path: Path) -> None:
    """The official client goes on as nobody, which looks like a missing permission."""
    user = plugin(tmp_path, script)
    with pytest.raises(NotConfigured, match=r"the credentials plugin gave none"):
        async with Client.at(Loopback(OK).kubeconfig(tmp_path, user)):
            pass


async def test_for_ever_refused_credentials_are_not_read_for_ever(tmp_path: Path) -> None:
    """A deleted account: each request is refused once, the plugin does not run for each."""
    user = plugin(tmp_path, f"echo '{credential(token='t')}'")
    server = Loopback(demanding())
    async with server.running(), Client.at(server.kubeconfig(tmp_path, user)) as client:
        for _ in range(10):
            with pytest.raises(Denied) as caught:
                await client.get("/x")
            assert caught.value.status == 401
    assert runs(tmp_path) == 2
    assert len(server.asked) == 11


async def test_a_replaced_token_file_is_read_again(tmp_path: Path) -> None:
    """Projected tokens named by a kubeconfig; the official client reads them once."""
    (tmp_path / "token").write_text("old")
    server = Loopback(demanding("old"))
    async with server.running(), Client.at(server.kubeconfig(tmp_path, {"tokenFile": "token"})) as client:
        assert await client.get("/x") == {"ok": True}
        (tmp_path / "token").write_text("new")
        server.respond = demanding("new")
        assert await client.get("/x") == {"ok": True}


def pod(directory: Path, server: Loopback, ca: pki.Pair, token: str = "old") -> InCluster:
    mounted = directory / "serviceaccount"
    mounted.mkdir()
    (mounted / "token").write_text(token)
    (mounted / "ca.crt").write_bytes(ca.pem)
    (mounted / "namespace").write_text("penstock-system")
    return InCluster(ADDRESS, str(server.port), mounted)


async def test_a_pods_service_account(secure: Loopback, ca: pki.Pair, tmp_path: Path) -> None:
    """In the cluster; the kubelet replaces the token long before the old one expires."""
    secure.respond = demanding("old")
    async with secure.running():
        place = pod(tmp_path, secure, ca)
        async with Client.at(place) as client:
            assert client.namespace == "penstock-system"
            assert await client.get("/x") == {"ok": True}
            (place.mounted / "token").write_text("new")
            secure.respond = demanding("new")
            assert await client.get("/x") == {"ok": True}


async def test_a_pods_token_that_cannot_be_read_for_a_moment(
    secure: Loopback, ca: pki.Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The kubelet is just replacing it: the old token is still good, and no foreign error comes out."""
    async with secure.running():
        place = pod(tmp_path, secure, ca)
        async with Client.at(place) as client:
            await client.get("/x")
            (place.mounted / "token").write_text("")
            await client.get("/x")
            (place.mounted / "token").unlink()
            await client.get("/x")
            (place.mounted / "token").write_text("new")
            await client.get("/x")
    sent = [asked.headers["authorization"] for asked in secure.asked]
    assert sent == ["Bearer old", "Bearer old", "Bearer old", "Bearer new"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_replaced_ca_is_read_again(secure: Loopback, ca: pki.Pair, tmp_path: Path) -> None:
    """The cluster's CA was rotated under a running controller."""
    async with secure.running():
        place = pod(tmp_path, secure, pki.authority("the old one"))
        async with Client.at(place) as client:
            (place.mounted / "ca.crt").write_bytes(ca.pem)
            assert await client.get("/x") == {"ok": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("{", "parsing"),
        ("current-context: x", "contexts"),
        ("[1, 2]", ""),
        ("contexts: [{name: x, context: {cluster: c}}]\nclusters: []\ncurrent-context: x", "cluster"),
    ],
)
async def test_a_broken_kubeconfig_is_one_error(text: str, said: str, tmp_path: Path) -> None:
    """The command line prints it as it is; a traceback helps nobody."""
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(NotConfigured, match=f"(?s){file} cannot be used.*{said}"):
        async with Client.connect(str(file)):
            pass


async def test_a_context_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    """A typing error is seen beside the right names."""
    one, two = (tmp_path / name for name in ("one", "two"))
    one.write_text("contexts: [{name: shop, context: {}}]")
    two.write_text("contexts: [{name: bank, context: {}}]")
    with pytest.raises(NotConfigured) as caught:
        async with Client.connect(f"{one}:{two}:{tmp_path / 'three'}", "shopp"):
            pass
    assert str(caught.value) == f"there is no context shopp in {one}:{two}:{tmp_path / 'three'}; there are: shop, bank"


async def test_a_proxy_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    """Not as a failure of every request."""
    place = Loopback(OK).kubeconfig(tmp_path, **{"proxy-url": "socks5://127.0.0.1:1"})
    with pytest.raises(NotConfigured, match="only http:// and https:// proxies"):
        async with Client.at(place):
            pass


def test_where_the_credentials_are(tmp_path: Path) -> None:
    """kubectl's order. A named file that does not exist is never a reason to talk to another cluster."""
    flag, env = tmp_path / "flag", tmp_path / "env"
    home, mounted = tmp_path / ".kube" / "config", tmp_path / "mounted"
    pod = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    both = {**pod, "KUBECONFIG": f"{tmp_path}/missing:{env}"}

    with pytest.raises(NotConfigured) as caught:
        find(None, None, pod, mounted)
    assert str(caught.value) == (
        f"no cluster to talk to: no --kubeconfig, $KUBECONFIG is not set, {home} does not exist, "
        "and this is not a pod with a ServiceAccount token"
    )
    mounted.mkdir()
    (mounted / "token").touch()
    assert find(None, None, pod, mounted) == InCluster("10.96.0.1", "443", mounted)
    with pytest.raises(NotConfigured):
        find(None, "some-context", pod, mounted)
    home.parent.mkdir()
    home.touch()
    assert find(None, "some-context", pod, mounted) == Kubeconfig(str(home), "some-context")
    with pytest.raises(NotConfigured, match=r"\$KUBECONFIG names .*env, which does not exist"):
        find(None, None, both, mounted)
    env.touch()
    assert find(None, None, both, mounted) == Kubeconfig(f"{tmp_path}/missing:{env}")
    with pytest.raises(NotConfigured, match=r"--kubeconfig names .*flag, which does not exist"):
        find(str(flag), None, both, mounted)
    with pytest.raises(NotConfigured, match=f"--kubeconfig names {tmp_path}, which is a directory"):
        find(str(tmp_path), None, both, mounted)
    flag.touch()
    assert find(str(flag), None, both, mounted) == Kubeconfig(str(flag))


async def test_the_environment_is_read_when_connecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official client reads $KUBECONFIG once, when it is imported."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with Loopback(always(http(200, {"name": name}))).running() as server:
            monkeypatch.setenv("KUBECONFIG", server.kubeconfig(tmp_path / name).path)
            async with Client.connect() as client:
                assert await client.get("/x") == {"name": name}
