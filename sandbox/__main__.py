"""`python -m sandbox`: a real Kubernetes on this machine, for the demo, the tests and for trying things."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import click

from sandbox.cluster import Sandbox
from sandbox.component import Failed
from sandbox.missing import Missing
from sandbox.spec import Spec


def directory_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Every subcommand says which sandbox it means."""
    return click.option("--directory", default=".sandbox", show_default=True, help="Where the sandbox keeps itself.")(
        command
    )


@click.group()
def main() -> None:
    """A real Kubernetes on this machine, with Penstock in it."""


@main.command()
@directory_option
@click.option("--pods", type=click.Choice(["real", "simulated"]), help="Default: real for root on Linux.")
@click.option("--real-nodes", type=click.IntRange(0, 9), help="How many nodes with real containers.")
@click.option("--simulated-nodes", type=click.IntRange(0, 5000), help="How many nodes played by kwok.")
@click.option("--without-penstock", is_flag=True, help="Only the cluster.")
@click.option("--prometheus", is_flag=True, help="With a Prometheus that scrapes the pods, and the controller asks.")
@click.option("--kube-api-qps", type=click.IntRange(0), default=0, help="Lift the native controllers' rate limit.")
def up(
    directory: str,
    pods: str | None,
    real_nodes: int | None,
    simulated_nodes: int | None,
    without_penstock: bool,
    prometheus: bool,
    kube_api_qps: int,
) -> None:
    """Start a cluster; harmless when it runs already."""
    if real_nodes is None and simulated_nodes is None:
        real = pods == "real" or (pods is None and real_pods_possible())
        real_nodes, simulated_nodes = (1, 0) if real else (0, 1)
    spec = Spec(real_nodes or 0, simulated_nodes or 0, not without_penstock, kube_api_qps, prometheus)
    if not spec.real_nodes + spec.simulated_nodes:
        raise click.UsageError("a cluster needs a node")
    sandbox = Sandbox(directory)
    sandbox.up(spec)
    print(f"{spec.words} in {sandbox.directory}", file=sys.stderr)
    if sandbox.page:
        print(f"web page: {sandbox.page}", file=sys.stderr)
    if sandbox.prometheus:
        print(f"Prometheus: {sandbox.prometheus}", file=sys.stderr)
    print(f"export KUBECONFIG={sandbox.kubeconfig}")


def real_pods_possible() -> bool:
    """Root on Linux; missing packages are then an error with advice, not a silent change of kind."""
    return sys.platform == "linux" and os.geteuid() == 0


@main.command()
@directory_option
def down(directory: str) -> None:
    """End it, and leave nothing behind but logs."""
    Sandbox(directory).down()


@main.command()
@directory_option
def status(directory: str) -> None:
    """Show each process; exit code 1 if one is dead."""
    sandbox = Sandbox(directory)
    dead = 0
    for name in sandbox.components():
        pid = sandbox.pid(name)
        dead += pid is None
        print(f"{name:<26}{pid or 'dead':<10}{sandbox.files.log(name)}")
    sys.exit(1 if dead else 0)


@main.command()
@directory_option
@click.argument("name")
def restart(directory: str, name: str) -> None:
    """Restart one process, or start a dead one; returns when it is ready."""
    Sandbox(directory).restart(name)


@main.command()
@directory_option
@click.argument("name")
def stop(directory: str, name: str) -> None:
    """End one process."""
    Sandbox(directory).stop(name)


@main.command(name="exec", context_settings={"ignore_unknown_options": True})
@directory_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(directory: str, command: tuple[str, ...]) -> NoReturn:
    """Run a command where pods and Services can be reached, with KUBECONFIG set."""
    Sandbox(directory).execute(command)


def interrupted(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends `up` the way Ctrl-C does: by taking down what has been started."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (Failed, Missing) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
