"""What is parked, over the API: pages of it, filtered, and what is alike."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from consoles import Desk, StartConsole
from guardtier_workers.approvers import Right
from tier import StartTier, Tier, high, unknown
from waiting import until


async def listed(client: httpx.AsyncClient, path: str = "/actions", **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def with_parked(client: httpx.AsyncClient, tier: Tier, *commands: str, **fields: Any) -> list[str]:
    """Park these, and wait until the console knows of them."""
    before = (await listed(client))["total"]
    agent = tier.client(fields.get("fleet", "web"))
    ids = [(await agent.submit(high(command, **fields))).id for command in commands]

    async def known() -> bool:
        return bool((await listed(client))["total"] == before + len(ids))

    await until(known)
    return ids


async def test_pages_of_what_is_parked_leave_nothing_out(console: Desk) -> None:
    alice = await console.program("alice", may=(Right.SEE,))
    ids = await with_parked(alice, console.tier, *(f"command {n}" for n in range(5)))

    found, after = [], ""
    while after is not None:
        page = await listed(alice, limit=2, after=after)
        found += [one["id"] for one in page["actions"]]
        after = page["after"]

    assert found == ids[::-1]
    assert (page["total"], page["counts"], page["live"], page["cut"]) == (5, {"HIGH": 5}, True, False)


async def test_an_action_is_listed_with_what_an_answer_needs(console: Desk) -> None:
    alice = await console.program("alice")
    [action_id] = await with_parked(alice, console.tier, "rm -rf /data", summary="tidies up")

    [one] = (await listed(alice))["actions"]

    whole = (await alice.get(f"/api/v1/actions/{action_id}")).json()
    assert one["digest"] == whole["digest"]
    assert (one["headline"], one["summary"], one["tool"]) == ("rm -rf /data", "tidies up", "terminal")
    assert (one["risk"], one["needed"], one["given"]) == ("HIGH", 1, 0)
    assert one["deadline"] == whole["deadline"]


async def test_a_filter_narrows_the_list(console: Desk) -> None:
    alice = await console.program("alice")
    await with_parked(alice, console.tier, "one", "two", agent="ops")
    [other] = await with_parked(alice, console.tier, "three", agent="web-1")
    await console.tier.client().submit(unknown("four", agent="ops"))

    assert [one["id"] for one in (await listed(alice, agent="web-1"))["actions"]] == [other]
    assert [one["headline"] for one in (await listed(alice, text="TWO"))["actions"]] == ["two"]
    assert (await listed(alice, risk=["LOW", "MEDIUM"]))["actions"] == []


async def test_another_fleet_is_as_if_it_were_not_there(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(fleets={"web": {}, "data": {}})
    console = await start_console(tier)
    everybody, bob = await console.program("ann"), await console.program("bob", ["data"])
    await with_parked(everybody, tier, "foreign", "foreign")
    await with_parked(bob, tier, "own", fleet="data")

    assert [one["headline"] for one in (await listed(bob))["actions"]] == ["own"]
    assert (await listed(bob))["total"] == 1
    assert (await listed(bob, fleet="web"))["actions"] == (await listed(bob, fleet="none"))["actions"] == []
    assert (await listed(bob, "/groups"))["groups"] == []


async def test_actions_that_are_alike_are_a_group(console: Desk) -> None:
    alice = await console.program("alice")
    ids = await with_parked(alice, console.tier, *(f"kubectl delete pod-{n}" for n in range(3)))
    await with_parked(alice, console.tier, "dropdb orders")

    [group] = (await listed(alice, "/groups"))["groups"]

    assert (group["count"], group["ids"]) == (3, ids[::-1])
    assert group["first"]["id"] == ids[-1]
    members = await listed(alice, group=group["group"])
    assert [one["id"] for one in members["actions"]] == ids[::-1]


async def test_groups_are_paged(console: Desk) -> None:
    alice = await console.program("alice")
    commands = [f"{tool} delete x{n}" for tool in ("kubectl", "aws", "gcloud") for n in range(2)]
    await with_parked(alice, console.tier, *commands)

    first = await listed(alice, "/groups", limit=2)
    rest = await listed(alice, "/groups", limit=2, after=first["after"])

    names = [group["first"]["headline"].split()[0] for group in first["groups"] + rest["groups"]]
    assert names == ["gcloud", "aws", "kubectl"]
    assert rest["after"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "after=1-2", "after=x", "risk=NONE", "page=2"])
async def test_a_query_that_makes_no_sense_is_refused(console: Desk, query: str) -> None:
    alice = await console.program("alice")

    for path in ("actions", "groups"):
        answer = await alice.get(f"/api/v1/{path}?{query}")
        assert answer.status_code == 422
        assert answer.json()["field"].partition(".")[0] == query.partition("=")[0]


async def test_any_argument_that_an_agent_may_send_is_listed(console: Desk) -> None:
    alice = await console.program("alice")
    strange = {"text": "\u202e\x00\x1b[31m</script><script>alert(1)</script>", "deep": [[{}]]}
    await console.tier.client().submit(high(arguments=strange))

    async def there() -> Any:
        return (await listed(alice))["actions"]

    [one] = await until(there)
    assert "</script><script>" in one["headline"]
    assert "<script>" not in (await alice.get("/events/rows")).json()["rows"][0]["html"]
