"""The supervisor: keeps its children alive, ends them in good order, leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from guardtier.errors import ConfigError
from guardtier_workers import supervisor as module
from guardtier_workers.supervisor import ProcessSpec, Supervisor
from processes import killed_at_end
from waiting import gone, until, until_sync

SLEEPS = "import signal; signal.pause()"
#: Says so once it ignores SIGTERM: before that, it would end like any other.
STUBBORN = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""
DRAINS = """
import pathlib, signal, sys
def end(*_):
    pathlib.Path(sys.argv[1], "drained").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1], "ready").touch()
signal.pause()
"""
PARENT_OF_TWO = """
import pathlib, subprocess, sys, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
partial = pathlib.Path(sys.argv[1] + ".part")
partial.write_text(str(child.pid))
partial.rename(sys.argv[1])
while True:
    signal.pause()
"""
TELLS = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(os.environ['GREETING'])"
ENDS = "import sys; sys.exit(3)"


def spec(name: str, code: str, *args: object, **env: str) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-S", "-c", code, *map(str, args)], env)


@asynccontextmanager
async def supervised(
    specs: Sequence[ProcessSpec], *, drain_seconds: float = 10.0
) -> AsyncIterator[tuple[Supervisor, asyncio.Event]]:
    """A supervisor whose children run. It ends with the block, or at ``stop`` before that."""
    supervisor = Supervisor(specs, drain_seconds=drain_seconds)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    try:
        await until(lambda: len(supervisor.processes) == len(specs) or running.done())
        yield supervisor, stop
    finally:
        stop.set()
        await running


async def test_a_killed_child_is_started_again():
    async with supervised([spec("a", SLEEPS), spec("b", SLEEPS)]) as (supervisor, _):
        before = supervisor.processes
        os.kill(before["a"], signal.SIGKILL)
        await until(lambda: supervisor.processes.get("a", before["a"]) != before["a"])

        assert supervisor.processes["b"] == before["b"]


async def test_all_end_on_stop_and_none_is_started_again():
    specs = [spec(name, SLEEPS) for name in ("a", "b", "c")]
    async with supervised(specs) as (supervisor, _):
        pids = supervisor.processes.values()

    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)
    assert supervisor.processes == {}


async def test_a_child_has_time_to_drain(tmp_path):
    async with supervised([spec("a", DRAINS, tmp_path)]):
        await until((tmp_path / "ready").exists)

    assert (tmp_path / "drained").exists()


async def test_one_that_ignores_sigterm_is_killed_and_the_others_drain(tmp_path, caplog):
    specs = [spec("stubborn", STUBBORN, tmp_path / "deaf"), spec("good", DRAINS, tmp_path)]
    async with supervised(specs, drain_seconds=3.0) as (supervisor, _):
        await until(lambda: (tmp_path / "deaf").exists() and (tmp_path / "ready").exists())
        pids = supervisor.processes

    assert all(gone(pid) for pid in pids.values())
    assert (tmp_path / "drained").exists()
    assert f"stubborn (pid {pids['stubborn']}) did not end" in caplog.text
    assert "good (pid" not in caplog.text


async def test_what_a_killed_child_had_started_goes_with_it(tmp_path):
    note = tmp_path / "grandchild"
    async with supervised([spec("a", PARENT_OF_TWO, note)], drain_seconds=0.1):
        await until(note.exists)
        grandchild = int(note.read_text())

    await until(lambda: gone(grandchild))


async def test_pauses_double_up_to_a_limit(monkeypatch, caplog):
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.04)
    supervisor, stop = Supervisor([spec("a", ENDS)]), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: len(pauses_of(caplog)) >= 5)
    stop.set()
    await running

    assert pauses_of(caplog)[:5] == [0.01, 0.02, 0.04, 0.04, 0.04]
    assert "a ended with status 3, starts again" in caplog.text


async def test_a_child_that_lived_long_enough_has_its_pauses_start_anew(monkeypatch, caplog):
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "STEADY_SECONDS", 0.0)
    supervisor, stop = Supervisor([spec("a", ENDS)]), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: len(pauses_of(caplog)) >= 3)
    stop.set()
    await running

    assert set(pauses_of(caplog)) == {0.01}


def pauses_of(caplog: pytest.LogCaptureFixture) -> list[float]:
    return [record.args[2] for record in caplog.records if "starts again" in record.msg]


async def test_stop_does_not_wait_for_a_pause(monkeypatch, caplog):
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 600.0)
    supervisor, stop = Supervisor([spec("a", ENDS)]), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await until(lambda: pauses_of(caplog))
    stop.set()

    await asyncio.wait_for(running, 90)


async def test_a_stop_while_children_are_being_started_ends_them():
    supervisor, stop = Supervisor([spec("a", SLEEPS)], drain_seconds=600.0), asyncio.Event()
    stop.set()
    await asyncio.wait_for(supervisor.run(stop), 90)

    assert supervisor.processes == {}


async def test_cancelling_ends_all():
    supervisor = Supervisor([spec("a", SLEEPS)])
    running = asyncio.create_task(supervisor.run(asyncio.Event()))
    await until(lambda: supervisor.processes)
    (pid,) = supervisor.processes.values()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert gone(pid)


async def test_env_is_added_to_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("GREETING", "ours")
    specs = [spec("a", TELLS, tmp_path / "a"), spec("b", TELLS, tmp_path / "b", GREETING="its own")]
    async with supervised(specs):
        await until(lambda: read(tmp_path / "a") and read(tmp_path / "b"))

    assert read(tmp_path / "a") == "ours"
    assert read(tmp_path / "b") == "its own"


def read(path) -> str:
    return path.read_text() if path.exists() else ""


async def test_a_program_that_does_not_exist_is_an_error_and_ends_the_others(tmp_path):
    supervisor = Supervisor([spec("good", SLEEPS), ProcessSpec("missing", [str(tmp_path / "none")])])
    with pytest.raises(ConfigError, match="missing can't be started"):
        await supervisor.run(asyncio.Event())

    assert supervisor.processes == {}


def test_names_are_unique():
    with pytest.raises(ConfigError, match="same name"):
        Supervisor([spec("a", SLEEPS), spec("a", SLEEPS)])


async def test_ctrl_c_reaches_the_supervisor_alone():
    async with supervised([spec("a", SLEEPS)]) as (supervisor, _):
        pid = supervisor.processes["a"]

        assert os.getsid(pid) == pid
        assert os.getpgid(pid) != os.getpgid(0)


SUPERVISOR = """
import asyncio, sys
from guardtier_workers.supervisor import ProcessSpec, Supervisor

async def main():
    supervisor = Supervisor([ProcessSpec("a", [sys.executable, "-S", "-c", sys.argv[1]])])
    running = asyncio.create_task(supervisor.run(asyncio.Event()))
    while not supervisor.processes:
        await asyncio.sleep(0.01)
    print(*supervisor.processes.values(), flush=True)
    await running

if sys.argv[2] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_supervisor_that_is_killed_takes_its_children_with_it(loop):
    command = [sys.executable, "-c", SUPERVISOR, STUBBORN_TO_ALL, loop]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent, killed_at_end(parent):
        pid = int(parent.stdout.readline())
        assert not gone(pid)

    until_sync(lambda: gone(pid))


STUBBORN_TO_ALL = """
import signal
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
while True:
    signal.pause()
"""
