"""guardtier keys: made, handed out, rotated and looked at; and a tier that up starts signs by default."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Done, Terminal, Up
from guardtier import ActionEvent, Verdict
from guardtier.blocking import BlockingGuardClient
from guardtier.keyfile import Key
from guardtier.sealing import Sealer, SigningKeys
from guardtier.settings import Settings
from guardtier.verifying import Verifier
from guardtier_workers.cli.checkup import configuration
from guardtier_workers.cli.entry import run
from guardtier_workers.cli.state import StateDir
from sealed import clock, verdict_on
from tier import low


def ask(up: Up, **options: Any) -> Verdict:
    url = up.terminal.run("url").out.strip()
    with BlockingGuardClient(url, fleet="default", **options) as guard:
        action = ActionEvent(fleet="default", agent="a", tool_name="terminal", arguments={"command": "ls"})
        return guard.check(action, timeout=90)


class Here:
    """Runs commands in this process, which is ten times faster than a terminal."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file, self.public = folder / "signing.json", folder / "verdict-keys.json"
        self._capsys = capsys
        assert self.run("keys", "new", str(self.file)).code == 0
        self.public.write_text(self.run("keys", "public", "--file", str(self.file)).out)

    @property
    def both(self) -> tuple[str, ...]:
        return "--file", str(self.file), "--public", str(self.public)

    def run(self, *arguments: str) -> Done:
        code = run([*arguments])
        said = self._capsys.readouterr()
        return Done(int(code), said.out, said.err)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """A file of keys, and the public ones in another, as an operator would make them."""
    monkeypatch.setenv("GUARDTIER_STATE_DIR", str(tmp_path / "state"))
    return Here(tmp_path, capsys)


def test_up_signs_by_default_and_says_where_its_keys_are(up: Up) -> None:
    keys = Path(up.body["verdict_keys"])

    verdict = ask(up, verdict_keys=keys)

    assert verdict.seal
    assert "private" not in keys.read_text()
    assert stat.S_IMODE((up.terminal.state / "signing-keys.json").stat().st_mode) == 0o600


def test_submit_verifies_what_up_has_signed(up: Up) -> None:
    assert up.terminal.run("submit", "ls").code == 0

    told = up.terminal.run("submit", "ls", "--json").json
    assert told["seal"]
    assert told["valid_until"] == told["decided_at"] + 300_000

    refused = up.terminal.run("submit", "ls", GUARDTIER_VERDICT_KEYS=Key.new().public)
    assert refused.code == 1
    assert "was not given" in refused.err
    assert up.terminal.run("submit", "ls", GUARDTIER_VERDICT_KEYS="").code == 2


def test_keys_rotate_while_the_tier_runs(up: Up) -> None:
    keys = Path(up.body["verdict_keys"])
    before = ask(up, verdict_keys=keys)

    done = up.terminal.run("keys", "rotate", "--now", "--json")

    assert done.code == 0, done.err
    old, fresh = done.json["keys"]
    assert before.seal.startswith(old["id"])
    assert old["until"] > fresh["from"]
    assert ask(up, verdict_keys=keys).allowed, "whichever signs by now"
    assert up.terminal.run("keys", "check").code == 0
    assert up.terminal.run("keys", "list").out.count("\n") >= 4


def test_agents_are_given_a_key_before_anything_can_be_signed_with_it(here: Here) -> None:
    here.file.with_name("signing.json.new").mkdir()  # so the signing file can't be written

    done = here.run("keys", "rotate", *here.both, "--now")

    assert done.code != 0
    assert len(Verifier(file=here.public).keys) == 2


def test_the_keys_are_the_same_the_next_time(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    first = state.signing_keys(None).read_bytes()
    public = state.verdict_keys_file.read_bytes()

    assert StateDir(tmp_path).signing_keys(None).read_bytes() == first
    assert state.verdict_keys_file.read_bytes() == public


def test_up_with_a_signing_file_that_others_may_read_does_not_start(terminal: Terminal, here: Here) -> None:
    here.file.chmod(0o644)

    done = terminal.run("up", "--no-console", GUARDTIER_SIGNING_KEY_FILE=str(here.file))

    assert done.code == 2
    assert f"chmod 600 {here.file}" in done.err


def test_a_new_file_is_its_owners_alone_and_never_replaced(here: Here) -> None:
    assert stat.S_IMODE(here.file.stat().st_mode) == 0o600

    again = here.run("keys", "new", str(here.file))

    assert again.code == 2
    assert "guardtier keys rotate" in again.err


def test_what_public_prints_verifies_and_holds_no_secret(here: Here) -> None:
    raw = Sealer(SigningKeys(here.file))(verdict_on(low().placed_in(0)))

    assert Verifier(file=here.public).read(raw).allowed
    assert "private" not in here.public.read_text()
    assert "private" not in here.run("keys", "list", "--file", str(here.file), "--json").out


def test_a_rotation_gives_agents_time_and_what_was_signed_stays_good(here: Here) -> None:
    raw = Sealer(SigningKeys(here.file))(verdict_on(low().placed_in(0)))
    old = SigningKeys(here.file).id

    assert here.run("keys", "rotate", *here.both).code == 0

    assert SigningKeys(here.file).id == old, "the new one signs in an hour"
    assert Verifier(file=here.public).read(raw).allowed
    assert here.run("keys", "rotate", "--now", *here.both).code == 0
    assert SigningKeys(here.file).id != old
    assert Verifier(file=here.public).read(raw).allowed


def test_a_stolen_key_is_revoked_at_once(here: Here) -> None:
    stolen = SigningKeys(here.file).id

    done = here.run("keys", "rotate", "--revoke", *here.both)

    assert done.code == 0, done.err
    assert stolen not in here.file.read_text()
    assert stolen not in here.public.read_text()
    assert SigningKeys(here.file).id != stolen


def test_once_a_key_is_revoked_a_worker_whose_clock_is_behind_can_sign(here: Here) -> None:
    assert here.run("keys", "rotate", "--revoke", *here.both).code == 0

    assert SigningKeys(here.file, clock=clock(-30_000)).id


def test_the_agents_of_up_are_told_however_its_file_is_spelled(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path / "state")
    state.make()
    state.signing_keys(None)
    monkeypatch.chdir(state.path)

    done = here.run("keys", "rotate", "--revoke", "--file", state.signing_file.name)

    assert done.code == 0, done.err
    assert [key.id for key in Verifier(file=state.verdict_keys_file).keys] == [
        SigningKeys(state.signing_file).id
    ]


def test_a_rotation_leaves_the_file_to_whom_it_was_for(here: Here) -> None:
    """As root's, readable by the group of the workers' user: they must not lose it by a rotation."""
    group, mode = (12345, 0o640) if os.geteuid() == 0 else (os.getegid(), 0o600)
    os.chown(here.file, -1, group)
    here.file.chmod(mode)

    done = here.run("keys", "rotate", *here.both)

    assert done.code == 0, done.err
    about = here.file.stat()
    assert (about.st_gid, stat.S_IMODE(about.st_mode)) == (group, mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone makes files of others")
@pytest.mark.parametrize(("owner", "group", "mode"), [(10001, 10001, 0o600), (0, 10001, 0o640)])
def test_a_rotation_leaves_the_file_to_the_workers_whose_it_is(
    here: Here, owner: int, group: int, mode: int
) -> None:
    """As docs/operations.md makes them for compose, and for systemd."""
    os.chown(here.file, owner, group)
    here.file.chmod(mode)

    done = here.run("keys", "rotate", "--now", *here.both)

    now = here.file.stat()
    assert done.code == 0, done.err
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (owner, group, mode)
    assert here.run("keys", "check", *here.both).code == 0


def test_check_says_what_agents_lack(here: Here) -> None:
    assert here.run("keys", "check", *here.both).code == 0

    assert here.run("keys", "rotate", "--file", str(here.file)).code == 0
    done = here.run("keys", "check", *here.both)

    assert done.code == 1
    assert "agents are not given key" in done.out
    here.file.chmod(0o644)
    assert here.run("keys", "check", *here.both).code == 2


@pytest.mark.parametrize("command", ["list", "public", "rotate", "check"])
def test_without_keys_the_commands_say_how_to_make_some(here: Here, command: str) -> None:
    done = here.run("keys", command)

    assert done.code == 2
    assert "guardtier keys new" in done.err


def test_doctor_looks_at_the_keys(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDTIER_SIGNING_KEY_FILE", str(here.file))
    monkeypatch.setenv("GUARDTIER_VERDICT_KEYS", str(here.public))

    def grades() -> list[str]:
        found = [*configuration(Settings.load(), None)]
        return [one.grade for one in found if one.what == "signing keys"]

    assert grades() == ["ok"]
    here.file.chmod(0o604)
    assert grades() == ["failure"]
