"""The image that is given away runs in containerd as it would in a cluster: not as root, with nothing to write to."""

import http.client
import json
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import ports
from sandbox.image.release import checked_out
from tests.sandbox.container import Runtime, runtime

pytestmark = [pytest.mark.real, pytest.mark.full, pytest.mark.usefixtures("real_pods")]

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {"token": "none"}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
}
"""No API server answers there. Both servers wait for one, and are alive meanwhile."""

LOOK = """
import json, os, shutil, ssl
def writable(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "written"
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "written": [writable(path) for path in ("/app/x", "/usr/lib/x", "/x", "/tmp/x")],
    "tools": [name for name in ("sh", "bash", "dash", "busybox", "apt-get", "dpkg", "perl") if shutil.which(name)],
    "authorities": len(ssl.create_default_context().get_ca_certs()) > 100,
}))
"""


@pytest.fixture(scope="module")
def image(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runtime, str]]:
    """The archive of this checkout, loaded."""
    with checked_out() as release, tempfile.TemporaryDirectory(prefix="ctr") as short, runtime(Path(short)) as running:
        running.load(release.write(tmp_path_factory.mktemp("image")))
        yield running, release.reference


def healthy(port: int) -> int:
    """The status of /healthz, 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("server", ["webhook", "controller"])
def test_a_server_starts_is_alive_and_ends_when_asked(image: tuple[Runtime, str], server: str, tmp_path: Path) -> None:
    """Two entry points of one image, with the user, the file system and the signal that the manifests foresee."""
    running, reference = image
    chosen = ports.choose()
    port = chosen.webhook_metrics
    (tmp_path / "config").write_text(json.dumps(KUBECONFIG))
    tmp_path.chmod(0o755)
    flags = [f"--metrics-port={port}", "--kubeconfig=/etc/kube/config"]
    flags += [f"--port={chosen.webhook}"] if server == "webhook" else []
    mount = f"type=bind,src={tmp_path},dst=/etc/kube,options=rbind:ro"
    started = running.start(reference, server, ["python3", "-m", server, *flags], mount)
    try:
        deadline = time.monotonic() + 60
        while not (status := healthy(port)) and started.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        running.kill(server, signal.SIGTERM)
        output, _ = started.communicate(timeout=30)
    finally:
        running.kill(server, signal.SIGKILL)
    assert (status, started.returncode) == (200, 0), output
    assert "Traceback" not in output


def test_it_is_nobody_of_consequence_and_there_is_nothing_to_write_to_nor_to_run(image: tuple[Runtime, str]) -> None:
    """What a broken-in server finds."""
    running, reference = image
    code, output = running.said(reference, "look", ["python3", "-c", LOOK])
    assert code == 0, output
    refused = ["Read-only file system"] * 3
    assert json.loads(output) == {
        "user": [65532, 65532],
        "written": [*refused, "written"],
        "tools": [],
        "authorities": True,
    }


def test_the_command_line_is_in_it_for_jobs(image: tuple[Runtime, str]) -> None:
    """With all that its commands import, tables and patches too."""
    running, reference = image
    code, output = running.said(reference, "help", ["python3", "-m", "penstock.cli", "uninstall", "--help"])
    assert (code, "Take Penstock out of the cluster" in output) == (0, True), output
    imports = "import penstock.cli.status, penstock.cli.plan, penstock.cli.halves, penstock.cli.live"
    assert running.said(reference, "imports", ["python3", "-c", imports]) == (0, "")
