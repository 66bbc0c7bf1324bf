"""What the controller is told when it starts; each flag is also an environment variable PENSTOCK_<FLAG>."""

import os
import socket

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Flags of `python -m controller`."""

    kubeconfig: str = ""
    """Path; empty: $KUBECONFIG, else the pod's own ServiceAccount."""
    namespace: str = "penstock-system"
    """Where the leases and the certificate Secret live."""
    namespaces: tuple[str, ...] = ()
    """Namespaces this controller is limited to; empty: all."""
    identity: str = f"{socket.gethostname()}-{os.getpid()}"
    """Its name in the lease."""
    metrics_port: int = 9090
    """Plain HTTP with /metrics, /healthz, /readyz; 0: none."""
    webhook_names: tuple[str, ...] = ("webhook.penstock-system.svc",)
    """Names and addresses that the webhook's certificate is for."""
    without_certs: bool = False
    """Do not run the certificate authority."""
    configuration: str = ""
    """Path of penstock.yaml; empty: the defaults, without a Prometheus."""
    record: str = ""
    """Directory in which decisions are kept with what they were made from, for `penstock replay`; empty: none."""

    page_port: int = 0
    """The web page, see docs/guide/page.md; 0: none."""
    page_address: str = "127.0.0.1"
    """Where it listens. On another address than loopback the page asks who looks, by one of the next."""
    page_token_file: str = ""
    """File with the token that opens the page, from a Secret."""
    page_user_header: str = ""
    """Header in which an authenticating proxy names the user."""
    page_proxies: str = ""
    """Addresses of these proxies, like 10.0.0.0/8, comma separated: from others the header counts nothing."""
    page_hosts: str = ""
    """Host names, comma separated, that the page answers to besides localhost."""
    page_prefix: str = ""
    """Path under which a proxy shows the page, where it does not say so by X-Forwarded-Prefix."""

    @property
    def lease(self) -> str:
        """One leader per shard: a controller limited to namespaces has a lease of its own."""
        shard = "-".join(sorted(self.namespaces))
        return f"penstock-controller-{shard}"[:253] if shard else "penstock-controller"
