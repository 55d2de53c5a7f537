"""What agents, approvers and policies say is text on every page: none of it runs, all of it is seen."""

from __future__ import annotations

import re
from unicodedata import category

import pytest

from e2e import trap
from e2e.payloads import HIDDEN, PAYLOADS, as_label
from e2e.people import People
from e2e.world import ALL
from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.assessment import Finding
from tier import StartTier, only


class Quoting(SecurityAnalyzer):
    """Its findings say what the agent said, and point at it."""

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        text = str(action.arguments.get("command"))
        fields = (("arguments.command", (0, len(text))), ("arguments.command", (2, 5)), (text[:1000], None))
        findings = tuple(
            Finding(id="test.quoting", risk=SecurityRisk.HIGH, message=text, field=field, span=span)
            for field, span in fields
        )
        return Assessment(risk=SecurityRisk.HIGH, findings=findings)


def hostile(payload: str) -> ActionEvent:
    """The payload wherever an agent can put it."""
    return ActionEvent(
        fleet="web",
        agent=as_label(payload),
        conversation=as_label(payload),
        tool_name=payload[:256],
        arguments={"command": payload, payload: {payload: [payload]}},
        summary=payload,
        thought=payload,
        security_risk=SecurityRisk.HIGH,
        annotations={"title": payload},
    )


@pytest.fixture
def printable() -> re.Pattern[str]:
    return re.compile(r"[!-~]+")


async def test_nothing_that_is_stored_runs_and_all_of_it_is_seen(
    start_tier: StartTier, start_console, people: People
) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(Quoting()))
    console = await start_console(tier)
    asked = [hostile(payload).placed_in(0) for payload in PAYLOADS]
    for action in asked:
        await tier.client().submit(action)
    await tier.parked(len(asked))
    mallory = await people.person(console, "mallory", may=ALL)
    await trap.set_in(mallory.page.context)

    await mallory.at_inbox()
    assert await trap.sprung(mallory.page) == []
    for action, payload in zip(asked, PAYLOADS, strict=True):
        await mallory.page.goto(f"/actions/{action.id}")
        await mallory.sees(action.id)
        shown = await mallory.detail.inner_text()
        check_seen(payload, shown)
        assert await trap.sprung(mallory.page) == [], payload


def check_seen(payload: str, shown: str) -> None:
    """All that can be seen of it is there, in its order; what hides is not, but its number is."""
    assert not [char for char in shown if category(char) in ("Cc", "Cf") and char != "\n"], ascii(shown)
    if payload in HIDDEN:
        words = re.findall(r"[!-~]+", payload)
        at = [shown.find(word) for word in words]
        assert -1 not in at, ascii(shown)
        assert HIDDEN[payload] in shown.lower(), ascii(shown)
    else:
        assert "".join(payload.split()) in "".join(shown.split()), shown
