"""What agents, approvers and policies say is text on every page: none of it runs, all of it is seen."""

from __future__ import annotations

import re
from unicodedata import category
from urllib.parse import quote

from consoles import StartConsole
from e2e import trap
from e2e.payloads import HIDDEN, MARKUP, PAYLOADS, as_label
from e2e.people import People
from e2e.world import ALL, with_histories
from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.assessment import Finding
from guardtier.policy.grants import Pattern, Remember, Scope
from guardtier.store.keys import Keys
from tier import StartTier, Tier
from waiting import until


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


async def parked(start_tier: StartTier, actions: list[ActionEvent]) -> Tier:
    """A tier where these wait, each with findings that quote it."""
    tier = await with_histories(start_tier, f"{__name__}:{Quoting.__name__}")
    for action in actions:
        await tier.client().submit(action)
    await tier.parked(len(actions))
    return tier


async def test_what_agents_say_neither_runs_nor_hides(
    start_tier: StartTier, start_console: StartConsole, people: People
) -> None:
    asked = [hostile(payload).placed_in(0) for payload in PAYLOADS]
    console = await start_console(await parked(start_tier, asked))
    mallory = await people.person(console, "mallory", may=ALL)
    await trap.set_in(mallory.page.context)

    await mallory.at_inbox()
    await mallory.unfolds()
    for action, payload in zip(asked, PAYLOADS, strict=True):
        check_seen(payload, await (await mallory.opens(action.id)).inner_text())
        assert await trap.sprung(mallory.page) == [], payload
    for action, payload in list(zip(asked, PAYLOADS, strict=True))[::7]:
        await mallory.page.goto(f"/actions/{action.id}")
        check_seen(payload, await (await mallory.sees(action.id)).inner_text())
        assert await trap.sprung(mallory.page) == [], payload


async def test_what_people_say_of_it_neither_runs_nor_hides(
    start_tier: StartTier, start_console: StartConsole, people: People
) -> None:
    said = [*MARKUP[::2], *HIDDEN]
    asked = [hostile(payload).placed_in(0) for payload in said]
    tier = await parked(start_tier, asked)
    console = await start_console(tier)
    mallory = await people.person(console, "mallory", may=ALL)
    await trap.set_in(mallory.page.context)
    client = tier.approver("mallory")
    remember = Remember(pattern=Pattern.TOOL, scope=Scope.AGENT)
    for number, (action, payload) in enumerate(zip(asked, said, strict=True)):
        if number % 3 == 0:
            await client.approve(action.id, digest=action.digest, reason=payload, remember=remember)
        else:
            await client.reject(action.id, digest=action.digest, reason=payload)
    comments = "".join(f"# {payload}\n" for payload in MARKUP)
    await client.set_policy_file(f"version = 1\n{comments}")
    for action, payload in zip(asked, said, strict=True):
        await client.halt("web", agent=action.agent, reason=payload)
    for payload in said:
        unreadable = {"op": payload, "id": payload, "client": payload, "payload": payload}
        await tier.redis.xadd(Keys(0).actions("web"), unreadable)
    await until(lambda: _dead(tier, len(said)))

    for path in ("/history", "/audit", "/grants", "/policy", "/fleets", "/workers", "/stats"):
        await mallory.page.goto(path)
        assert await trap.sprung(mallory.page) == [], path
        shown = await mallory.page.locator("main").inner_text()
        assert not hides(shown), ascii(shown)
        if path in ("/history", "/fleets"):
            for payload in said:
                check_seen(payload, shown)
    for action, payload in list(zip(asked, said, strict=True))[::4]:
        for path in (
            f"/actions/{action.id}/story",
            f"/conversations/web/{quote(as_label(payload), safe='')}",
        ):
            await mallory.page.goto(path)
            assert await trap.sprung(mallory.page) == [], path
            check_seen(payload, await mallory.page.locator("main").inner_text())


async def _dead(tier: Tier, count: int) -> bool:
    return await tier.redis.xlen(Keys(0).dead) >= count


def hides(shown: str) -> list[str]:
    """The characters in it that nobody sees."""
    return [char for char in shown if category(char) in ("Cc", "Cf") and char not in "\n\t"]


def check_seen(payload: str, shown: str) -> None:
    """All that can be seen of it is there, in its order; what hides is not, but its number is."""
    assert not hides(shown), ascii(shown)
    if payload in HIDDEN:
        words = re.findall(r"[!-~]+", payload)
        at = [shown.find(word) for word in words]
        assert -1 not in at, ascii(shown)
        assert HIDDEN[payload] in shown.lower(), ascii(shown)
    else:
        assert "".join(payload.split()) in "".join(shown.split()), shown
