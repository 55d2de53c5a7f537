"""What Prometheus is asked in deploy/: the metrics and labels of an expression, read by its own grammar."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import promql_parser
import yaml

from manifests import DEPLOY

RULES = DEPLOY / "prometheus" / "rules.yaml"
DASHBOARD = DEPLOY / "grafana" / "guardtier.json"
CHILDREN = ("lhs", "rhs", "expr", "args", "param", "vector_selector")


@dataclass
class Asked:
    """The metrics of one expression, and every label that it names."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return made


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression with where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    yield from dashboard_expressions()


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def asked_of(expression: str) -> Asked:
    """Raises ValueError for what is no PromQL."""
    asked = Asked()
    _walk(promql_parser.parse(expression), asked)
    return asked


def labels_shown(text: str) -> set[str]:
    """The labels that a text of an alert or a legend puts in."""
    return set(re.findall(r"\$labels\.(\w+)", text)) | set(re.findall(r"\{\{\s*([a-z]\w*)\s*\}\}", text))


def _walk(node: Any, asked: Asked) -> None:
    if isinstance(node, promql_parser.VectorSelector):
        asked.metrics.add(node.name)
        asked.labels |= {matcher.name for matcher in node.matchers.matchers}
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
        asked.labels |= set(node.modifier.labels)
    for name in CHILDREN:
        inner = getattr(node, name, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None and not isinstance(one, str):
                _walk(one, asked)
