"""guardtier up: everything comes in one command, and everything goes with it."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import END_SECONDS, Terminal, Up, end, start_up
from guardtier_workers.embedded import EmbeddedRedis
from waiting import gone, until_sync


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_it_ends_everything_it_started(terminal: Terminal, how: signal.Signals) -> None:
    up = start_up(terminal, console=True)
    assert set(up.body["processes"]) == {"analyzer-1", "policy-1", "steward-1", "console-1"}

    code, _ = end(up.process, how)

    assert code == 0
    assert all(gone(pid) for pid in up.pids)
    assert not (terminal.state / "up.json").exists()


def test_killed_it_leaves_no_process_and_no_tier_behind(terminal: Terminal) -> None:
    up = start_up(terminal, console=True)

    up.process.kill()
    up.process.communicate(timeout=END_SECONDS)

    until_sync(lambda: all(gone(pid) for pid in up.pids))
    assert terminal.run("pending").code == 4  # the word that it left is not believed


def test_a_killed_worker_is_started_again(terminal: Terminal) -> None:
    up = start_up(terminal)
    for pid in up.pids:
        os.kill(pid, signal.SIGKILL)

    done = terminal.run("submit", "ls")
    assert done.code == 0, done.err
    assert end(up.process)[0] == 0


def test_one_state_directory_has_one_tier(up: Up) -> None:
    second = up.terminal.run("up")

    assert second.code == 2
    assert "GUARDTIER_STATE_DIR" in second.err
    assert up.process.poll() is None


def test_what_it_leaves_for_other_terminals_is_its_owners_alone(up: Up) -> None:
    state = up.terminal.state
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in state.iterdir()}

    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert modes["up.json"] == modes["operator.json"] == modes["approvers.toml"] == 0o600


def test_kept_data_is_there_the_next_time(terminal: Terminal, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    up = start_up(terminal, "--data", data)
    action_id = terminal.run("submit", "rm -rf ~/.ssh", "--no-wait", "--json").json["id"]
    assert end(up.process)[0] == 0

    up = start_up(terminal, "--data", data)
    found = terminal.run("pending", "--json").json["pending"]
    assert [record["id"] for record in found] == [action_id]
    assert terminal.run("approve", action_id).code == 0
    assert end(up.process)[0] == 0


def test_it_uses_a_redis_that_it_is_given(terminal: Terminal) -> None:
    with EmbeddedRedis(appendfsync="no") as server:  # another tier there would sign with a key of its own
        up = start_up(terminal, "--redis-url", server.url)

        assert up.body["redis_url"] == server.url
        assert terminal.run("submit", "ls").code == 0
        assert end(up.process)[0] == 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a program is told of the demo."""
    terminal = Terminal(tmp_path_factory.mktemp("demo") / "state")
    done = terminal.run("up", "--demo", "--once", "--json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_the_demo_shows_every_outcome(demo: list[dict[str, Any]]) -> None:
    *_, last = events = demo
    outcomes = Counter(event["outcome"] for event in events if event["event"] == "verdict")
    assert outcomes == {"released": 37, "approved": 7, "rejected": 4, "expired": 2}
    assert {key: last[key] for key in ("released", "parked", "approved", "rejected", "expired")} == {
        **outcomes,
        "parked": 12,
    }


def test_the_demo_shows_what_people_can_do_beside_yes_and_no(demo: list[dict[str, Any]]) -> None:
    verdicts = [found for found in demo if found["event"] == "verdict"]
    assert [v["decided_by"] for v in verdicts if len(v["decided_by"]) > 1] == [["operator", "second"]]
    assert [v["outcome"] for v in verdicts if v["grant"]] == ["released"]
    assert [v["outcome"] for v in verdicts if "block" in v["rules"]] == ["rejected"]
    assert [v["arguments"] for v in verdicts if v["edited_from"]] == [
        {"command": "git push origin HEAD:fix/rounding"}
    ]


def test_the_demo_is_readable(terminal: Terminal) -> None:
    done = terminal.run("up", "--demo", "--once")

    assert done.code == 0, done.err
    for outcome in ("released", "approved", "rejected", "expired"):
        assert outcome in done.out
    assert "37 released, 12 parked, 7 approved, 4 rejected, 2 expired" in done.out


def test_it_runs_the_pools_that_the_settings_name(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "tier.toml"
    example = Path(__file__).parents[2] / "examples" / "custom_analyzer.py"
    file.write_text(
        f"""
        analyzers = ["shell", "llm", "deploy"]
        [analyzer.deploy]
        use = "{example}:DeployAnalyzer"
        placement = "pool:rules"
        targets = ["production"]
        """
    )
    up = start_up(terminal, "--config", str(file))
    assert set(up.body["processes"]) == {"analyzer-1", "policy-1", "steward-1", "pool-rules"}

    parked = terminal.run("submit", "ls production", "--no-wait", "--json").json["id"]
    shown = terminal.run("show", parked, "--json").json["assessment"]
    checks = terminal.run("doctor", "--json", "--config", str(file)).json["checks"]

    assert {vote["child"]: vote["risk"] for vote in shown["votes"]}["deploy"] == "HIGH"
    assert {one["grade"]: one["says"] for one in checks if one["what"] == "pool rules"} == {
        "ok": "alive, votes as deploy"
    }
    code, said = end(up.process)
    assert (code, said) == (0, "ending; workers finish what they hold\n")


def test_a_wrong_option_of_a_pools_analyzer_is_told_at_once(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "tier.toml"
    file.write_text(
        """
        analyzers = ["llm", "secrets"]
        [analyzer.secrets]
        placement = "pool:rules"
        buildin = false
        """
    )

    done = terminal.run("up", "--config", str(file))

    assert done.code == 2
    assert "analyzer 'secrets' has no option 'buildin'; did you mean 'builtin'?" in done.err
