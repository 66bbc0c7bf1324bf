"""What a sandbox writes: only its own entries are ever removed, keys are closed, state comes back as it was."""

import stat
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox import identities, ports
from sandbox.directory import Directory
from sandbox.spec import Spec, State, load, save


def state(spec: Spec) -> State:
    """Of a sandbox that was never started."""
    return State(spec, ports.choose(), "/binaries", "0123abcd")


def test_clearing_spares_what_the_sandbox_has_not_made(tmp_path: Path) -> None:
    """`--directory .` in a checkout must not cost the checkout."""
    directory = Directory(tmp_path)
    directory.make()
    save(directory, state(Spec()))
    directory.log("etcd").touch()
    directory.pid_file("etcd").touch()
    (tmp_path / "thesis.tex").touch()
    (tmp_path / "run" / "notes.txt").touch()

    directory.clear(logs=False)
    kept = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    directory.clear(logs=True)

    assert kept == ["run", "run/etcd.log", "run/notes.txt", "thesis.tex"]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        *("run", "run/notes.txt", "thesis.tex")
    ]


def test_keys_and_kubeconfigs_are_closed_to_other_users(tmp_path: Path) -> None:
    """The administrator of a sandbox with real pods is root on the machine."""
    directory = Directory(tmp_path / "sandbox")
    directory.make()
    identities.create(directory, state(Spec(real_nodes=2)))

    secret = [directory.kubeconfig, *directory.pki.glob("*.key"), *directory.configuration.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(directory.root.stat().st_mode) == 0o700


def test_each_component_is_who_rbac_expects(tmp_path: Path) -> None:
    """With one all-powerful identity for everything, a missing permission would show on real clusters only."""
    directory = Directory(tmp_path)
    directory.make()
    identities.create(directory, state(Spec(real_nodes=2)))

    subjects = {}
    for file in directory.pki.glob("*.crt"):
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        names = {name.oid: str(name.value) for name in certificate.subject}
        subjects[file.stem] = (names[NameOID.COMMON_NAME], names.get(NameOID.ORGANIZATION_NAME, ""))
    assert subjects == {
        "ca": ("penstock-sandbox", ""),
        "serving": ("serving", ""),
        "admin": ("kubernetes-admin", "system:masters"),
        "kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
        "kube-controller-manager": ("system:kube-controller-manager", "system:masters"),
        "kube-scheduler": ("system:kube-scheduler", ""),
        "kwok": ("kwok", "system:masters"),
        "kubelet-1": ("system:node:real-1", "system:nodes"),
        "kubelet-2": ("system:node:real-2", "system:nodes"),
        "kube-proxy-1": ("system:kube-proxy", ""),
        "kube-proxy-2": ("system:kube-proxy", ""),
    }


def test_the_api_server_is_trusted_under_every_name_it_is_called_by(tmp_path: Path) -> None:
    """From outside by loopback, from pods by the Service's address or name, from other nodes by the node's."""
    directory = Directory(tmp_path)
    directory.make()
    identities.create(directory, state(Spec(real_nodes=2)))
    load_pem = x509.load_pem_x509_certificate
    authority = load_pem((directory.pki / "ca.crt").read_bytes())
    serving = load_pem((directory.pki / "serving.crt").read_bytes())

    names = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    usage = serving.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert addresses == {"127.0.0.1", "10.96.0.1", "10.244.0.1", "10.244.1.1"}
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    serving.verify_directly_issued_by(authority)


def test_the_kubeconfig_needs_no_other_file_and_no_program(tmp_path: Path) -> None:
    """It is copied into containers and read by clients in several languages."""
    directory = Directory(tmp_path)
    directory.make()
    made = state(Spec())
    identities.create(directory, made)

    config = yaml.safe_load(directory.kubeconfig.read_text())

    assert config["current-context"] == "sandbox"
    assert config["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{made.ports.api}"
    assert set(config["clusters"][0]["cluster"]) == {"server", "certificate-authority-data"}
    assert set(config["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_the_state_comes_back_as_it_was_and_a_foreign_one_is_none(tmp_path: Path) -> None:
    """A sandbox begun by an older version of this code must be cleaned up, not crash every command."""
    directory = Directory(tmp_path)
    directory.make()
    made = state(Spec(1, 2, penstock=False, kube_api_qps=50))

    save(directory, made)
    assert load(directory) == made

    directory.state.write_text('{"spec": {"nodes": 3}}')
    assert load(directory) is None
