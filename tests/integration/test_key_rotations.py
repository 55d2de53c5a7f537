"""Several operators rotate the keys of one file at the same time, each in a process of their own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from guardtier.errors import ConfigError
from guardtier.keyfile import read_private, read_public
from guardtier_workers import filelock, keyring
from processes import killed_at_end

AT_ONCE, TIMES = 3, 8
#: Rotates when it is told to, so that all begin together.
ROTATE = f"""
import sys
from datetime import timedelta
from pathlib import Path
from guardtier_workers import keyring
file, public = map(Path, sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
for _ in range({TIMES}):
    print(keyring.rotate(file, starts_in=timedelta(hours=1), keep=timedelta(hours=1))[-1].id)
    keyring.publish(file, public)
"""


def test_no_rotation_loses_the_key_of_another(tmp_path: Path) -> None:
    file, public = tmp_path / "signing.json", tmp_path / "verdict-keys.json"
    made = [keyring.make(file).id]
    with ExitStack() as ends:
        rotating = [
            subprocess.Popen(
                [sys.executable, "-c", ROTATE, file, public],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(AT_ONCE)
        ]
        for one in rotating:
            ends.enter_context(killed_at_end(one))
        for one in rotating:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in rotating:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        said = [one.communicate(timeout=90)[0] for one in rotating]
    made += [key for text in said for key in text.split()]

    assert [one.returncode for one in rotating] == [0] * AT_ONCE
    assert len(made) == 1 + AT_ONCE * TIMES
    assert {key.id for key in read_private(file)} == set(made)
    assert {key.id for key in read_public(public)} == set(made)


def test_a_rotation_that_hangs_holds_up_the_others_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "signing.json"
    keyring.make(file)
    before = file.read_bytes()
    monkeypatch.setattr(filelock, "WAIT_SECONDS", 0.1)

    with (tmp_path / ".signing.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match=r"\.signing\.json\.lock"):
            keyring.rotate(file, starts_in=timedelta(), keep=timedelta(hours=1))

    assert file.read_bytes() == before
    assert len(keyring.rotate(file, starts_in=timedelta(), keep=timedelta(hours=1))) == 2


def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    file, other = tmp_path / "signing.json", tmp_path / "other"
    (tmp_path / ".signing.json.lock").symlink_to(other)

    with pytest.raises(ConfigError, match="lock"):
        keyring.make(file)

    assert not other.exists()
    assert not file.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_name_of_a_file_in_the_locks_place_gives_it_to_nobody(tmp_path: Path) -> None:
    file, other = tmp_path / "signing.json", tmp_path / "other"
    keyring.make(file)
    os.chown(file, 1234, 1234)
    other.touch()
    (tmp_path / ".signing.json.lock").unlink()
    (tmp_path / ".signing.json.lock").hardlink_to(other)

    with pytest.raises(ConfigError, match="another name"):
        keyring.rotate(file, starts_in=timedelta(), keep=timedelta(hours=1))

    assert other.stat().st_uid == 0
