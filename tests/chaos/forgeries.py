"""Forgeries: what a tier might have written, or a client seen, had it broken one promise: one each."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from chaos.history import Moment
from chaos.reading import Line
from chaos.world import World
from guardtier.verdict import Outcome

OTHER = "f" * 64  #: the digest of some other action


def detailed(line: Line, **changed: Any) -> None:
    """Change what a line says of an answer."""
    line["details"] = json.dumps(json.loads(line["details"]) | changed)


def _swap(world: World) -> None:
    first, second = world.lines[3], world.lines[4]
    world.lines[3:5] = [second, first]


def _elsewhere(world: World) -> None:
    world.written.lines[1] = [line for line in world.lines if line["id"] == world.of("low")]
    world.written.lines[0] = [line for line in world.lines if line["id"] != world.of("low")]


def _halted(world: World, event: str, kind: str) -> None:
    world.before(world.line(kind, event), event="halted", details='{"scope": "web"}')


def _ordered(world: World, op: str, kind: str) -> None:
    """An operator was told that it counts, before anybody asked for anything."""
    order = world.history.order(op, "olga", "web", kind)
    order.told(None)
    order.asked_at = order.ended_at = 1.0


def _configured(world: World, kind: str, event: str) -> None:
    world.before(world.line(kind, event), event="configured", fleet="*", policy="file@1")


def _resealed(world: World) -> None:
    """With the seal of another verdict."""
    raws = [world.record(kind)["verdict"] for kind in ("low", "reject")]
    world.record("low")["verdict"] = raws[0][:-114] + raws[1][-114:]


def _revoked(world: World, at: float, at_ms: int) -> None:
    world.history.revoked = {key_id: Moment(at, at_ms) for key_id in world.written.keys}


def _disbelieved(world: World, code: str) -> None:
    call = world.call("low")
    call.verdict, call.error, call.limit, call.ran = None, code, "0" * 16, False


def _never_recorded(world: World) -> None:
    world.record("low").pop("verdict")


def _unread(world: World) -> None:
    world.line("approve", "approved")["details"] = "{"


def _away(world: World) -> None:
    call = world.call("low")
    call.verdict, call.error, call.ran = None, "guard_timeout", False


def _went(world: World) -> None:
    call = world.call("later")
    call.verdict, call.state = None, "parked"


def _again(world: World, kind: str) -> None:
    world.history.calls.append(deepcopy(world.call(kind)))


def _unused(world: World) -> None:
    call = world.call("approve")
    call.verdict, call.ran, call.error = None, False, "unknown_action"


def vanished(world: World) -> None:
    world.written.records.pop(world.of("low"))


def _other_call(world: World) -> None:
    _again(world, "low")
    world.history.calls[-1].verdict = world.verdict("low", decided_at=1)


def _no_answer(world: World) -> None:
    calls, action_id = world.history.calls, world.of("approve")
    world.history.calls = [call for call in calls if (call.id, call.op) != (action_id, "approve")]


def _unnumbered(world: World) -> None:
    world.chained().lines[5].pop("n")


def _joined(world: World) -> None:
    """``id`` and its value in other parts: a packing that only strings them together is the same."""
    line = world.chained().lines[5]
    line["event"] += "fleet"
    line["x"] = line.pop("fleet")


def _renumbered(world: World) -> None:
    world.chained().lines.pop(5)
    for number, line in enumerate(world.lines, 1):
        line["n"] = str(number)


def _other_edit(world: World) -> None:
    detailed(world.line("edit", "edited"), approved_by=["alice"])


def _twice(world: World) -> None:
    detailed(world.line("two", "approved"), approved_by=["alice", "bob", "bob"])


Forge = Callable[[World], Any]

#: The kind that the checker must name → what is changed. What follows a colon tells two of one kind apart.
FORGERIES: dict[str, Forge] = {
    # an illegal path
    "never-assessed": lambda w: w.cut("low", "assessed"),
    "assessed-twice": lambda w: w.add(w.line("low", "assessed")),
    "unrated": lambda w: w.line("low", "assessed").pop("risk"),
    "no-policy: released": lambda w: w.line("low", "released").pop("policy"),
    "no-policy: parked": lambda w: w.line("approve", "parked").pop("policy"),
    "ended-twice: released twice": lambda w: w.add(w.line("low", "released")),
    "ended-twice: released, then rejected": lambda w: w.add(w.line("low", "released"), event="rejected"),
    "ended-twice: rejected, then approved": lambda w: w.add(w.line("reject", "rejected"), event="approved"),
    "ended-twice: expired, then approved": lambda w: w.add(
        w.line("approve", "approved"), id=w.of("nobody"), digest=w.line("nobody", "expired")["digest"]
    ),
    "ended-twice: redeemed twice": lambda w: w.add(w.line("approve", "redeemed")),
    "decided-from-parked: released behind an approver's back": lambda w: w.line(
        "approve", "approved"
    ).update(event="released", policy="p@1"),
    "answered-from-assessed": lambda w: w.cut("approve", "parked"),
    "redeemed-from-parked": lambda w: w.cut("approve", "approved"),
    "expired-from-assessed": lambda w: w.cut("nobody", "parked"),
    "another-digest": lambda w: w.line("approve", "approved").update(digest=OTHER),
    "another-fleet": lambda w: w.line("low", "released").update(fleet="ops"),
    "unknown-event": lambda w: w.line("low", "released").update(event="forgiven"),
    "unreadable-line": _unread,
    "runs-halted: released": lambda w: _halted(w, "released", "low"),
    "runs-halted: redeemed": lambda w: _halted(w, "redeemed", "approve"),
    "resumed-unhalted": lambda w: w.add({"id": "h1.0"}, event="resumed", details='{"scope": "web"}'),
    "repeated-otherwise": lambda w: w.add(w.line("low", "released"), event="repeated", state="rejected"),
    "parked-halted": lambda w: w.before(
        w.line("approve", "parked"), event="halted", details='{"scope": "web", "then": "reject"}'
    ),
    "decided-outdated: by none": lambda w: _configured(w, "low", "released"),
    "decided-outdated: by another": lambda w: w.line("low", "released").update(policy="p@1, file@9"),
    # answers that do not suffice
    "miscounted: one of two": lambda w: w.line("two", "answered").update(event="approved"),
    "miscounted: a rejection that approves": lambda w: w.line("reject", "rejected").update(
        event="approved"
    ),
    "counted-twice": _twice,
    "voted-for-others": lambda w: detailed(w.line("approve", "approved"), approved_by=["alice", "eve"]),
    "by-nobody": lambda w: w.line("approve", "approved").pop("details"),
    "by-nobody: rejected": lambda w: w.line("reject", "rejected").pop("details"),
    "voted-unseen": _other_edit,
    "edited-another": lambda w: w.line("edit", "edited").update(was=OTHER),
    "extended-back": lambda w: w.line("waits", "extended").update(deadline="1"),
    "extended-another": lambda w: w.before(
        w.line("waits", "approved"), **w.line("waits", "extended") | {"was": "7"}
    ),
    "answer-invented": _no_answer,
    "answer-lost": lambda w: w.history.begin(
        "approve", "bob", w.of("approve"), w.call("approve").digest
    ).told(None),
    # an audit stream that is not whole
    "entry-twice": lambda w: w.lines.insert(4, w.lines[3]),
    "out-of-order": _swap,
    "another-partition": _elsewhere,
    "chain-gap": lambda w: w.chained().lines.pop(5),
    "chain-gap: a number twice": lambda w: w.chained().lines[5].update(n="5"),
    "unchained": _unnumbered,
    "another-hash: none": lambda w: w.chained().lines[5].pop("h"),
    "another-hash: a field is another": lambda w: w.chained().lines[5].update(fleet="we"),
    "another-hash: a field more": lambda w: w.chained().lines[5].update(by="eve"),
    "another-hash: two fields run together": _joined,
    "another-hash: numbers made anew": _renumbered,
    # records that say something else
    "undecided": lambda w: w.cut("low", "released"),
    "overdue": lambda w: (w.cut("nobody", "expired"), setattr(w.written, "now", 10**15)),
    "parked-unlisted": lambda w: w.cut("nobody", "expired"),
    "listed-unparked": lambda w: w.written.parked.add(w.of("reject")),
    "record-missing": vanished,
    "not-audited": lambda w: w.written.records.update({"x1.0": {"state": "released"}}),
    "record-state": lambda w: w.record("reject").update(state="approved"),
    "record-digest": lambda w: w.record("low").update(digest=OTHER),
    "record-asked": lambda w: w.record("edit").update(asked=OTHER),
    "record-fleet": lambda w: w.record("low").update(fleet="ops"),
    "early-verdict": lambda w: w.cut("low", "released"),
    "no-verdict": _never_recorded,
    "verdict-of-another: another id": lambda w: w.recorded("low", id="x1.0"),
    "verdict-of-another: another digest": lambda w: w.recorded("low", digest=OTHER),
    "verdict-otherwise": lambda w: w.recorded("reject", outcome=Outcome.APPROVED),
    "verdict-by-others": lambda w: w.recorded("approve", decided_by=("eve",)),
    "expired-early": lambda w: w.record("nobody").update(deadline=str(10**15)),
    "answered-late": lambda w: w.record("approve").update(deadline="1"),
    # what an operator ordered
    "order-lost: halted": lambda w: _ordered(w, "halt", "never written down"),
    "order-lost: configured": lambda w: _ordered(w, "configure", "file@1"),
    "order-forgotten: a halt": lambda w: w.add({"id": "h1.0"}, event="halted", details='{"scope": "ops"}'),
    "order-forgotten: a file": lambda w: w.add(
        {"id": "h1.0"}, event="configured", fleet="*", policy="file@1"
    ),
    "order-invented": lambda w: w.written.standing[0].add("web"),
    "ran-halted": lambda w: _ordered(w, "halt", "from the beginning"),
    # signatures and roles
    "unsealed": lambda w: (w.told("low", seal=""), w.recorded("low")),
    "another-seal: of another verdict": _resealed,
    "another-seal: of a key that nobody knows": lambda w: w.written.keys.update(
        dict.fromkeys(w.written.keys)
    ),
    "sealed-revoked": lambda w: _revoked(w, 10.0**15, 0),
    "ran-revoked": lambda w: _revoked(w, 0.0, 10**15),
    "verdict-refused: signed well": lambda w: _disbelieved(w, "bad_signature"),
    "verdict-refused: by a key that counts": lambda w: _disbelieved(w, "unknown_key"),
    "verdict-refused: in time": lambda w: _disbelieved(w, "stale_verdict"),
    "role-denied": lambda w: w.written.denied.append("policy may not DEL"),
    # clients that were told something else
    "no-end": lambda w: setattr(w.call("low"), "ended_at", None),
    "unanswered: no answer in time": _away,
    "unanswered: it went away": _went,
    "asked-another": lambda w: setattr(w.call("low"), "digest", OTHER),
    "told-another-digest": lambda w: w.told("low", digest=OTHER),
    "told-of-another": lambda w: w.told("low", id="x1.0"),
    "told-otherwise": lambda w: w.told("low", reason="so there"),
    "told-unaudited": lambda w: w.told("reject", outcome=Outcome.APPROVED),
    "told-not-recorded": _never_recorded,
    "told-two": _other_call,
    "told-never-state": lambda w: w.history.begin("poll", "bot", w.of("low"), "").told(None, "parked"),
    "ran-unallowed": lambda w: setattr(w.call("reject"), "ran", True),
    "ran-unredeemed": lambda w: w.cut("approve", "redeemed"),
    "ran-twice: an approval": lambda w: _again(w, "approve"),
    "redeemed-unused": _unused,
}
