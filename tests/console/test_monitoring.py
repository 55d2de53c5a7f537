"""deploy/prometheus and deploy/grafana ask for what the console's /metrics really tells."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from consoles import Desk
from expressions import asked_of, dashboard, dashboard_expressions, expressions, labels_shown, rules
from guardtier_workers.approvers import Right
from tier import Tier, high, low
from waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}
IMPLIED = {"le"}  #: of histograms


async def told(client: httpx.AsyncClient) -> tuple[set[str], dict[str, set[str]]]:
    """The names of all samples that can be, and the labels of those that are."""
    text = (await client.get("/metrics")).text
    families = [one for one in text_string_to_metric_families(text) if not one.name.endswith("_created")]
    names = {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ("",))}
    labels: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return {name for name in names if name.startswith("guardtier_")}, labels


def documented() -> dict[str, set[str]]:
    """The metrics of the page's table, with their labels."""
    heads = re.findall(r"^\| (`guardtier_.+?`) \|", PAGE, re.MULTILINE)
    return {
        name: set(labels.split(",")) if labels else set()
        for head in heads
        for name, labels in re.findall(r"`(\w+)(?:\{([\w,]+)\})?`", head)
    }


def known_labels(metric: str, table: dict[str, set[str]]) -> set[str]:
    base = re.sub(r"_(bucket|sum|count)$", "", metric)
    return table.get(metric, table.get(base, set())) | (IMPLIED if metric.endswith("_bucket") else set())


async def test_every_metric_that_is_asked_for_is_told_and_documented(tier: Tier, console: Desk) -> None:
    client, alice = tier.client(), tier.approver()
    await client.check(low())
    await alice.reject((await client.submit(high())).id, reason="no")
    viewer = await console.program("prometheus", may=[Right.SEE])

    async def counted() -> bool:
        return "guardtier_answer_seconds_count" in (await told(viewer))[1]

    await until(counted)
    names, labels = await told(viewer)
    table = documented()

    for where, expression in expressions():
        asked = asked_of(expression)
        assert asked.metrics, where
        assert asked.metrics <= names, where
        allowed = set.union(*(known_labels(metric, table) for metric in asked.metrics))
        assert asked.labels <= allowed, where
    shown = set().union(*(asked_of(expression).metrics for _, expression in dashboard_expressions()))
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert bases == {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}, "what has no panel"
    for name, found in labels.items():
        if name.startswith("guardtier_"):
            assert found == known_labels(name, table) - (set() if name.endswith("_bucket") else IMPLIED), (
                name
            )
    assert bases - table.keys() == set(), "a metric is missing from docs/operations.md"
    assert table.keys() - bases == set(), "docs/operations.md names a metric that nobody tells"


def test_what_an_alert_says_and_does_is_whole() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    names = [rule["alert"] for rule in rules()]

    assert len(names) == len(set(names))
    for rule in rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        shown = set().union(*(labels_shown(text) for text in rule["annotations"].values()))
        assert shown <= asked_of(rule["expr"]).labels, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (page, anchor in headings) == ("docs/operations.md", True), rule["alert"]


def test_the_dashboard_is_whole() -> None:
    made = dashboard()
    panels = made["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {one["name"] for one in made["templating"]["list"]} == {"datasource", "fleet"}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert (
                labels_shown(target["legendFormat"])
                <= asked_of(target["expr"].replace("$__rate_interval", "5m")).labels
            )
