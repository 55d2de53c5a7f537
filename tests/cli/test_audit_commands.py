"""guardtier audit: what a tier that `up` runs has exported is verified, searched and handed out."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from cli.conftest import Done, Terminal, Up, end, start_up
from guardtier.store.keys import Keys
from guardtier_workers.cli.entry import run
from waiting import until_sync

Run = Callable[..., Done]


@pytest.fixture(scope="module")
def tier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A tier with a database, in which something has happened."""
    home = tmp_path_factory.mktemp("audit")
    config = home / "tier.toml"
    config.write_text(f'audit_sql = "sqlite:///{home}/audit.db"\n')
    up = start_up(Terminal(home / "state"), "--config", str(config))
    assert up.terminal.run("submit", "ls").code == 0
    assert up.terminal.run("submit", "--no-wait", "rm -rf ~/.ssh").code == 3
    until_sync(lambda: "parked" in text_of(folder(up)))
    yield up
    assert end(up.process)[0] == 0


def folder(up: Up) -> Path:
    found = [*(up.terminal.state / "audit").glob("run-*")]
    return found[0] if found else up.terminal.state


@pytest.fixture
def here(tier: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: it takes half a second less to start."""
    for name, value in tier.terminal.env.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> Done:
        code = run([*arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def text_of(path: Path) -> str:
    return "".join(file.read_text() for file in sorted(path.glob("audit-*.jsonl")))


def copied(up: Up, path: Path) -> Path:
    path.mkdir()
    for file in folder(up).glob("audit-*.jsonl"):
        (path / file.name).write_bytes(file.read_bytes())
    return path


def test_up_exports_to_its_state_directory_and_nothing_is_wrong(tier: Up) -> None:
    done = tier.terminal.run("audit", "verify")

    assert done.code == 0, done.out
    assert "nothing is wrong" in done.out
    assert "signed up to" in done.out
    assert folder(tier).stat().st_mode & 0o077 == 0
    found = tier.terminal.run("audit", "verify", "--json").json
    assert (found["whole"], found["findings"]) == (True, [])


def test_what_was_changed_is_named_and_the_exit_code_says_so(tier: Up, here: Run, tmp_path: Path) -> None:
    path = copied(tier, tmp_path / "copy")
    (file,) = path.glob("audit-*.jsonl")
    file.write_text(file.read_text().replace('"released"', '"rejected"', 1))

    for where in ("--redis", "--no-redis"):
        done = here("audit", "verify", "--dir", str(path), where, "--json")
        assert done.code == 1
        (first, *_) = done.json["findings"]
        assert (first["what"], first["partition"], first["n"]) == ("changed", 0, 2)
        assert first["where"].startswith(f"{file.name}:")


def test_a_checkpoint_kept_elsewhere_shows_what_was_cut_off(tier: Up, here: Run, tmp_path: Path) -> None:
    path = copied(tier, tmp_path / "copy")
    kept = here("audit", "checkpoint", "--dir", str(path)).out.strip()
    given = ("audit", "verify", "--no-redis", "--dir", str(path), "--checkpoint")
    assert here(*given, kept).code == 0

    (file,) = path.glob("audit-*.jsonl")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))

    assert here(*given, kept).code == 1
    assert here(*given, "rubbish").code == 2


def test_a_checkpoint_of_an_export_that_is_gone_is_missed(tier: Up, here: Run, tmp_path: Path) -> None:
    path = copied(tier, tmp_path / "copy")
    given = ("audit", "verify", "--no-redis", "--dir", str(path), "--json", "--checkpoint")
    kept = here("audit", "checkpoint", "--dir", str(path)).out.strip()

    made_anew = here(*given, "0a0b0c0d" + kept[8:])
    for file in path.glob("audit-*.jsonl"):
        file.unlink()
    emptied = here(*given, kept)

    for done in (made_anew, emptied):
        assert (done.code, [one["what"] for one in done.json["findings"]]) == (1, ["missing"])


def test_an_emptied_folder_is_missed_by_what_redis_was_told(tier: Up, here: Run, tmp_path: Path) -> None:
    (export,) = {one["export"] for one in here("audit", "status", "--json").json["exports"]}

    emptied = here("audit", "verify", "--dir", str(tmp_path), "--json")
    elsewhere = here("audit", "verify", "--dir", str(tmp_path), "--elsewhere", export, "--json")
    alone = here("audit", "verify", "--no-redis", "--dir", str(tmp_path), "--json")

    for done in (emptied, elsewhere, alone):
        assert (done.code, [one["what"] for one in done.json["findings"]]) == (1, ["missing"])
    assert f"export {export} told Redis" in emptied.json["findings"][0]["says"]


def test_lines_are_handed_out_for_other_tools(tier: Up, here: Run, tmp_path: Path) -> None:
    every = here("audit", "export", "--since", "1h")
    table = here("audit", "export", "--event", "released", "--format", "csv")
    none = here("audit", "export", "--until", "2020-01-01T00:00Z")
    file = tmp_path / "out.jsonl"
    written = here("audit", "export", "--fleet", "default", "--out", str(file))

    events = [json.loads(line)["fields"]["event"] for line in every.out.splitlines()]
    assert events[:2] == ["assessed", "released"]
    rows = [*csv.DictReader(io.StringIO(table.out))]
    assert {row["event"] for row in rows} == {"released"}
    assert (none.code, none.out) == (0, "")
    assert (written.code, file.stat().st_mode & 0o777) == (0, 0o600)
    assert here("audit", "export", "--since", "yesterday").code == 2


def test_what_an_auditor_asks_is_found_in_files_and_table(tier: Up, here: Run) -> None:
    table = here("audit", "export", "--agent", "cli", "--format", "csv")
    nobody = here("audit", "export", "--agent", "nobody")
    url = f"sqlite:///{tier.terminal.state.parent}/audit.db"
    until_sync(lambda: "released" in here("audit", "search", "--sql", url).out)
    shown = here("audit", "search", "--sql", url, "--event", "assessed")
    none = here("audit", "search", "--sql", url, "--agent", "nobody")

    (row,) = csv.DictReader(io.StringIO(table.out))
    assert (row["event"], row["agent"], row["n"]) == ("released", "cli", "2")
    assert int(row["seq"]) > 2
    rated = [*csv.DictReader(io.StringIO(here("audit", "export", "--format", "csv").out))]
    assert [one["risk"] for one in rated if one["event"] == "assessed"] == ["LOW", "HIGH"]
    assert "HIGH" in shown.out
    for done in (nobody, none):
        assert (done.code, done.out) == (0, "")
        assert "no line fits" in done.err


def test_a_cell_is_never_a_formula(tier: Up, here: Run, tmp_path: Path) -> None:
    path = copied(tier, tmp_path / "copy")
    (file,) = path.glob("audit-*.jsonl")
    file.write_text(file.read_text().replace('"fleet":"default"', '"fleet":"=HYPERLINK(1)"'))

    done = here("audit", "export", "--dir", str(path), "--format", "csv")

    assert "'=HYPERLINK(1)" in done.out
    assert ",=HYPERLINK" not in done.out


def test_the_database_is_searched_and_verified(tier: Up, here: Run) -> None:
    url = f"sqlite:///{tier.terminal.state.parent}/audit.db"

    def found() -> list[dict[str, object]]:
        done = here("audit", "search", "--sql", url, "--event", "parked", "--json")
        lines: list[dict[str, object]] = done.json["lines"] if done.code == 0 else []
        return lines

    (line,) = until_sync(found)
    assert line["fields"]["fleet"] == "default"
    assert here("audit", "verify", "--sql", url).code == 0
    assert here("audit", "search", "--sql", "mysql://x/y").code == 2


def test_a_database_without_the_trail_is_not_taken_for_one_that_is_whole(
    tier: Up, here: Run, tmp_path: Path
) -> None:
    path = copied(tier, tmp_path / "copy")
    nothing, emptied = tmp_path / "none.db", tmp_path / "emptied.db"
    with sqlite3.connect(emptied) as there, sqlite3.connect(tier.terminal.state.parent / "audit.db") as one:
        one.backup(there)
        there.execute("DELETE FROM guardtier_audit")
    there.close()

    for command in (("search",), ("verify", "--no-redis", "--dir", str(path))):
        done = here("audit", *command, "--sql", f"sqlite:///{nothing}")
        assert (done.code, "has no table" in done.err) == (2, True)
        assert not nothing.exists()
    for alone in ((), ("--dir", str(path))):
        done = here("audit", "verify", "--no-redis", *alone, "--sql", f"sqlite:///{emptied}", "--json")
        assert (done.code, [one["what"] for one in done.json["findings"]]) == (1, ["missing"])


def test_who_is_behind_is_shown_and_may_be_forgotten(tier: Up, here: Run) -> None:
    (one,) = here("audit", "status", "--json").json["exports"]

    assert (one["partition"], one["lines"]) == (0, 0)
    assert one["export"] in here("doctor").out
    assert here("audit", "forget", "00000000").code == 1
    with Redis.from_url(tier.body["redis_url"]) as redis:
        redis.hset(Keys(0).exported, "0a0b0c0d", f"1-0 1 2 {'0' * 64} 1 0")
    assert "0a0b0c0d" in here("audit", "status").out
    assert here("audit", "forget", "0a0b0c0d").code == 0
    assert "0a0b0c0d" not in here("audit", "status").out

    assert here("audit", "forget", one["export"]).code == 0
    until_sync(lambda: one["export"] in here("audit", "status").out)  # it runs, so it says so again


def test_a_damaged_position_is_said_where_people_look(tier: Up, here: Run) -> None:
    key, url = Keys(0).exported, tier.body["redis_url"]
    with Redis.from_url(url) as redis:
        redis.hset(key, "0a0b0c0d", "rubbish")
        try:
            for command in ("status", "verify"):
                assert here("audit", command).code == 1
            assert "0a0b0c0d" in here("audit", "verify").out
            done = here("doctor")
            assert (done.code, "does not say how far" in " ".join(done.out.split())) == (1, True)
        finally:
            redis.hdel(key, "0a0b0c0d")


def test_without_an_export_there_is_nothing_to_hand_out(
    here: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GUARDTIER_STATE_DIR", str(tmp_path))
    for command in (("export",), ("checkpoint",), ("verify", "--no-redis"), ("search",)):
        done = here("audit", *command)
        assert done.code == 2
        assert "--" in done.err
    assert here("audit", "verify", "--no-redis", "--dir", "/nowhere").code == 2
