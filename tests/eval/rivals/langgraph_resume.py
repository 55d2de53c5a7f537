"""LangGraph's ``interrupt`` and ``Command(resume=…)``: what lies between an approval and its tool.

``python langgraph_resume.py``, in the Python that has langgraph. Prints milliseconds, and answers by
question. The graph is the one of its documentation: a node that interrupts, then runs its tool. Where a
process has to die, one of its own does, by ``os._exit``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import statistics
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

TIMES = 200  #: approvals that are timed
TRIES = 5  #: processes that die in each way
RACES = 20
THREAD: Any = {"configurable": {"thread_id": "1"}}
DIED = 9


class State(TypedDict):
    command: str


def graph(saver: Any, tool: Callable[[str], None], command: Callable[[State], str] | None = None) -> Any:
    """One node: asks, and runs its tool on a yes."""

    def node(state: State) -> dict[str, Any]:
        wanted = command(state) if command else state["command"]
        if interrupt({"command": wanted}):
            tool(wanted)
        return {}

    builder = StateGraph(State)
    builder.add_node("tool", node)
    builder.add_edge(START, "tool")
    builder.add_edge("tool", END)
    return builder.compile(checkpointer=saver)


def saver(file: Path) -> SqliteSaver:
    return SqliteSaver(sqlite3.connect(file, check_same_thread=False))


def ask(graph: Any) -> str:
    """Runs a graph up to its interrupt, whose id it gives."""
    return str(graph.invoke({"command": "ls"}, THREAD)["__interrupt__"][0].id)


def ms_to_tool(saver: Any) -> float:
    """From the call that resumes to the tool's first line, in the median."""
    started: list[int] = []
    one = graph(saver, lambda _: started.append(perf_counter_ns()))
    took = []
    for number in range(TIMES):
        thread = {"configurable": {"thread_id": str(number)}}
        one.invoke({"command": "ls"}, thread)
        start = perf_counter_ns()
        one.invoke(Command(resume=True), thread)
        took.append((started.pop() - start) / 1e6)
    return statistics.median(took)


def dies(folder: str, after: bool, stored: bool) -> None:
    """A process that resumes and dies before or after its tool, at once or when the approval is stored."""
    file = Path(folder, "db")

    def tool(command: str) -> None:
        while stored and not is_stored(file):
            pass
        if after:
            ran(folder, command)
        os._exit(DIED)

    graph(saver(file), tool).invoke(Command(resume=True), THREAD)


def is_stored(file: Path) -> bool:
    with sqlite3.connect(file) as database:
        return bool(database.execute("SELECT 1 FROM writes WHERE channel = '__resume__'").fetchone())


def ran(folder: str, command: str) -> None:
    with Path(folder, "ran").open("a") as file:
        file.write(command + "\n")


def runs(folder: str) -> int:
    with suppress(FileNotFoundError):
        return len(Path(folder, "ran").read_text().splitlines())
    return 0


def after_a_death(after: bool, stored: bool) -> str:
    """What one finds who goes on as the documentation says: ``invoke(None)``, and a yes if asked."""
    asked, total = 0, 0
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory() as folder:
            one = graph(saver(Path(folder, "db")), lambda command, folder=folder: ran(folder, command))
            ask(one)
            child = multiprocessing.get_context("spawn").Process(target=dies, args=(folder, after, stored))
            child.start()
            child.join()
            assert child.exitcode == DIED, child.exitcode
            if "__interrupt__" in one.invoke(None, THREAD):
                asked += 1
                one.invoke(Command(resume=True), THREAD)
            total += runs(folder)
    return f"asked again {asked} of {TRIES} times; the tool ran {total / TRIES:g} times"


def two_at_once() -> str:
    """Two approvals of one interrupt by two graphs on one file, each with its own connection."""
    twice = 0
    for _ in range(RACES):
        with tempfile.TemporaryDirectory() as folder:
            file, gate = Path(folder, "db"), threading.Barrier(2)
            graphs = [graph(saver(file), lambda command, folder=folder: ran(folder, command)) for _ in "ab"]
            answer = Command(resume={ask(graphs[0]): True})

            def approve(one: Any, gate: threading.Barrier = gate, answer: Any = answer) -> None:
                gate.wait()
                one.invoke(answer, THREAD)

            threads = [threading.Thread(target=approve, args=(one,)) for one in graphs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            twice += runs(folder) == 2
    return f"the tool ran twice {twice} of {RACES} times"


def two_in_turn() -> str:
    times: list[str] = []
    one = graph(InMemorySaver(), times.append)
    ask(one)
    one.invoke(Command(resume=True), THREAD)
    one.invoke(Command(resume=True), THREAD)
    return f"the tool ran {len(times)} times"


def changed_state(by_id: bool) -> str:
    """The state's arguments are changed between the question and the yes."""
    times: list[str] = []
    one = graph(InMemorySaver(), times.append)
    asked = ask(one)
    one.update_state(THREAD, {"command": "rm -rf /"})
    said = one.invoke(Command(resume={asked: True} if by_id else True), THREAD)
    if times:
        return f"ran `{times[0]}`, asked about was `ls`"
    return "asked again, nothing ran" if "__interrupt__" in said else "nothing ran"


def other_arguments_at_the_rerun() -> str:
    """The node starts again from its first line on resuming, and comes to other arguments than before."""
    times: list[str] = []
    wanted = iter(["ls", "rm -rf /"])
    one = graph(InMemorySaver(), times.append, lambda _: next(wanted))
    one.invoke(Command(resume={ask(one): True}), THREAD)
    return f"ran `{times[0]}`, asked about was `ls`" if times else "nothing ran"


def guard_fails() -> str:
    """The node asks a policy first whether to interrupt at all; this one raises."""
    times: list[str] = []

    def fails(_: State) -> str:
        raise RuntimeError("the policy service is away")

    try:
        graph(InMemorySaver(), times.append, fails).invoke({"command": "ls"}, THREAD)
    except RuntimeError as error:
        return f"the run ends ({type(error).__name__}), the tool ran {len(times)} times"
    return f"the tool ran {len(times)} times"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = saver(Path(folder, "db"))
        database.setup()
        took = {"memory": ms_to_tool(InMemorySaver()), "stored": ms_to_tool(database)}
    answers = {
        "dies before the tool, at once": after_a_death(after=False, stored=False),
        "dies before the tool, the yes is stored": after_a_death(after=False, stored=True),
        "dies after the tool, at once": after_a_death(after=True, stored=False),
        "dies after the tool, the yes is stored": after_a_death(after=True, stored=True),
        "two approvals, one after the other": two_in_turn(),
        "two approvals at once": two_at_once(),
        "arguments changed in between, a plain yes": changed_state(by_id=False),
        "arguments changed in between, a yes by id": changed_state(by_id=True),
        "other arguments when the node starts again": other_arguments_at_the_rerun(),
        "the guard's own function raises": guard_fails(),
    }
    print(json.dumps({"ms": took, "answers": answers}))


if __name__ == "__main__":
    main()
