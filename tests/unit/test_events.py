"""The names of events: those that scripts and workers write, and the console has words for."""

from __future__ import annotations

import re
from pathlib import Path

from guardtier.store.events import EVENTS
from guardtier_workers import policy
from guardtier_workers.console.story import words

SCRIPTS = Path(__file__).parents[2] / "shared" / "guardtier" / "store" / "scripts"


def test_each_event_that_a_script_writes_has_its_name_there() -> None:
    text = "".join(script.read_text() for script in SCRIPTS.glob("*.lua"))

    written = set(re.findall(r"audit\(audit_key, [\w.]+, '(\w+)'", text))

    assert len(written) > 10
    assert written <= EVENTS


def test_each_refused_request_has_its_name_there() -> None:
    asked = {f"{op.decode().partition('_')[0]}_refused" for op in policy._REQUESTS}

    assert asked | {"answer_refused", "refused"} == {name for name in EVENTS if name.endswith("refused")}


def test_the_console_has_words_for_each_and_for_no_other() -> None:
    assert {*words._WORDS, *words._ASKED} == EVENTS
