"""The OpenHands SDK's own analyzers on the rows of the evaluation; compare.py runs it, in the SDK's Python.

``python sdk_side.py FILE``: builds the SDK's action events first, then answers each line of standard
input with one pass over them, as a line of JSON: ``{"hits": {expect: [hits, rows]}, "us": [µs, …]}``. The
ensemble is the one that its documentation recommends: rails and patterns, ConfirmRisky at HIGH.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter_ns
from typing import Any

os.environ.setdefault("OPENHANDS_SUPPRESS_BANNER", "1")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network for a price list

from openhands.sdk.event import ActionEvent
from openhands.sdk.llm import MessageToolCall
from openhands.sdk.mcp.definition import MCPToolAction
from openhands.sdk.security import (
    ConfirmRisky,
    EnsembleSecurityAnalyzer,
    PatternSecurityAnalyzer,
    PolicyRailSecurityAnalyzer,
    SecurityRisk,
)

ENSEMBLE = EnsembleSecurityAnalyzer(analyzers=[PolicyRailSecurityAnalyzer(), PatternSecurityAnalyzer()])
POLICY = ConfirmRisky(threshold=SecurityRisk.HIGH)


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_bytes().splitlines()]
    events = [(row["expect"], _event(row)) for row in rows]
    for _, event in events[:200]:  # as ours is warm
        ENSEMBLE.security_risk(event)
    for _ in sys.stdin:
        print(json.dumps(_pass(events)), flush=True)


def _event(row: dict[str, Any]) -> ActionEvent:
    call = MessageToolCall(
        id="call", name=row["tool_name"], arguments=json.dumps(row["arguments"]), origin="completion"
    )
    return ActionEvent(
        thought=[],
        action=MCPToolAction(data=row["arguments"]),
        tool_name=row["tool_name"],
        tool_call_id="call",
        tool_call=call,
        llm_response_id="response",
    )


def _pass(events: list[tuple[str, ActionEvent]]) -> dict[str, Any]:
    hits: Counter[str] = Counter()
    us = []
    for expect, event in events:
        start = perf_counter_ns()
        risk = ENSEMBLE.security_risk(event)
        us.append((perf_counter_ns() - start) // 1000)
        hits[expect] += risk is not SecurityRisk.LOW if expect == "FLAG" else POLICY.should_confirm(risk)
    rows = Counter(expect for expect, _ in events)
    return {"hits": {expect: [hits[expect], rows[expect]] for expect in rows}, "us": us}


if __name__ == "__main__":
    main()
