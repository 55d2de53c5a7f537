"""The detector ids and labels that there are, as far as they can be told: so that no rule waits for a typo.

Ids are dotted; the first part names who found it. Of some the second part is known as well: what is done.
Kept here as data, since a policy worker loads no analyzer; tests/unit/policy/test_known.py holds it true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from guardtier.policy.globs import matcher

_EFFECTS = (
    "read collect write delete execute send receive permissions ownership escalate persist disable stop "
    "accounts credentials install discover decode single_out"
)
_SHELL = (
    "archive attack backup build capture clipboard cloud cluster computed conceal container convert crypto "
    "database disk escape exhaust git hijack history hosting infra inject kernel logs machine macos mine "
    "net network obscured open platform process program publish scan services system too_deep "
    "too_many trust uninstall unparsed vm"
)
#: A program whose entry names no id and no effect is told by the table that it stands in.
_PROGRAMS = (
    "accounts archives capture cloud containers controls credentials databases discovery download files "
    "git hosting interpreters intrusion kubernetes macos network packages permissions persistence "
    "privilege processes readers services terraform"
)
_PYTHON = (
    "assign call capture cloud container data deserialise device dynamic environment exhaust import native "
    "network obscured privilege process replicate run shell system windows unparsed"
)
_SQL = (
    "account attach change delay drop dynamic file grant injection logs meta network own pragma run server "
    "statement too_many trigger truncate unload update vacuum unparsed"
)

#: Who finds, and what may follow; None: anything.
FAMILIES: Final[dict[str, frozenset[str] | None]] = {
    "shell": frozenset(f"{_EFFECTS} {_SHELL} {_PROGRAMS}".split()),
    "python": frozenset(f"{_EFFECTS} {_PYTHON}".split()),
    "sql": frozenset(f"{_EFFECTS} {_SQL}".split()),
    "file": frozenset(f"{_EFFECTS} too_many".split()),
    **dict.fromkeys(
        (
            *("http", "mcp", "pattern", "rail", "text", "secrets", "injection", "flow", "pool"),
            *("llm", "judge", "grayswan", "invariant", "analysis", "analyzer", "agent", "redaction"),
        )
    ),
}

_WHOLE_SQL = (
    "account attach change delay dynamic grant injection logs network own pragma server statement trigger "
    "truncate unload"
)
#: What is an id by itself, with nothing behind it; of the others that is the beginning of some.
_WHOLE: Final[dict[str, frozenset[str]]] = {
    "shell": frozenset(
        f"{_EFFECTS} attack build clipboard computed exhaust mine obscured open too_deep unparsed".split()
    ),
    "python": frozenset(f"{_EFFECTS} assign call deserialise replicate unparsed".split()),
    "sql": frozenset(f"{_WHOLE_SQL} unparsed".split()),
}

_OUR_MARK = re.compile(r"[a-z_*]+")

LOST: Final = "history.lost"  #: a conversation's labels are not all known

LABELS: Final = frozenset(
    (
        *("secret.read", "private.read", "untrusted.in", "network.send", "network.url_data"),
        *("message.sent", "download", "code.run", "persistence"),
        *("secret.seen", "injection.seen", LOST),
    )
)

#: The rules for secrets, by their marks: of what was redacted (docs/roles.md).
MARKS: Final = frozenset(
    (
        *("redacted", "by_name", "everything", "assigned", "bearer", "jwt", "private_key", "url_password"),
        *(
            "aws_access_key",
            "aws_secret_key",
            "github_token",
            "gitlab_token",
            "slack_token",
            "slack_webhook",
        ),
        *(
            "stripe_key",
            "google_api_key",
            "google_oauth",
            "anthropic_key",
            "openai_key",
            "huggingface_token",
        ),
        *("npm_token", "pypi_token", "sendgrid_key", "twilio_key", "azure_storage_key"),
        *("azure_client_secret", "digitalocean_token", "telegram_token"),
    )
)


def unknown_id(glob: str, own: Sequence[str]) -> str | None:
    """What is wrong with a glob that no detector's id can match; None where one can, or can't be told."""
    if _is_own(glob, own):
        return None
    parts = glob.split(".")
    if "*" in parts[0]:
        return None
    if parts[0] not in FAMILIES:
        return _nobody(f"no detector's id begins with {parts[0]!r}", parts[0], FAMILIES)
    known = FAMILIES[parts[0]]
    if known is None or len(parts) == 1 or "*" in parts[1] or parts[1] in known:
        return None
    return _nobody(f"no detector's id begins with '{parts[0]}.{parts[1]}'", parts[1], known)


def cut_short(glob: str, own: Sequence[str]) -> bool:
    """Whether it is only the beginning of ids: ``sql.drop`` matches nothing, ``sql.drop.*`` does."""
    if "*" in glob or _is_own(glob, own):
        return False
    family, _, rest = glob.partition(".")
    return not rest or ("." not in rest and rest not in _WHOLE.get(family, (rest,)))


def unknown_label(glob: str, own: Sequence[str]) -> str | None:
    """The same for a glob over labels."""
    matches = matcher(glob)
    if _is_own(glob, own) or any(matches(label) for label in LABELS):
        return None
    return _nobody(f"no label matches {glob!r}", glob, LABELS)


def unknown_mark(glob: str, own: Sequence[str]) -> str | None:
    """The same for a glob over rules for secrets. A user's file may name its own otherwise than ours."""
    matches = matcher(glob)
    if not _OUR_MARK.fullmatch(glob) or _is_own(glob, own) or any(matches(mark) for mark in MARKS):
        return None
    return _nobody(f"no rule for secrets matches {glob!r}", glob, MARKS)


def _is_own(glob: str, own: Sequence[str]) -> bool:
    """Whether it can match what one of the user's globs names: one of the two covers the other."""
    return any(matcher(one)(glob) or matcher(glob)(one) for one in own)


def _nobody(says: str, word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f'{says}{hint}: the rule can never match; ids and labels of your own are named in own = ["…"]'
