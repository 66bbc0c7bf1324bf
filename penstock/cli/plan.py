"""`penstock plan`: what a change of each Deployment would do; of those in some files without any cluster.

For pull requests and for the curious. Errors are the sentences of admission and end the command with code 1, whatever
else could be planned; what is no Deployment is passed over and said so.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.completion import deployments
from penstock.cli.formats import formatted
from penstock.cli.options import common, files, settings

if TYPE_CHECKING:
    from penstock.cli.forecast import Forecast
    from penstock.cli.manifests import Document


@dataclass
class Planned:
    """What came of some files."""

    forecasts: "list[tuple[Document, Forecast]]" = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@click.command()
@click.argument("names", nargs=-1, metavar="[DEPLOYMENT]...", shell_complete=deployments)
@click.option(
    "-f", "--filename", "paths", multiple=True, metavar="FILE", shell_complete=files, help="- reads standard input."
)
@formatted
@common
def plan(names: tuple[str, ...], paths: tuple[str, ...], output: str) -> None:
    """Show what a change of a Deployment would do, before it is made.

    With -f it works on files alone: a Namespace in them tells whether it is opted in, and gives its annotations as
    defaults. With DEPLOYMENT those in the cluster are meant, at their present size. Exit code 1 on errors, which are
    those of admission. -o yaml prints the manifests as admission would make them.
    """
    if bool(names) == bool(paths):
        raise click.UsageError("name files by -f FILE, or Deployments of the cluster: one of the two")
    if names:
        from penstock.cli.live import documents_of

        documents = documents_of(names)
    else:
        documents = _read(paths)
    planned = planned_for(documents, settings().namespace or "default")
    PRINTERS[output](planned)
    for error in planned.errors:
        click.echo(f"Error: {error['where']}: {error['message']}", err=True)
    for note in planned.notes:
        click.echo(f"Note: {note}", err=True)
    if planned.errors:
        raise SystemExit(1)


def _read(paths: tuple[str, ...]) -> "list[Document]":
    from penstock.cli.errors import Refusal
    from penstock.cli.manifests import read

    documents = [document for path in paths for document in read(path)]
    if not documents:
        named = ", ".join("standard input" if path == "-" else path for path in paths)
        raise Refusal(f"{named}: empty, no object to plan")
    return documents


def planned_for(documents: "list[Document]", namespace: str) -> Planned:
    """Forecasts of all Deployments; `namespace` is that of objects which name none."""
    planned = Planned()
    namespaces: dict[str, Any] = {}
    for document in documents:
        if document.is_namespace:
            wrong = list(_wrong(document))
            planned.errors += wrong
            namespaces[document.name] = None if wrong else document.obj
    places: dict[tuple[str, str], str] = {}
    for document in documents:
        if document.is_deployment:
            first = places.setdefault((document.namespace or namespace, document.name), document.where)
            if first != document.where:
                planned.notes.append(f"{document.where}: the same as {first}; the last one applied counts")
            _plan(document, namespace, namespaces, planned)
        elif not document.is_namespace:
            planned.notes.append(f"{document.where}: passed over, only apps/v1 Deployments are stepped")
    if not places and not planned.errors:
        planned.notes.append("no Deployment found, there is nothing to plan")
    return planned


def _plan(document: "Document", namespace: str, namespaces: Mapping[str, Any], planned: Planned) -> None:
    from penstock.cli.forecast import forecast
    from penstock.cli.manifest import defaulted
    from penstock.core.units import AnnotationError

    wrong = list(_wrong(document))
    planned.errors += wrong
    if wrong:
        return
    manifest = defaulted(document.obj, namespace)
    home = manifest["metadata"]["namespace"]
    if home in namespaces and namespaces[home] is None:
        planned.notes.append(f"{document.where}: not planned, its Namespace has errors")
        return
    try:
        planned.forecasts.append((document, forecast(manifest, namespaces.get(home))))
    except AnnotationError as error:  # each value is good, and they do not go together
        if home in namespaces:
            planned.errors.append(_error(document, f"annotation {error}"))
        else:
            planned.notes.append(f"{document.where}: not planned, its Namespace is not known here: annotation {error}")


def _wrong(document: "Document") -> Iterator[dict[str, str]]:
    """What the API server or admission would refuse."""
    from penstock.cli.manifest import faults
    from penstock.core.review import problems

    for message in faults(document.obj) or problems(document.obj, None, document.kind):
        yield _error(document, message)


def _error(document: "Document", message: str) -> dict[str, str]:
    return {
        "file": document.file,
        "document": document.position,
        "object": document.title,
        "where": document.where,
        "message": message,
    }


def print_text(planned: Planned, *, wide: bool = False) -> None:
    from penstock.cli.console import emit
    from penstock.cli.forecast_view import render

    for _, forecast in planned.forecasts:
        emit(render(forecast, wide=wide))


def print_wide(planned: Planned) -> None:
    """Every window of every step, and the whole of each changed line."""
    print_text(planned, wide=True)


def print_yaml(planned: Planned) -> None:
    """The manifests as admitted, to be piped on; warnings go to stderr."""
    from penstock.cli.cautions import cautions
    from penstock.cli.forecast_view import text

    click.echo("---\n".join(text(forecast.admitted) for _, forecast in planned.forecasts), nl=False)
    for _, forecast in planned.forecasts:
        for sentence in cautions(forecast):
            click.echo(f"Warning: {forecast.namespace}/{forecast.name}: {sentence}", err=True)


def print_json(planned: Planned) -> None:
    value = {
        "deployments": [_json(document, forecast) for document, forecast in planned.forecasts],
        "errors": planned.errors,
        "notes": planned.notes,
    }
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _json(document: "Document", f: "Forecast") -> dict[str, Any]:
    from penstock.cli.cautions import cautions, headline

    return {
        "file": document.file,
        "document": document.position,
        "namespace": f.namespace,
        "name": f.name,
        "optedIn": f.opted_in,
        "replicas": f.replicas,
        "maxSurge": f.limits.surge,
        "maxUnavailable": f.limits.unavailable,
        "stepTime": {"min": f.plan.step_time.min, "max": f.plan.step_time.max},
        "summary": headline(f),
        "first": f.first,
        "steps": [
            {
                "step": number,
                "written": list(stage.exposure.written),
                "pods": stage.exposure.pods,
                "oldPods": stage.old(f.replicas),
                "windows": [
                    {"target": w.target, "surge": w.surge, "unavailable": w.unavailable} for w in stage.windows
                ],
                "approval": stage.approval,
            }
            for number, stage in enumerate(f.stages, 1)
        ],
        "warnings": list(cautions(f)),
        "admission": {"reason": f.admission.reason, "patch": list(f.admission.patch)},
        "admitted": f.admitted,
    }


PRINTERS = {"text": print_text, "wide": print_wide, "yaml": print_yaml, "json": print_json}
