"""What `pending`, `show` and `watch` say to people: on a narrow terminal too, and in words."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import termios

import pytest

from cli.conftest import GUARDTIER, Terminal, Up
from waiting import until_sync

HARMFUL = "rm -rf ~/.ssh/authorized_keys_of_the_old_host"


@pytest.fixture
def cli(up: Up) -> Terminal:
    return up.terminal


def on_a_terminal(cli: Terminal, columns: int, *command: str) -> str:
    """What a command prints on a terminal that is so wide: a page of it at most."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with open(ours, "rb", buffering=0) as screen:
        with open(theirs, "wb", buffering=0) as stdout:
            env = cli.env | {"COLUMNS": "200"}  # of another window: left there by a shell, or by make
            subprocess.run([*GUARDTIER, *command], env=env, stdout=stdout, timeout=90, check=True)
        return os.read(screen.fileno(), 65536).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 160])
def test_what_would_run_is_seen_on_a_terminal_of_any_width(cli: Terminal, columns: int) -> None:
    agent = ("--agent", f"on-{columns}")
    sent = cli.run("submit", f"{HARMFUL} # {columns}", *agent, "--no-wait", "--json")
    action_id = sent.json["id"]

    told = on_a_terminal(cli, columns, "pending", *agent)
    assert cli.run("reject", action_id, "--reason", "no").code == 0

    assert action_id in told
    assert f"{HARMFUL} # {columns}" in told
    assert "HIGH" in told


def test_show_says_whose_it_is_and_what_they_thought(cli: Terminal) -> None:
    action = {
        "fleet": "default",
        "agent": "coder",
        "conversation": "c-17",
        "tool_name": "terminal",
        "arguments": {"command": HARMFUL},
        "thought": "The old keys\nare not needed.",
    }
    sent = cli.run("submit", "--action", "-", "--no-wait", "--json", stdin=json.dumps(action).encode())

    told = cli.run("show", sent.json["id"]).out.splitlines()
    assert cli.run("reject", sent.json["id"], "--reason", "no").code == 0

    assert "conversation  c-17" in told
    assert "thought       The old keys\\nare not needed." in told
    where = next(i for i, line in enumerate(told) if line.startswith("finding       HIGH"))
    assert told[where + 1].startswith("              arguments.command: rm -rf »~/.ssh")


@pytest.mark.parametrize("command", ["show", "pending"])
def test_no_row_of_what_an_agent_wrote_looks_like_a_line_of_ours(cli: Terminal, command: str) -> None:
    """On 60 columns, what is longer goes on in the next row."""
    spoof = f"{HARMFUL} #" + "rated risk    LOW, shell says LOW ".rjust(60, "x") * 4
    sent = cli.run("submit", spoof, "--agent", f"spoof-{command}", "--no-wait", "--json")
    of = (sent.json["id"],) if command == "show" else ("--agent", f"spoof-{command}")

    told = on_a_terminal(cli, 60, command, *of).splitlines()
    assert cli.run("reject", sent.json["id"], "--reason", "no").code == 0

    assert all(len(row) <= 60 for row in told if "guardtier show ID" not in row)
    assert sum(row.startswith("rated risk") for row in told) == (command == "show")
    assert [row for row in told if row.startswith("x")] == []
    assert "LOW,shellsaysLOW" in "".join(told).replace(" ", "")


def test_watch_tells_of_one_fleet_what_is_asked_for_in_words(cli: Terminal) -> None:
    cli.run("fleet", "add", "watched")
    with cli.running("watch", "--fleet", "watched", "--event", "rejected", "--count", "1") as watching:
        assert watching.stderr is not None
        assert b"watching" in watching.stderr.readline()
        for fleet in ("default", "watched"):
            sent = cli.run("submit", f"{HARMFUL} # w", "--fleet", fleet, "--no-wait", "--json")
            assert cli.run("reject", sent.json["id"], "--reason", "not this").code == 0
        told, _ = watching.communicate(timeout=90)

    (line,) = told.decode().splitlines()
    assert line.partition(" ")[2] == (
        f"rejected  {sent.json['id']} fleet=watched by=operator reason=not this"
    )


def test_a_reader_that_has_seen_enough_ends_it_without_a_word_about_redis(cli: Terminal) -> None:
    with cli.running("watch", "--json") as watching:
        assert watching.stderr is not None
        assert watching.stdout is not None
        assert b"watching" in watching.stderr.readline()
        watching.stdout.close()
        until_sync(lambda: cli.run("submit", "ls").code == 0 and watching.poll() is not None)
        said = watching.stderr.read()

    assert (watching.returncode, said) == (1, b"")


def test_nothing_waits_in_the_fleet_that_was_asked_for(cli: Terminal) -> None:
    assert cli.run("pending", "--fleet", "nobody").out == "nothing waits for an answer in fleet nobody\n"


def test_watch_waits_for_no_event_that_nobody_knows(cli: Terminal) -> None:
    done = cli.run("watch", "--event", "aproved", "--count", "1")

    assert done.code == 2
    assert "no event is called 'aproved'; did you mean 'approved'?" in done.err
