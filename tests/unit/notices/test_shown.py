"""What a notice shows: no secret, nothing hidden, bounded."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from typing import Any
from unicodedata import category

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier import ActionEvent, Assessment, Finding, SecurityRisk
from guardtier.channels import EmailChannel
from guardtier.errors import InvalidAction
from guardtier.policy.terms import Terms
from guardtier.settings import Settings
from guardtier.state import State
from guardtier.store.records import Record
from guardtier_workers.notices.channels import slack_text, webhook_body
from guardtier_workers.notices.cutting import LONGEST, cut, trimmed
from guardtier_workers.notices.mail import message_of
from guardtier_workers.notices.plan import Notice
from guardtier_workers.notices.rendering import MOST_CALL, Renderer, Shown, text_of

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def shown(
    arguments: Any = None,
    *,
    terms: Terms | None = None,
    votes: bytes = b"",
    console: str | None = None,
    **fields: Any,
) -> Shown:
    known = {"fleet": "web", "agent": "agent-1", "tool_name": "terminal", "conversation": "talk-1"}
    action = ActionEvent(
        id="a1.0",
        arguments={"command": "ls"} if arguments is None else arguments,
        **known | fields,
    )
    finding = Finding(id="shell.x", risk=SecurityRisk.HIGH, message=fields.get("summary", "why")[:500])
    record = Record(
        id="a1.0",
        state=State.PARKED,
        fleet="web",
        waiters="",
        digest=action.digest,
        event=action.to_json(),
        received_at=1,
        assessment=Assessment(risk=SecurityRisk.HIGH, findings=(finding,)),
        deadline=1_800_000_000_000,
        votes=votes,
    )
    notice = Notice("a1.0", "chat", "parked", 0, 1, 1)
    return Renderer(Settings(console_url=console)).shown(record, terms or Terms(), notice)


def every_text(content: Shown) -> list[str]:
    mail = message_of(mail_channel(), content)
    return [
        "\n".join(text_of(content)),
        webhook_body(content).decode(),
        slack_text(content),
        mail.get_content(),
        str(mail["Subject"]),
    ]


def mail_channel(**fields: Any) -> EmailChannel:
    known = {
        "host": "mail.example",
        "sender": "guard@example.org",
        "to": ["a@example.org", "b@example.org"],
    }
    return EmailChannel(**known | fields)


def test_a_notice_tells_what_is_to_run_who_asked_and_how_long_there_is_time():
    text = "\n".join(text_of(shown({"command": "rm -rf ~/.ssh"}, summary="tidy up")))

    for part in (
        "web, agent-1",
        "talk-1",
        "terminal",
        "rm -rf ~/.ssh",
        "HIGH shell.x",
        "tidy up",
        "2027-01-15",
    ):
        assert part in text


@pytest.mark.parametrize(
    "fields",
    [
        {"arguments": {"command": f"curl -H 'Authorization: Bearer {TOKEN}' https://x"}},
        {"arguments": {"env": {"deep": [f"TOKEN={TOKEN}"]}}},
        {"arguments": {"password": "hunter2hunter2", "x": TOKEN}},
        {"arguments": {TOKEN: 1}},
        {"summary": f"use {TOKEN}"},
        {"tool_name": f"tool {TOKEN}"},
    ],
    ids=str,
)
def test_no_secret_leaves_the_house(fields: dict[str, Any]):
    for text in every_text(shown(**fields)):
        assert TOKEN not in text
        assert "hunter2" not in text


@pytest.mark.parametrize("char", ["\x1b", "\u202e", "\u200b", "\r", "\x00", "\U000e0041", "\u2028"])
def test_what_is_hidden_is_spelled_out(char: str):
    content = shown({"command": f"ls{char}x"}, summary=f"a{char}b", tool_name=f"t{char}u")

    for text in every_text(content):
        assert char not in text.replace("\r\n", "\n")


def test_a_second_line_stays_a_line_and_a_header_can_not_be_ended():
    content = shown({"command": "ls\nrm -rf /"}, tool_name="t\r\nBcc: eve@example.org")

    assert "  | ls\n  | rm -rf /" in "\n".join(text_of(content))
    message = message_of(mail_channel(), content)
    assert message["Bcc"] is None
    assert b"\nBcc:" not in message.as_bytes().partition(b"\n\n")[0]


@pytest.mark.parametrize(
    "agent",
    [
        "=?utf-8?q?x=0D=0ABcc:_eve@example.org?=",
        "=?utf-8?q?x=0D=0A=0D=0AIt_is_harmless:_approve_it?=",
        "=?utf-8?b?4oCuZXZpbA==?=",
        "==?utf-8?q?LOW?==?utf-8?q?LOW?=",
    ],
)
def test_an_agents_name_is_no_header_however_it_is_encoded(agent: str):
    mail = message_of(mail_channel(), shown({"command": "ls"}, agent=agent))

    head, _, body = mail.as_bytes().partition(b"\n\n")
    assert body.startswith(b"An action waits")
    assert b"Bcc" not in head.replace(b"q\\x3f", b"").replace(b"=0ABcc", b"")
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert read["Bcc"] is None
    assert str(read["Subject"]).isprintable()
    assert str(mail["Subject"]) == str(read["Subject"])
    assert agent.replace("=?", "=\\x3f") in str(read["Subject"])


@pytest.mark.parametrize("text", ["```", "<!channel> <https://evil|ok>", "a & b", "@here `x`"])
def test_what_an_agent_wrote_can_not_leave_its_block_in_a_chat(text: str):
    said = slack_text(shown({"command": text}, summary=text, agent="<@U1>`"))

    head, _, rest = said.partition("```")
    assert rest.rstrip().count("`") == 3
    assert rest.endswith("\n```")
    assert not re.search(r"[<>]", rest)
    assert "agent" not in head


@pytest.mark.parametrize(
    "command", ["x" * 10_000, "\n" * 500 + "rm -rf /", "é" * 40_000, "password = abcdefgh1234 " * 300]
)
def test_a_long_call_is_cut_and_the_notice_says_so(command: str):
    content = shown({"command": command})

    assert len(content.call) <= MOST_CALL
    assert content.call_cut
    for text in every_text(content)[:4]:
        assert content.call_cut in text.replace("=\n", "")
        assert len(text) < 20_000


def test_one_too_long_to_be_looked_through_is_not_shown_at_all():
    content = shown({str(number): "é" * 4000 for number in range(10)})

    assert content.call == ""
    assert "too many to be shown" in content.call_cut


@pytest.mark.parametrize("before", [LONGEST - 20, LONGEST - len(TOKEN) - 1, LONGEST, 1900])
def test_no_half_of_a_secret_is_shown_where_a_text_is_cut(before: int):
    arguments = {"path": "x", "content": "a " * (before // 2) + TOKEN + " b" * 5000}

    content = shown(arguments)

    assert content.call_cut == f"only a part of its {len(orjson.dumps(arguments))} bytes stands here"
    assert content.call.startswith('{"path":"x"') or content.call.startswith('{"content"')
    assert TOKEN[:8] not in content.call


def test_nothing_that_stands_before_a_cut_is_shown_however_much_was_taken_out():
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "QUJD" * 1900 + "\n"  # cut in its middle
    content = shown({"a": key + "QUJD" * 4000, "b": ["x" * 20_000, {"c": "y" * 9_000}]})

    assert "QUJD" not in content.call
    assert content.call_cut


def test_a_summary_without_end_is_not_looked_through():
    assert shown(summary="é " * 100_000).summary == "[200000 characters, too many to be shown]"


def test_how_many_answers_it_needs_and_has():
    votes = orjson.dumps(
        [
            {"principal": p, "approver": p, "choice": c, "digest": shown().digest, "at": 1, "proof": "x"}
            for p, c in (("a", "approve"), ("b", "reject"))
        ]
    )

    assert shown(terms=Terms(approve=2, roles=("dba", "sre")), votes=votes).needs == (
        "2 approvals by dba or sre, has 1"
    )
    assert shown(votes=b"no json").needs == "1 approval"


def test_the_link_leads_to_the_console_or_to_the_command_line():
    assert shown(console="https://guard.example/x/").link == "https://guard.example/x/actions/a1.0"
    assert "guardtier show a1.0" in slack_text(shown())


def test_a_mail_has_the_same_id_each_time_it_is_sent():
    first, second = (message_of(mail_channel(), shown()) for _ in range(2))

    assert first["Message-ID"] == second["Message-ID"]
    assert first["To"] == "a@example.org, b@example.org"
    assert first["Auto-Submitted"] == "auto-generated"


_TEXT = st.text(max_size=30) | st.sampled_from(["\u202e", "\x1b[2J", "```", "<!here>", TOKEN, "x" * 9_000])

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None)
@given(arguments=st.dictionaries(_TEXT, _JSON, max_size=4), summary=_TEXT, tool=_TEXT.filter(bool))
def test_whatever_an_agent_sends_is_shown_bounded_and_in_plain_sight(
    arguments: Any, summary: str, tool: str
):
    try:
        content = shown(arguments, summary=summary, tool_name=tool[:256])
    except InvalidAction:
        return  # the tier takes no such action either

    for text in every_text(content):
        assert TOKEN not in text
        assert len(text) < 20_000
        assert not any(
            category(char) in ("Cc", "Cf", "Cs") for char in text.replace("\r\n", "").replace("\n", "")
        )
    assert trimmed(arguments, cut(arguments)) == arguments or content.call_cut
