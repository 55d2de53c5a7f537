"""The OpenAI Agents SDK's ``needs_approval`` and ``RunState``: what lies between an approval and its tool.

``python agents_resume.py``, in the Python that has openai-agents. Prints milliseconds, and answers by
question. The model is a program: it asks for one call of the tool, then ends. The state is kept as its
documentation says, as the text of ``RunState.to_string()``; a process that dies leaves that text alone.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import AsyncIterator
from time import perf_counter_ns
from typing import Any

from agents import Agent, Runner, RunState, function_tool, set_tracing_disabled
from agents.exceptions import AgentsException
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

TIMES = 200
ASKED, CHANGED = (json.dumps({"command": command}) for command in ("ls", "rm -rf /"))


class OneCall(Model):
    """Asks for ``terminal`` until it has a tool's output."""

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        items = kwargs.get("input", args[1] if len(args) > 1 else "")
        done = not isinstance(items, str) and any(
            item.get("type") == "function_call_output" for item in items
        )
        return ModelResponse(output=[_done() if done else _call()], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def _call() -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        id="f", call_id="call_1", type="function_call", name="terminal", arguments=ASKED
    )


def _done() -> ResponseOutputMessage:
    said = ResponseOutputText(text="done", type="output_text", annotations=[])
    return ResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed", content=[said]
    )


ran: list[tuple[int, str]] = []


@function_tool(needs_approval=True)
async def terminal(command: str) -> str:
    ran.append((perf_counter_ns(), command))
    return "ok"


AGENT = Agent(name="agent", model=OneCall(), tools=[terminal])


async def asked() -> RunState[Any, Any]:
    ran.clear()
    return (await Runner.run(AGENT, "go")).to_state()


async def approved(text: str) -> RunState[Any, Any]:
    state = await RunState.from_string(AGENT, text)
    state.approve(state.get_interruptions()[0])
    return state


async def ms_to_tool(*, stored: bool) -> float:
    """From the call that approves to the tool's first line, in the median; ``stored``: from the text on."""
    took = []
    for _ in range(TIMES):
        state = await asked()
        text = state.to_string()
        start = perf_counter_ns()
        if stored:
            state = await approved(text)
        else:
            state.approve(state.get_interruptions()[0])
        await Runner.run(AGENT, state)
        took.append((ran[0][0] - start) / 1e6)
    return statistics.median(took)


async def from_one_text(approve_first: bool) -> str:
    """One text is resumed twice: two approvals, or an approved one whose process died after its tool."""
    text = (await asked()).to_string()
    if approve_first:
        text = (await approved(text)).to_string()
    for _ in "ab":
        state = await (RunState.from_string(AGENT, text) if approve_first else approved(text))
        await Runner.run(AGENT, state)
    return f"the tool ran {len(ran)} times"


async def one_object(at_once: bool) -> str:
    state = await approved((await asked()).to_string())
    if at_once:
        await asyncio.gather(Runner.run(AGENT, state), Runner.run(AGENT, state))
    else:
        await Runner.run(AGENT, state)
        await Runner.run(AGENT, state)
    return f"the tool ran {len(ran)} times"


async def changed(forget_fingerprint: bool) -> str:
    """The approved text's arguments are changed before it is resumed."""
    text = (await approved((await asked()).to_string())).to_string()
    text = text.replace(json.dumps(ASKED)[1:-1], json.dumps(CHANGED)[1:-1])
    kept = json.loads(text)
    if forget_fingerprint:
        kept["context"]["tool_invocations"] = {}
    ran.clear()
    try:
        result = await Runner.run(AGENT, await RunState.from_string(AGENT, json.dumps(kept)))
    except AgentsException as error:
        return f"refused: {type(error).__name__}"
    if ran:
        return f"ran `{ran[0][1]}`, asked about was `ls`"
    return "asked again, nothing ran" if result.interruptions else "nothing ran"


async def guard_fails() -> str:
    """``needs_approval`` may be a function; this one raises."""

    def fails(*_: Any) -> bool:
        raise RuntimeError("the policy service is away")

    @function_tool(name_override="terminal", needs_approval=fails)
    async def guarded(command: str) -> str:
        ran.append((0, command))
        return "ok"

    ran.clear()
    try:
        await Runner.run(Agent(name="agent", model=OneCall(), tools=[guarded]), "go")
    except AgentsException as error:
        return f"the run ends ({type(error).__name__}), the tool ran {len(ran)} times"
    return f"the tool ran {len(ran)} times"


async def main() -> None:
    set_tracing_disabled(True)
    took = {"memory": await ms_to_tool(stored=False), "stored": await ms_to_tool(stored=True)}
    answers = {
        "dies after the tool, the yes is stored": await from_one_text(approve_first=True),
        "two approvals, one after the other": await one_object(at_once=False) + " (one state object)",
        "two approvals, each from the stored state": await from_one_text(approve_first=False),
        "two approvals at once": await one_object(at_once=True) + " (one state object)",
        "arguments changed in between, a yes by id": await changed(forget_fingerprint=False),
        "the same, its fingerprint deleted": await changed(forget_fingerprint=True),
        "the guard's own function raises": await guard_fails(),
    }
    print(json.dumps({"ms": took, "answers": answers}))


if __name__ == "__main__":
    asyncio.run(main())
