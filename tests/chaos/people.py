"""Person: an approver who looks at what is parked and answers it, as its conversation says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx

from chaos.history import Call, History
from guardtier import ActionEvent, ApproverClient
from guardtier.errors import GuardtierError
from guardtier.verdict import Verdict

LOOK_SECONDS = 0.1
AT_ONCE = 50  #: looked at and answered together
PATIENCE_SECONDS = 10.0
AGAIN_SECONDS = 1.5  #: what waits so long behind an answer that counted was forgotten: answer it again
WAITED_SECONDS = 2.5  #: above the time limit of ``waits`` (load.py)
AT_CONSOLE = "carol"  #: who has no other client, where there is a console
#: Who answers what: each conversation's people; what is not here is anybody's to approve.
WHOSE = {
    "approve": ("alice", AT_CONSOLE),  # whoever is quicker
    "reject": ("alice",),
    "later": ("alice",),
    "edit": ("bob",),
    "waits": ("bob",),
    "two": ("alice", "bob"),
    "low": ("alice",),  # it waits where it could not be rated
    "nobody": (),
}


@dataclass(frozen=True, slots=True)
class Parked:
    """What a person is shown of one action. ``action``: None where they see no arguments to edit."""

    id: str
    digest: str
    kind: str
    action: ActionEvent | None = None


class Person:
    """One approver. Whatever is not answered for sure is looked at again."""

    def __init__(self, url: str, name: str, token: str, partitions: int, history: History) -> None:
        self.name = name
        self._client = ApproverClient(url, approver=name, token=token, partitions=partitions)
        self._history = history
        self._answered: dict[tuple[str, str], float] = {}
        self._first_seen: dict[str, float] = {}

    async def aclose(self) -> None:
        await self._client.aclose()

    async def answer(self) -> None:
        """Answer until cancelled."""
        while True:
            with suppress(GuardtierError, httpx.HTTPError):  # nothing is shown for the moment
                await asyncio.gather(*(self._look_at(parked) for parked in await self._page()))
            await asyncio.sleep(LOOK_SECONDS)

    async def _page(self) -> list[Parked]:
        page = await self._client.pending(limit=AT_ONCE, timeout=PATIENCE_SECONDS)
        return [Parked(one.id, one.digest, one.action.conversation or "", one.action) for one in page]

    async def _look_at(self, parked: Parked) -> None:
        seen = self._first_seen.setdefault(parked.id, monotonic())
        answered = self._answered.get((parked.id, parked.digest), -AGAIN_SECONDS)
        if self.name not in WHOSE.get(parked.kind, ()) or monotonic() - answered < AGAIN_SECONDS:
            return
        if parked.kind == "waits" and monotonic() - seen < WAITED_SECONDS:
            return
        call = self._begin(parked)
        try:
            found = await self._say(call, parked)
            call.told(found if isinstance(found, Verdict) else None)
        except (GuardtierError, httpx.HTTPError) as error:
            call.failed(error)  # somebody was quicker, or it is between two deadlines: look again
        else:
            self._answered[parked.id, parked.digest] = monotonic()

    def _begin(self, parked: Parked) -> Call:
        op = {"reject": "reject", "edit": "edit"}.get(parked.kind, "approve")
        edited = edit_of(parked.action).digest if op == "edit" and parked.action else None
        if edited == parked.digest:  # it was edited, and waits once more: it is riskier than before
            op, edited = "approve", None
        return self._history.begin(op, self.name, parked.id, parked.digest, kind=parked.kind, edited=edited)

    async def _say(self, call: Call, parked: Parked) -> object:
        given = {"digest": parked.digest, "reason": "because", "timeout": PATIENCE_SECONDS}
        if call.op == "edit" and parked.action:
            return await self._client.edit(parked.id, edit_of(parked.action).arguments, **given)
        if call.op == "reject":
            return await self._client.reject(parked.id, **given)
        return await self._client.approve(parked.id, **given)


class ConsolePerson(Person):
    """An approver who sees and answers by the console's API at ``console``."""

    def __init__(self, console: str, *given: Any) -> None:
        super().__init__(*given)
        token = given[2]
        self._http = httpx.AsyncClient(
            base_url=f"{console}/api/v1",
            auth=(self.name, token),
            trust_env=False,
            timeout=PATIENCE_SECONDS,
        )

    async def aclose(self) -> None:
        await self._http.aclose()
        await super().aclose()

    async def _page(self) -> list[Parked]:
        found = _read(await self._http.get("/actions"))["actions"]
        return [Parked(one["id"], one["digest"], one["conversation"] or "") for one in found]

    async def _say(self, call: Call, parked: Parked) -> object:
        said = {"choice": "approve", "digest": parked.digest, "reason": "because"}
        return _read(await self._http.post(f"/actions/{parked.id}/answer", json=said))


def _read(answer: httpx.Response) -> Any:
    """What the console says. Raises its refusal, and HTTPError for what is none."""
    if answer.is_error and "json" in answer.headers.get("content-type", ""):
        raise GuardtierError.from_json(answer.content)
    return answer.raise_for_status().json()


def edit_of(action: ActionEvent) -> ActionEvent:
    """What an approver makes of it."""
    command = str(action.arguments["command"]).replace("rm -rf", "ls")
    return action.model_copy(update={"arguments": {"command": command}})
