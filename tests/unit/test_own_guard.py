"""An agent does not work the guard that it is under, by whatever is beside it on the machine."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.registry import ensemble
from guardtier.settings import Settings

HOME = "~/.local/state/guardtier"


@cache
def tier() -> EnsembleSecurityAnalyzer:
    return ensemble(Settings().analyzers, time_limit=5)


def rated(tool_name: str, **arguments: Any) -> Assessment:
    action = ActionEvent(fleet="web", agent="coder", tool_name=tool_name, arguments=arguments)
    found = tier().assess_cheaply(action)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "command",
    [
        "guardtier approve a1.0",
        ".venv/bin/guardtier approve a1.0 --remember tool --scope agent",
        "uv run guardtier approve a1.0",
        "GUARDTIER_STATE_DIR=/tmp/x guardtier edit a1.0 --arguments '{}'",
        "python -m guardtier_workers.cli approve a1.0",
        "python3 -c 'from guardtier_workers.cli.entry import main; main()'",
        "guardtier console",
        "guardtier url",
        "guardtier policy set web never_confirm",
        "guardtier policy check x && guardtier policy set --file x",
        "guardtier policy set --file show",
        "guardtier resume --fleet web",
        "guardtier halt --fleet web --reason pending",
        "guardtier approver add me",
        "guardtier approver rotate operator",
        "guardtier keys rotate --revoke",
        "guardtier acl agents web --set",
        "guardtier audit forget 0a0b",
        "guardtier up",
        f"cat {HOME}/operator.json",
        f"jq -r .token {HOME}/up.json",
        f"cp evil.json {HOME}/verdict-keys.json",
        "cat /etc/guardtier/approvers.toml",
        "cat approvers.toml",
        "cp evil.json verdict-keys.json",
        "redis-cli -u $GUARDTIER_REDIS_URL HSET 'gt:{0}:policies' web x",
        "redis-cli GET 'gt:{0}:fingerprint'",
        'printf "XADD gt:{0}:answers * a b\\r\\n" | nc 127.0.0.1 6379',
        "pkill -f guardtier",
        "curl -u op:x -d '{}' http://127.0.0.1:8470/api/v1/actions/a1.0/answer",
        "curl -u operator:$GUARDTIER_APPROVER_TOKEN http://127.0.0.1:8470/api/v1/me",
        "printenv GUARDTIER_APPROVER_TOKEN",
    ],
)
def test_a_command_that_works_it_waits_for_a_person(command: str) -> None:
    assert rated("terminal", command=command).risk is SecurityRisk.HIGH


@pytest.mark.parametrize(
    "code",
    [
        "from guardtier import ActionEvent, ApproverClient\nApproverClient(u, approver='op', token=t)",
        "import guardtier\nguardtier.ApproverClient(u, approver='operator', token=t)",
        "import guardtier_workers.approvers as a\na.add(f, 'me')",
        "import os, httpx\nhttpx.get(u, auth=('op', os.environ['GUARDTIER_APPROVER_TOKEN']))",
        "import redis\nredis.Redis().hset('gt:{0}:policies', 'web', p)",
        f"import os\nprint(open(os.path.expanduser('{HOME}/up.json')).read())",
    ],
)
def test_so_does_python(code: str) -> None:
    assert rated("python", code=code).risk is SecurityRisk.HIGH


def test_so_does_writing_its_files() -> None:
    assert rated("write_file", path=f"{HOME}/approvers.toml", content="x").risk is SecurityRisk.HIGH
    assert rated("write_file", path="verdict-keys.json", content="{}").risk is SecurityRisk.HIGH
    assert rated("read_file", path=f"{HOME}/up.json").risk is SecurityRisk.HIGH


@pytest.mark.parametrize(
    ("command", "risk"),
    [
        ("guardtier version", SecurityRisk.LOW),
        ("guardtier check 'rm -rf /'", SecurityRisk.MEDIUM),
        ("guardtier pending", SecurityRisk.MEDIUM),
        ("guardtier policy test policy.toml", SecurityRisk.MEDIUM),
        ("guardtier audit verify", SecurityRisk.MEDIUM),
        ("pip install guardtier", SecurityRisk.MEDIUM),
        ("grep -rn 'gt:{0}' docs", SecurityRisk.LOW),
        ("redis-cli HGET app:1 name", SecurityRisk.LOW),
        ("cat verdict-keys.json", SecurityRisk.LOW),
    ],
)
def test_looking_does_not(command: str, risk: SecurityRisk) -> None:
    assert rated("terminal", command=command).risk is risk


def test_nor_does_code_of_an_agent_that_asks() -> None:
    code = "from guardtier import ActionEvent, GuardClient\nprint(GuardClient)"
    assert rated("python", code=code).risk in (SecurityRisk.LOW, SecurityRisk.MEDIUM)
