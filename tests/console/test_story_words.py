"""Every kind of audit line is told in words, and what nobody knows is shown as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import guardtier.store.scripts as scripts
from guardtier.store.trail import Line
from guardtier_workers.console.story.words import KINDS, step_of

BOTH = {"approve": 2, "reject": 1}


def line(event: str, details: Any = None, **fields: str) -> Line:
    known = {"id": "a.0", "event": event, "fleet": "web", **fields}
    if details is not None:
        known["details"] = json.dumps(details)
    return Line(0, "1764000000000-0", {name.encode(): value.encode() for name, value in known.items()})


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (line("assessed", risk="HIGH"), "Rated HIGH"),
        (line("parked", {"rules": ["keys"]}, policy="file@7"), "by the rule keys (file@7)"),
        (line("parked", {"rules": ["halt"]}, policy="file@7"), "Parked, since it is halted: it waits"),
        (line("parked", {"rules": ["halt", "keys"]}), "since it is halted (and by keys)"),
        (line("rejected", {"rules": ["halt"]}, policy="file@7"), "Rejected at once, since it is halted"),
        (line("released", policy="never_confirm"), "by the policy never_confirm"),
        (line("released", {"grant": "g1"}), "a remembered approval covers it"),
        (line("released", {"would": "park", "would_by": ["r"]}), "would have made it park"),
        (line("rejected", {"rules": ["block"]}), "had been rejected shortly before"),
        (line("rejected", {"halt": "web coder"}), "under the halt of web coder"),
        (
            line("rejected", {"choice": "reject", "rejected_by": ["bob"], "need": BOTH}),
            "1 of 1 rejection: bob",
        ),
        (
            line("answered", {"choice": "approve", "approved_by": ["ann"], "need": BOTH}),
            "1 of 2 approvals: ann",
        ),
        (line("approved", {"approved_by": ["ann", "bob"], "need": BOTH}), "2 of 2 approvals: ann, bob"),
        (line("edited", {"riskier": True}, was="0" * 64), "riskier than before"),
        (line("expired"), "nobody decided"),
        (line("extended", deadline="1764000000000", was="1"), "until 2025-11-24 16:00:00 UTC"),
        (line("redeemed"), "may have run"),
        (line("repeated", state="parked"), "told what stood: parked"),
        (line("halted", {"scope": "web coder"}, by="olga"), "Halted: web coder"),
        (line("resumed", {"scope": "web"}), "Resumed: web"),
        (line("granted", {"words": "git push of coder", "expires_at": 1764000000000}), "git push of coder"),
        (line("blocked", {"until": 1764000000000}), "until 2025-11-24 16:00:00 UTC"),
        (
            line("configured", policy="always_confirm@3", was=""),
            "always_confirm@3; it was as in the settings",
        ),
        (line("answer_refused", error='{"code":"x","message":"too late"}'), "An answer was refused"),
        (line("turned_away", why="queue_full", count="7"), "limit were refused unrated: 7"),
        (line("turned_away", why="quota_exceeded", count="1"), "beyond a quota"),
        (line("given_up", error='{"code":"x","message":"no JSON"}'), "a dead letter keeps it"),
        (line("frobnicate_refused"), "A request (frobnicate) was refused"),
        (line("frobnicated", colour="red"), "frobnicated"),
    ],
    ids=lambda value: value.text("event") if isinstance(value, Line) else "",
)
def test_each_kind_has_words(told: Line, words: str) -> None:
    assert words in step_of(told).words


def test_what_the_scripts_write_is_known() -> None:
    texts = [path.read_text() for path in Path(scripts.__file__).parent.glob("*.lua")]
    written = {
        name for text in texts for name in re.findall(r"audit\(audit_key, \w+(?:\.id)?, '(\w+)'", text)
    }

    assert len(written) > 10
    assert written <= set(KINDS)
    assert {step_of(line(name)).words for name in written}.isdisjoint(written)


@pytest.mark.parametrize(
    "details", ["{", "[]", '"x"', "\x00", '{"need":{"approve":"x"},"approved_by":{"a":1}}']
)
def test_details_that_cant_be_read_are_left_out(details: str) -> None:
    broken = line("approved")
    broken.fields[b"details"] = details.encode()

    assert step_of(broken).words == "Approved: approval"


def test_why_something_was_refused_is_quoted() -> None:
    told = step_of(line("answer_refused", error='{"code":"late","message":"too late"}', by="mallory"))

    assert (told.quote, told.by, told.tone) == ("too late", "mallory", "refused")


def test_a_line_without_utf8_is_shown_all_the_same() -> None:
    broken = line("approved")
    broken.fields[b"reason"] = b"\xff\xfe"

    assert step_of(broken).quote == "\\xff\\xfe"
