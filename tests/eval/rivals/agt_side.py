"""Microsoft's Agent Governance Toolkit: what its wheel brings for judging a call, without own rules.

``python agt_side.py FILE intents`` asks its semantic policy engine alone, which denies five categories of
intent by default. ``… all`` asks everything that ships and reads commands, and parks what any of them
denies: that engine, the MCP gateway (its own patterns, and those of the template for production,
``PolicyTemplates.enterprise()``) and the safety check of its MCP server. See side.py.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from side import Vote, serve

Call = tuple[str, dict[str, Any]]
QUIET = frozenset({"benign", "data_read"})  #: categories that say no more than that something is read
NO_LIMIT = 10**9  #: calls of one agent; the template stops it after 20


def vote_of(dangerous: bool, category: str) -> Vote:
    """What the default of ``SemanticPolicyEngine.check`` does with a classification."""
    if dangerous:
        return Vote.PARKED
    return Vote.PASSED if category in QUIET else Vote.FLAGGED


def intents() -> Callable[[Call], Vote]:
    from agent_os.semantic_policy import SemanticPolicyEngine

    engine = SemanticPolicyEngine()

    def judge(call: Call) -> Vote:
        said = engine.classify(*call)
        return vote_of(said.is_dangerous, said.category.value)

    return judge


def everything() -> Callable[[Call], Vote]:
    from agent_os.integrations import PolicyTemplates
    from agent_os.mcp_gateway import MCPGateway
    from mcp_kernel_server.tools import VerifyCodeSafetyTool

    by_intent = intents()
    gateway = MCPGateway(replace(PolicyTemplates.enterprise(), max_tool_calls=NO_LIMIT))
    code = VerifyCodeSafetyTool()

    def judge(call: Call) -> Vote:
        vote = by_intent(call)
        allowed, _ = gateway.intercept_tool_call("agent", *call)
        safe = _now(code.execute({"code": "\n".join(map(str, call[1].values())), "language": "bash"}))
        return vote if allowed and safe.data["safe"] else Vote.PARKED

    return judge


def _now(answer: Any) -> Any:
    """The result of a coroutine that awaits nothing: an event loop would be most of its cost."""
    try:
        answer.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("it awaits something now: run it in an event loop")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # its rules call themselves samples
    serve(
        lambda row: (row["tool_name"], row["arguments"]),
        {"intents": intents, "all": everything}[sys.argv[2]](),
    )
