"""Who is taken out of the approvers file, or given a new token; everything else there stays as it is."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guardtier.answer import key_of
from guardtier.errors import ConfigError
from guardtier_workers import approvers, dismissing
from guardtier_workers.approvers import Approvers, Right
from guardtier_workers.dismissing import Loss

KEYS = {name: key_of(name).hex() for name in ("alice", "bob", "carol")}
TEXT = f"""# Who may answer. Ask ops before you change it.

# Alice, of ops
[[approver]]
name = "alice"   # by her laptop
key = "{KEYS["alice"]}"

# Bob is away in May
[[approver]]
name = "bob"
fleets = ["web",
  "ops"]
key = '{KEYS["bob"]}'

[[approver]]
key = "{KEYS["carol"]}"
name = "carol"
may = ["see"]"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "approvers.toml"
    file.write_text(TEXT)
    file.chmod(0o640)
    return file


def names(file: Path) -> list[str]:
    return [found.name for found in approvers.read(file)]


def test_who_is_removed_leaves_the_rest_as_it_was(file: Path) -> None:
    dismissing.remove(file, "bob")

    before, _, after = TEXT.partition("# Bob is away in May\n")
    assert file.read_text() == before + after[after.index("[[approver]]\nkey") :]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_a_new_token_is_all_that_changes(file: Path, name: str) -> None:
    token = dismissing.rotate(file, name)

    assert file.read_text().replace("'", '"') == TEXT.replace(KEYS[name], key_of(token).hex()).replace(
        "'", '"'
    )


def test_an_old_token_ends_although_the_file_looks_as_it_did(file: Path) -> None:
    known = Approvers(file)
    old = known.named("alice")
    then = file.stat()

    token = dismissing.rotate(file, "alice")
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))

    new = known.named("alice")
    assert old is not None
    assert new is not None
    assert new.key == key_of(token).hex() != old.key


def test_what_is_added_removed_and_rotated_at_once_is_all_done(file: Path) -> None:
    with ThreadPoolExecutor(12) as several:
        done = [several.submit(approvers.add, file, f"new-{number}") for number in range(8)]
        done += [
            several.submit(dismissing.rotate, file, "alice"),
            several.submit(dismissing.remove, file, "bob"),
        ]
        for one in done:
            one.result()

    assert sorted(names(file)) == sorted(["alice", "carol", *(f"new-{number}" for number in range(8))])


def test_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "approvers.toml"
    link.symlink_to(file)

    approvers.add(link, "dora")
    dismissing.rotate(link, "dora")
    dismissing.remove(link, "bob")

    assert link.is_symlink()
    assert names(file) == ["alice", "carol", "dora"]


@pytest.mark.parametrize("change", [dismissing.remove, dismissing.rotate, dismissing.loss])
def test_somebody_whom_nobody_knows(file: Path, tmp_path: Path, change) -> None:
    with pytest.raises(ConfigError, match="'eve': guardtier approver list") as refused:
        change(file, "eve")
    with pytest.raises(ConfigError, match="can't be read"):
        change(tmp_path / "none.toml", "eve")

    assert refused.value.field == "name"
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("change", [dismissing.remove, dismissing.rotate])
def test_a_file_that_is_written_in_another_way_is_left_alone(tmp_path: Path, change) -> None:
    file = tmp_path / "approvers.toml"
    alice, bob = (f'{{ name = "{name}", key = "{KEYS[name]}" }}' for name in ("alice", "bob"))
    text = f"approver = [{alice}, {bob}]\n"
    file.write_text(text)

    with pytest.raises(ConfigError, match="by hand"):
        change(file, "alice")

    assert file.read_text() == text


def test_who_comes_by_a_console_has_no_token_to_rotate(tmp_path: Path) -> None:
    file = tmp_path / "approvers.toml"
    approvers.add(file, "sam", vouched_by=["console"], with_token=False)

    with pytest.raises(ConfigError, match="sam has no token: they come by console"):
        dismissing.rotate(file, "sam")


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("alice", Loss(("*",), ())),
        ("bob", Loss((), ())),
        ("wendy", Loss((), ())),
        ("console", Loss((), ("sam",))),
    ],
)
def test_what_a_tier_is_without_when_somebody_has_gone(tmp_path: Path, name: str, lost: Loss) -> None:
    file = tmp_path / "approvers.toml"
    approvers.add(file, "alice")
    approvers.add(file, "bob", ["web"])
    approvers.add(file, "wendy", may=[Right.SEE])
    approvers.add(file, "console", may=[Right.VOUCH])
    approvers.add(file, "sam", ["ops"], vouched_by=["console"], with_token=False)

    assert dismissing.loss(file, name) == lost
    assert dismissing.remove(file, name) == lost


def test_the_last_of_a_fleet_is_told_also_where_they_come_by_a_console(tmp_path: Path) -> None:
    file = tmp_path / "approvers.toml"
    approvers.add(file, "bob", ["web"])
    approvers.add(file, "console", may=[Right.VOUCH])
    approvers.add(file, "sam", ["ops"], vouched_by=["console"], with_token=False)

    assert dismissing.loss(file, "bob").fleets == ("web",)
    assert dismissing.loss(file, "console") == Loss(("ops",), ("sam",))
