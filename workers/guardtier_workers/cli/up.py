"""guardtier up: a whole tier in one command, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from guardtier.signer import Signer
from guardtier_workers.cli.console import link_to
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import Config, Json
from guardtier_workers.cli.output import as_typed, emit, note, say
from guardtier_workers.cli.stack import CONSOLE, POLL_SECONDS, Plan, Stack, stack
from guardtier_workers.cli.state import StateDir
from guardtier_workers.cli.tier import shown_url
from guardtier_workers.cli.work import log_to_stderr
from guardtier_workers.console.access.links import LASTS_SECONDS


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Let four agents of two fleets send 50 tool calls.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="End after the demo.")] = False,
    analyzers: Annotated[int, typer.Option(min=1, max=64, help="Analyzer processes.")] = 1,
    policies: Annotated[int, typer.Option(min=1, max=64, help="Policy processes.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the embedded Redis' data here; else it is temporary."),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option("--redis-url", metavar="URL", help="Use this Redis and start none."),
    ] = None,
    console: Annotated[
        bool, typer.Option("--console/--no-console", help="With the page on which people answer.")
    ] = True,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Start a Redis, an analyzer, a policy worker, a steward and the console; end them all on Ctrl-C."""
    if once and not demo:
        raise UsageError("--once ends after the demo: it needs --demo")
    if data is not None and redis_url is not None:
        raise UsageError("--data is for the embedded Redis: give it, or --redis-url")
    log_to_stderr(as_json=as_json, level=logging.WARNING)
    plan = Plan(redis_url, config, data, analyzers, policies, console=console)
    if demo:
        plan = _with_demo(plan)
    return asyncio.run(_run(plan, demo=demo, once=once, as_json=as_json))


async def _run(plan: Plan, *, demo: bool, once: bool, as_json: bool) -> int:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    state = StateDir()
    work = asyncio.create_task(_tier(plan, state, stop, demo=demo, once=once, as_json=as_json))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        note("ending; workers finish what they hold")
        work.cancel()
    stopping.cancel()
    try:
        return await work
    except asyncio.CancelledError:
        return Exit.INTERRUPTED if demo and once else Exit.DONE


async def _tell_console(running: Stack, state: StateDir, *, as_json: bool) -> None:
    """Say where the console is, once it answers: the one that we started, not what else listens there."""
    operator, word = running.running, None
    while word is None or word.pid != running.supervisor.processes.get(CONSOLE):
        if CONSOLE not in running.supervisor.names:
            return
        await asyncio.sleep(POLL_SECONDS)
        word = state.console()
    link = link_to(word.url, state, Signer.with_token(operator.approver or "", operator.token or ""))
    if as_json:
        emit({"event": "console", "url": word.url, "link": link})
        return
    say(f"console   {link}")
    say(f"          for {LASTS_SECONDS} seconds, once; another one: {as_typed()} console")


async def _tier(
    plan: Plan, state: StateDir, stop: asyncio.Event, *, demo: bool, once: bool, as_json: bool
) -> int:
    async with stack(plan, state) as running:
        if as_json:
            emit(_body(running))
        else:
            _introduce(running)
        telling = asyncio.create_task(_tell_console(running, state, as_json=as_json))
        try:
            if demo:
                from guardtier_workers.demo.run import run_demo

                (second,) = running.approvers
                await run_demo(running.settings, running.running, second, as_json=as_json)
                if once:
                    return Exit.DONE
                note(after_demo(CONSOLE in running.supervisor.names))
            await stop.wait()
        finally:
            telling.cancel()
        return Exit.DONE


def after_demo(has_console: bool) -> str:
    """What one may do now. By the demo's end the link to the console is over, and far up the terminal."""
    page = f", or in the browser ({as_typed()} console prints a link)" if has_console else ""
    return f"the tier goes on; answer from another terminal{page}; Ctrl-C ends it"


def _introduce(stack: Stack) -> None:
    names = ", ".join(stack.supervisor.processes)
    say(f"tier      {names}")
    where = f", data in {stack.directory}" if stack.directory else ""
    say(f"redis     {shown_url(stack.running.redis_url)}{where}")
    say(f"fleets    {', '.join(stack.running.fleets)}")
    say(f"agents    verify its verdicts by GUARDTIER_VERDICT_KEYS={stack.running.verdict_keys}")
    me = as_typed()
    say(f"try       {me} submit 'rm -rf ~/.ssh'    and, in another terminal:")
    say(f"          {me} pending; {me} approve ID; {me} watch")
    say()


def _body(stack: Stack) -> dict[str, object]:
    running = stack.running
    return {
        "event": "up",
        "redis_url": running.redis_url,
        "fleets": running.fleets,
        "partitions": running.partitions,
        "processes": stack.supervisor.processes,
        "state_dir": str(StateDir().path),
        "verdict_keys": running.verdict_keys,
    }


def _with_demo(plan: Plan) -> Plan:
    """The plan with the demo's fleets, policy and second approver."""
    from guardtier_workers.demo.run import FLEETS, POLICY, SECOND

    fleets = {"default": {}, **FLEETS}  # default: for whoever tries it from another terminal
    return replace(plan, fleets=fleets, policy_file=POLICY, approvers=(SECOND,))
