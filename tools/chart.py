"""`python -m tools.chart`: the templates of deploy/chart, made from the manifests in deploy/base.

Two hand-written copies of the same objects drift apart, and then one of two ways to install is broken. So the base is
the source, and a rule says for each place that a value of the chart may change what stands there instead. A rule that
finds its place not exactly as often as it says fails, so no change of the base gets lost.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASE = ROOT / "deploy" / "base"
STRICT = ROOT / "deploy" / "overlays" / "strict" / "strict.yaml"
TEMPLATES = ROOT / "deploy" / "chart" / "templates"

MADE = "{{- /* Made from deploy/base by `make chart`; change it there. */}}\n"
CHECK = (
    '{{- if ne .Release.Namespace "penstock-system" }}'
    '{{- fail (printf "Penstock lives in the namespace penstock-system, this is %s: '
    'helm install penstock deploy/chart --namespace penstock-system --create-namespace" .Release.Namespace) }}'
    "{{- end }}\n"
)


@dataclass(frozen=True)
class Rule:
    """In one file: this text, found so many times, becomes that."""

    file: str
    old: str
    new: str
    times: int = 1


def _common(name: str, memory: str, replicas: str) -> tuple[Rule, ...]:
    file = f"{name}.yaml"
    amounts = f"            requests: {{cpu: 50m, memory: 128Mi}}\n            limits: {{memory: {memory}}}\n"
    resources = f"          resources:\n{amounts}"
    chosen = f"          resources:\n            {{{{- toYaml .Values.{name}.resources | nindent 12 }}}}\n"
    secrets = (
        "      {{- with .Values.image.pullSecrets }}\n      imagePullSecrets:\n"
        "        {{- range . }}\n        - name: {{ . }}\n        {{- end }}\n      {{- end }}\n"
    )
    account = f"      serviceAccountName: {name}\n"
    return (
        Rule(file, "localhost/penstock:dev", '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'),
        Rule(file, "imagePullPolicy: IfNotPresent", "imagePullPolicy: {{ .Values.image.pullPolicy }}"),
        Rule(file, replicas, f"  replicas: {{{{ .Values.{name}.replicas }}}}\n"),
        Rule(file, resources, chosen),
        Rule(file, account, secrets + account),
    )


RULES = (
    *_common("webhook", "256Mi", "  replicas: 2\n"),
    *_common("controller", "512Mi", "  replicas: 1 # more are harmless: one leads\n"),
    Rule(
        "webhook.yaml",
        "args: [--webhook-names=webhook.penstock-system.svc",
        "args: [--webhook-names=webhook.penstock-system.svc{{ if .Values.strict }}, --strict{{ end }}",
    ),
    Rule(
        "controller.yaml",
        "--configuration=/etc/penstock/penstock.yaml",
        "--configuration=/etc/penstock/penstock.yaml"
        '{{ with .Values.controller.namespaces }}, "--namespaces={{ join "," . }}"{{ end }}',
    ),
)


def templates() -> dict[str, str]:
    """Each template by its file name. Raises ValueError where a rule does not find its place."""
    made = {path.name: _ruled(path) for path in sorted(BASE.glob("*.yaml")) if path.name != "kustomization.yaml"}
    made["configuration.yaml"] = _configuration(made["configuration.yaml"])
    made["namespace.yaml"] = CHECK + "{{- if .Values.createNamespace }}\n" + made["namespace.yaml"] + "{{- end }}\n"
    made["validating.yaml"] += _strict()
    return {name: MADE + text for name, text in made.items()}


def _ruled(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if "{{" in text:
        raise ValueError(f"{path.name}: a manifest with {{{{ in it would be taken for a template")
    for rule in RULES:
        if rule.file != path.name:
            continue
        if text.count(rule.old) != rule.times:
            raise ValueError(f"{path.name}: {rule.old!r} stands there {text.count(rule.old)} times, not {rule.times}")
        text = text.replace(rule.old, rule.new)
    return text


def _configuration(text: str) -> str:
    """All of the ConfigMap's data is a value."""
    head, found, _ = text.partition("  penstock.yaml: |\n")
    if not found:
        raise ValueError("configuration.yaml: no key penstock.yaml")
    return head + found + "    {{- .Values.configuration | nindent 4 }}\n"


def _strict() -> str:
    """The webhooks that the strict overlay adds to the last object of validating.yaml."""
    _, found, entries = STRICT.read_text(encoding="utf-8").partition("\nwebhooks:\n")
    if not found:
        raise ValueError("strict.yaml: no list of webhooks")
    return (
        "  {{- if .Values.strict }}\n"
        + entries.replace("&rules", "&strict").replace("*rules", "*strict")
        + "  {{- end }}\n"
    )


def main() -> None:
    """Write them."""
    TEMPLATES.mkdir(exist_ok=True)
    for name, text in templates().items():
        (TEMPLATES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
