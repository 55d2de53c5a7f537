"""Grants on the console: listed for those who see the fleet, revoked by those who may answer there."""

from __future__ import annotations

from consoles import Desk
from guardtier_workers.approvers import Right
from remembered import remembered


async def test_a_grant_is_listed_in_words(console: Desk) -> None:
    grant = await remembered(console.tier)
    alice = await console.program("alice", ["web"])

    listed = (await alice.get("/api/v1/grants", params={"fleet": "web"})).json()

    assert [one["id"] for one in listed["grants"]] == [grant]
    found = listed["grants"][0]
    assert found["words"].startswith("exactly the same call of terminal as action")
    assert (found["by"], found["uses"], found["max_uses"], found["may_revoke"]) == (["giver"], 0, 10, True)
    assert listed["after"] is None


async def test_a_revoked_grant_is_gone(console: Desk) -> None:
    grant = await remembered(console.tier)
    alice = await console.browser("alice", ["web"])

    answer = await alice.delete(f"/api/v1/grants/web/{grant}")

    assert answer.json() == {"grant": grant, "fleet": "web", "revoked": True}
    assert (await alice.get("/api/v1/grants")).json()["grants"] == []
    again = await alice.delete(f"/api/v1/grants/web/{grant}")
    assert (again.status_code, again.json()["code"]) == (404, "unknown_grant")


async def test_who_only_looks_revokes_nothing(console: Desk) -> None:
    grant = await remembered(console.tier)
    vera = await console.browser("vera", ["web"], [Right.SEE])

    listed = (await vera.get("/api/v1/grants")).json()["grants"]
    answer = await vera.delete(f"/api/v1/grants/web/{grant}")

    assert [(one["id"], one["may_revoke"]) for one in listed] == [(grant, False)]
    assert answer.status_code == 403
    assert len(await console.tier.approver("giver", ["*"]).grants("web")) == 1


async def test_another_fleets_grant_is_as_one_that_is_not_there(console: Desk) -> None:
    grant = await remembered(console.tier)
    mallory = await console.browser("mallory", ["mail"])

    listed = (await mallory.get("/api/v1/grants")).json()
    theirs = await mallory.delete(f"/api/v1/grants/web/{grant}")
    nobodys = await mallory.delete("/api/v1/grants/nothere/" + grant)
    asked = await mallory.get("/api/v1/grants", params={"fleet": "web"})
    unknown = await mallory.get("/api/v1/grants", params={"fleet": "nothere"})

    assert listed == {"grants": [], "after": None}
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["message"].replace("web", "nothere") == nobodys.json()["message"]
    assert asked.status_code == unknown.status_code == 404
    assert asked.json()["message"].replace("web", "nothere") == unknown.json()["message"]


async def test_a_strange_cursor_is_refused(console: Desk) -> None:
    alice = await console.program("alice")

    for after in ("x", "web/x", "web/1:2"):
        answer = await alice.get("/api/v1/grants", params={"after": after})
        assert (answer.status_code, answer.json()["field"]) == (422, "after"), after
