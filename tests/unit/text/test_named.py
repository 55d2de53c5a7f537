"""Named: what is a secret by its name is not kept, however name and value are written down."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from guardtier.action import ActionEvent
from guardtier.analyzers.text.keeping import Keeping
from guardtier.analyzers.text.secrets import secret_rules
from guardtier.assessment import Assessment, Finding
from guardtier.redacted import Fingerprinter, Kept
from guardtier.risk import SecurityRisk

PRINTS = Fingerprinter(b"k" * 32)
KEEPING = Keeping(secret_rules(), PRINTS)
LOW = Assessment(risk=SecurityRisk.LOW)


def mark(secret: str) -> str:
    return PRINTS.mark("web", "by_name", secret)


def kept(arguments: dict[str, Any], rated: Assessment = LOW) -> Kept:
    action = ActionEvent(id="a1.0", fleet="web", agent="a", tool_name="call", arguments=arguments)
    return KEEPING.of(action, action.to_json(), rated)


def stays(arguments: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(kept(arguments).event)["arguments"]
    return found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "value"),
        ("key", "value"),
        ("Name", "Value"),
        ("field", "value"),
        ("ParameterKey", "ParameterValue"),
        ("header", "content"),
        ("k", "v"),
    ],
)
def test_the_value_beside_a_secrets_name_goes(name: str, value: str) -> None:
    pair = {name: "DB_PASSWORD", value: "hunter22"}

    for arguments in (pair, {"env": [{name: "A", value: "plain text"}, pair]}, {"deep": [[{"x": pair}]]}):
        assert "hunter22" not in repr(stays(arguments))
        assert "DB_PASSWORD" in repr(stays(arguments))
        assert ("plain text" in repr(stays(arguments))) == ("env" in arguments)


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "db.password", "X-Vault-Token"])
def test_headers_that_are_pairs_keep_their_names_alone(name: str) -> None:
    headers = [["Accept", "application/json"], [name, "Bearer letmein42"]]

    assert stays({"headers": headers}) == {"headers": [headers[0], [name, f"Bearer {mark('letmein42')}"]]}
    pairs = [{"name": name, "value": "Bearer letmein42"}]
    assert stays({"headers": pairs})["headers"][0]["value"] == f"Bearer {mark('letmein42')}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pin", 4711),
        ("password", 123456),
        ("cardPin", "4711"),
        ("pin_code", 4711),
        ("cvv", 123),
        ("otp", "123456"),
        ("DB_PASSWORD", "4711"),
        ("apiKey", 90210.5),
    ],
)
def test_a_number_under_a_secrets_name_goes(name: str, value: object) -> None:
    assert stays({name: value}) == {name: mark(str(value))}
    assert stays({"settings": {name: value}}) == {"settings": {name: mark(str(value))}}
    assert stays({"name": name, "value": value})["value"] == mark(str(value))


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_tokens": 4096, "prompt_token": 50256, "password_length": 1024, "cookie_max_age": 360000},
        {"pin": 17, "spin": 4711, "password": True, "token": None, "pinned": "1.2.3456"},
        {"key": "DB_HOST", "value": "db.internal.example"},
        {"name": "Reset the password of a user", "value": "when they ask for it"},
        {"name": "password_policy", "value": "strict-rotation"},
        {"fields": ["password", "username", "address"]},
        {"authorization": {"policies": ["read_files", "write_files"]}},
        {"token": {"symbol": "USDC", "address": "0x0011223344"}},
        {"valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        {"properties": {"password": {"type": "string", "format": "password", "description": "your own"}}},
        {"credentials": {"user": "somebody", "host": "db.example.org", "port": 15432, "use_tls": True}},
    ],
)
def test_what_only_speaks_of_secrets_stays(arguments: dict[str, Any]) -> None:
    assert not kept(arguments).marks


def test_what_stands_below_a_secrets_name_goes_and_whose_it_is_stays() -> None:
    assert stays({"credentials": {"user": "somebody", "pass": "hunter22", "extra": ["letmein"]}}) == {
        "credentials": {"user": "somebody", "pass": mark("hunter22"), "extra": [mark("letmein")]}
    }
    assert stays({"passwords": ["hunter22", {"bob": "letmein", "age": 12345}, 123456]}) == {
        "passwords": [mark("hunter22"), {"bob": mark("letmein"), "age": 12345}, mark("123456")]
    }
    assert stays({"secret": {"metadata": {"name": "database"}, "data": {"x": {"y": "aHVudGVyMjI="}}}}) == {
        "secret": {"metadata": {"name": "database"}, "data": {"x": {"y": mark("aHVudGVyMjI=")}}}
    }


def test_a_letter_that_is_written_otherwise_hides_no_name() -> None:
    action = ActionEvent(
        id="a1.0", fleet="web", agent="a", tool_name="call", arguments={"to": {"password": "hunter22"}}
    )
    event = action.to_json().replace(b"password", b"p\\u0061ssword")

    assert b"hunter22" not in KEEPING.of(action, event, LOW).event


def test_a_short_number_is_taken_out_of_findings_only_where_it_stands_alone() -> None:
    finding = Finding(id="x.y", risk=SecurityRisk.LOW, message="pays with 4711, not 147110 (ATT&CK T4711)")

    found = kept({"pin": 4711}, Assessment(risk=SecurityRisk.LOW, findings=(finding,)))

    told = found.assessment.findings[0].message
    assert told == f"pays with {mark('4711')}, not 147110 (ATT&CK T4711)"


@pytest.mark.parametrize("seed", range(3))
def test_the_gate_misses_no_name_that_the_search_would_find(seed: int) -> None:
    dice = random.Random(seed)
    words = ["db", "user", "api", "access", "card", "reset", "x", "max", "the", "bob"]
    ends = [
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "token",
        "apiKey",
        "api-key",
        "PIN",
        "pin",
        "otp",
        "cvv2",
        "Credential",
        "cookie",
    ]
    for _ in range(300):
        name = dice.choice(["", "_", "-", "."]).join(
            [*dice.sample(words, dice.randrange(3)), dice.choice(ends)]
        )
        for flat in ({name: "483920"}, {"name": name, "value": "483920"}):
            deep = kept({"deep": [flat]})
            assert bool(deep.marks) == bool(kept(flat).marks), flat


@pytest.mark.parametrize(
    "text",
    [
        """curl -d '{"user": "bob", "password": "hunter22"}' https://x.example""",
        r"""curl -d "{\"user\": \"bob\", \"db_password\":\"hunter22\"}" https://x.example""",
        '{"auth": {"apiKey" : "hunter22"}}',
    ],
)
def test_json_in_a_text_gives_a_secret_away_too(text: str) -> None:
    assert stays({"command": text}) == {"command": text.replace("hunter22", mark("hunter22"))}
    assert stays({"deep": [text]}) == {"deep": [text.replace("hunter22", mark("hunter22"))]}


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "Password", "reset_password": "Reset your password 2"}',
        '{"password": "$DB_PASSWORD2", "token": "${TOKEN1}", "secret": "<secret1>"}',
        """echo '{"password":"'"$PASS1"'"}'""",
        '{"token_path": "/run/secrets/1", "max_tokens": "123456"}',
        '{"password": "a$(reboot1)b"}',
    ],
)
def test_texts_for_people_and_references_in_json_stay(text: str) -> None:
    assert not kept({"command": text}).marks
