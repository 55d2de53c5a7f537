"""The OpenHands SDK's own analyzers: the ensemble that its documentation recommends.

That is rails and patterns, with ConfirmRisky at HIGH. It runs in the SDK's Python: see side.py.
"""

from __future__ import annotations

import json
import os
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
from side import Vote, serve

ENSEMBLE = EnsembleSecurityAnalyzer(analyzers=[PolicyRailSecurityAnalyzer(), PatternSecurityAnalyzer()])
POLICY = ConfirmRisky(threshold=SecurityRisk.HIGH)


def event(row: dict[str, Any]) -> ActionEvent:
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


def judge(call: ActionEvent) -> Vote:
    risk = ENSEMBLE.security_risk(call)
    if POLICY.should_confirm(risk):
        return Vote.PARKED
    return Vote.PASSED if risk is SecurityRisk.LOW else Vote.FLAGGED


if __name__ == "__main__":
    serve(event, judge)
