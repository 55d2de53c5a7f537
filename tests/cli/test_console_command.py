"""guardtier console: a link lets the operator in once, and nobody else."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cli.conftest import Terminal, Up, end, start_up
from guardtier.answer import key_of
from guardtier.errors import NotAuthorized
from guardtier.signer import Signer
from guardtier_workers.console.access import links
from guardtier_workers.console.access.links import Links
from waiting import until_sync

ALICE = Signer("alice", key_of("x"))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A tier of this file's own: it says on standard error whom it turned away."""
    found = start_up(Terminal(tmp_path_factory.mktemp("up")), console=True)
    yield found
    code, said = end(found.process)
    assert code == 0
    assert "turned away (credentials): POST /enter from 127.0.0.1" in said


@pytest.fixture
def browser(up: Up) -> Iterator[httpx.Client]:
    """Nobody yet."""
    url = until_sync(lambda: up.terminal.run("console", "--json").out and _console_of(up))
    headers = {"origin": url.rstrip("/"), "sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=90) as client:
        yield client


def _console_of(up: Up) -> str:
    url: str = json.loads((up.terminal.state / "console.json").read_text())["url"]
    return url


def code_in(link: str) -> dict[str, str]:
    name, code = urlsplit(link).fragment.split(".", 1)
    return {"name": name, "code": code}


def test_a_link_lets_in_once(up: Up, browser: httpx.Client) -> None:
    printed = up.terminal.run("console")
    given = code_in(printed.out.strip())
    assert printed.code == 0, printed.err
    assert "operator; once" in printed.err
    assert browser.get("/enter").status_code == 200  # looking uses nothing up

    assert browser.post("/enter", data=given).status_code == 303

    assert browser.get("/api/v1/me").json()["me"]["name"] == "operator"
    with httpx.Client(
        base_url=browser.base_url, headers=browser.headers, trust_env=False, timeout=90
    ) as second:
        assert second.post("/enter", data=given).status_code == 403
        assert second.get("/api/v1/me").status_code == 401


def test_a_link_under_another_name_lets_nobody_in(up: Up, browser: httpx.Client) -> None:
    given = code_in(up.terminal.run("console", "--json").json["link"])

    assert browser.post("/enter", data=given | {"name": "somebody"}).status_code == 403
    assert browser.post("/enter", data=given).status_code == 403  # and it is used up


def test_a_link_is_followed_by_a_button_of_ours_alone(up: Up, browser: httpx.Client) -> None:
    given = code_in(up.terminal.run("console", "--json").json["link"])

    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert browser.post("/enter", data=given, headers=headers).status_code == 403
    assert browser.get("/enter", params=given).status_code == 200
    assert browser.get("/api/v1/me").status_code == 401


def test_without_a_tier_there_is_no_link(terminal: Terminal) -> None:
    done = terminal.run("console")

    assert done.code == 4
    assert "guardtier up" in done.err


def test_what_a_console_was_killed_with_is_not_believed(terminal: Terminal, up: Up) -> None:
    terminal.state.mkdir()
    for name in ("up.json", "operator.json"):
        (terminal.state / name).write_bytes((up.terminal.state / name).read_bytes())
    (terminal.state / "console.json").write_text('{"pid": 99999999, "url": "http://evil.example/"}')

    done = terminal.run("console")

    assert done.code == 4
    assert "evil" not in done.out + done.err
    assert not (terminal.state / "links").exists()


def test_a_link_is_its_owners_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Links(tmp_path)
    code, old = made.make(ALICE), made.make(ALICE)

    (file, _) = (tmp_path / "links").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert code not in file.name + file.read_text()
    assert made.take(code, "alice") == ALICE

    monkeypatch.setattr(links, "time", lambda: os.stat(tmp_path).st_mtime + 61)
    with pytest.raises(NotAuthorized):
        made.take(old, "alice")
    assert list((tmp_path / "links").iterdir()) == []
    made.make(ALICE)
    made.forget_all()
    assert list((tmp_path / "links").iterdir()) == []


@pytest.mark.parametrize("code", ["", "x", "../approvers.toml", "\x00", "a" * 5000, "\ud800"])
def test_a_made_up_code_finds_nothing(tmp_path: Path, code: str) -> None:
    made = Links(tmp_path)
    made.make(ALICE)

    with pytest.raises(NotAuthorized):
        made.take(code, "alice")


def test_approvers_of_every_kind_are_added(terminal: Terminal) -> None:
    assert terminal.run("approver", "add", "console", "--may-vouch", "--json").json["token"]
    subject = "https://id.example 12"
    added = ("approver", "add", "sam", "--vouched-by", "console", "--subject", subject, "--may-halt")
    assert terminal.run(*added, "--json").json["token"] is None
    assert terminal.run("approver", "add", "viv", "--may-see").code == 0
    assert terminal.run("approver", "add", "no", "--may-vouch", "--may-halt").code == 2
    assert terminal.run("approver", "add", "no", "--subject", "nobody").code == 2

    text = (terminal.state / "approvers.toml").read_text()
    assert 'may = ["vouch"]' in text
    assert 'may = ["see"]' in text
    assert 'may = ["answer", "halt"]\nsubject = "https://id.example 12"\nvouched_by = ["console"]' in text
