"""Malformed entries, straight into the streams: what a writer may put there who does not use our client.

Everything is drawn from one seed, so that a run can be repeated. An entry is a good one with something
wrong in it, or rubbish from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson

from guardtier.store.keys import Keys
from tier import high, low

KEYS = Keys(0)
Fields = dict[bytes, bytes]

#: Bytes that parsers choke on, or read differently from each other.
TEXTS: tuple[bytes, ...] = (
    b"", b" ", b"\0", b"\n", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"null", b"true", b"[]", b"{}",
    b'""',
    b"0", b"-1", b"1e400", b"-1e400", b"NaN", b"Infinity", b"9" * 400, b"18446744073709551616", b"1.0",
    b"{" * 2000, b"[" * 2000, b'{"a":' * 70 + b"1" + b"}" * 70, b"[" * 70 + b"]" * 70, b'{"a":1,"a":2}',
    b'{"a":1,"\\u0061":2}', b'{"\\ud800":1}', b"\xef\xbb\xbf{}", "\u202e\u2066\u200b".encode(),
    b"a1.0", b"a1.1", b"a1.9999", b"a1.99999", b"*", b"web", b"ops", b"raw-1", b"gt:{0}:audit",
    b"gt:{1}:parked",
    b"../../etc/passwd", b"'; DROP TABLE x; --", b"${jndi:ldap://x}", b"{{7*7}}", b"<script>x()</script>",
    b"x" * 300, b"k" * 70_000, b"%s%n", b"\x1b[2J", b"0-0", b"18446744073709551615-18446744073709551615",
    b"approve", b"released", b"submit", b"poll", b"redeem", b"pending", b"observe", b"edited", b"halt",
    b"block",
    b"f" * 64, b"a" * 64,
)  # fmt: skip
_DEEP = b"[" * 100_000 + b"]" * 100_000
_NAMES = (
    b"op", b"id", b"client", b"payload", b"fleet", b"agent", b"digest", b"assessment", b"tool",
    b"conversation",
    b"proof", b"approver", b"choice", b"reason", b"at", b"request", b"token", b"after", b"accepts", b"body",
    b"state", b"verdict", b"error", b"entry", b"deadline", b"grant", b"retry", b"event", b"observed",
    b"halted",
)  # fmt: skip
_OPS = (b"submit", b"poll", b"redeem", b"pending", b"observe", b"delete", b"edited", b"")
_ASKS = (
    b"configure", b"configure_file", b"look", b"edit", b"retry", b"halt", b"resume", b"grants",
    b"revoke", b"",
    b"answer",
)  # fmt: skip


class Hostile:
    """Draws entries. ``ids``: of actions that are there."""

    def __init__(self, seed: int, ids: tuple[str, ...] = ()) -> None:
        self._random = Random(seed)
        self._ids = tuple(one.encode() for one in ids) or (b"a1.0",)
        self._made = 0

    def text(self) -> bytes:
        draw = self._random
        if draw.random() < 0.004:
            return _DEEP
        if draw.random() < 0.2:
            return draw.randbytes(draw.randrange(40))
        return draw.choice(TEXTS)

    def id(self) -> bytes:
        """New, known, of another partition, or none."""
        self._made += 1
        draw = self._random.random()
        if draw < 0.6:
            return b"h%d.0" % self._made
        return self._random.choice(self._ids) if draw < 0.75 else self.text()

    def rubbish(self) -> Fields:
        names = [self._random.choice(_NAMES) for _ in range(self._random.randrange(1, 7))]
        return {(name if self._random.random() < 0.9 else self.text()): self.text() for name in names}

    def spoilt(self, good: Fields) -> Fields:
        """A good entry with one or two things wrong."""
        draw, made = self._random, dict(good)
        for _ in range(draw.randrange(1, 3)):
            name = draw.choice(list(made) or [b"id"])
            how = draw.randrange(6)
            if how == 0:
                made.pop(name, None)
            elif how == 1:
                made[self.text()] = self.text()
            elif how == 2:
                made[name] = self.mangled(made.get(name, b""))
            else:
                made[name] = self.json(made[name]) if name in made else self.text()
        return made or {b"": b""}

    def mangled(self, raw: bytes) -> bytes:
        """The same bytes, but for one place."""
        at, draw = self._random.randrange(len(raw) + 1), self._random
        cut = draw.randrange(3)
        if cut == 0:
            return raw[:at]
        return raw[:at] + (draw.randbytes(1) if cut == 1 else self.text()) + raw[at + 1 :]

    def json(self, raw: bytes) -> bytes:
        """An object with a value that is wrong; what is no object becomes any text."""
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return self.text()
        if not isinstance(value, dict) or not value:
            return self.text()
        name = self._random.choice(list(value))
        wrong = [None, [], {}, 7, -1, 1.5, True, "", "x" * 400, {"a": {"b": []}}, ["\u202e"], 2**63]
        value[name] = self._random.choice(wrong)
        return orjson.dumps(value)

    def request(self) -> Fields:
        """To an agent's stream."""
        action = self._random.choice((low, high))(id="PLACE.0").to_json()
        own = self.id()
        payload = action.replace(b"PLACE.0", own if b'"' not in own and b"\\" not in own else b"q.0")
        good = {b"op": self._random.choice(_OPS), b"id": own, b"client": b"raw-1", b"payload": payload}
        good |= {b"token": b"t", b"agent": b"agent-1", b"after": b""}
        return self.rubbish() if self._random.random() < 0.25 else self.spoilt(good)

    def stray(self) -> Fields:
        return self.request() | {b"fleet": self._random.choice((b"nobody", b"web", self.text()))}

    def answer(self) -> Fields:
        good = {
            b"op": self._random.choice(_ASKS), b"id": self.id(), b"client": b"raw-1", b"approver": b"alice",
            b"choice": b"approve", b"digest": b"a" * 64, b"at": b"1", b"proof": b"0" * 64, b"reason": b"so",
            b"request": b'{"approver":"alice","client":"raw-1","at":1,"id":"x","fleet":"web"}',
        }  # fmt: skip
        return self.rubbish() if self._random.random() < 0.25 else self.spoilt(good)

    def assessed(self) -> Fields:
        """What an analyzer worker would write, for actions that have no record."""
        good = {
            b"op": self._random.choice((b"", b"edited")),
            b"id": b"none-%d.0" % self._random.randrange(10**6),
            b"fleet": b"web", b"agent": b"agent-1", b"client": b"raw-1", b"digest": b"a" * 64,
            b"tool": b"t",
            b"assessment": b'{"risk":"LOW"}', b"conversation": b"", b"proof": b"p",
            b"payload": low(id="none-1.0").to_json(),
        }  # fmt: skip
        return self.rubbish() if self._random.random() < 0.25 else self.spoilt(good)

    def edit(self) -> Fields:
        good = {
            b"id": b"none-1.0",
            b"fleet": b"web",
            b"proof": b"p",
            b"payload": low(id="none-1.0").to_json(),
        }
        return self.rubbish() if self._random.random() < 0.25 else self.spoilt(good)

    def outbox(self) -> Fields:
        """``block``, ``halt``, ``grant``, ``notice``: never a body that could count."""
        op = self._random.choice((b"block", b"halt", b"grant", b"notice", self.text()))
        return {b"id": self.id(), b"op": op, b"body": self.text()}

    def reply(self) -> Fields:
        """To whoever reads replies: for ids that are asked, and with what no verdict is."""
        good = {
            b"id": self._random.choice(self._ids), b"state": b"released", b"entry": b"1-1",
            b"verdict": b'{"id":"x","outcome":"released","digest":"' + b"a" * 64 + b'","risk":"LOW",'
            b'"policy":"p","decided_at":1}',
        }  # fmt: skip
        return self.rubbish() if self._random.random() < 0.4 else self.spoilt(good)

    def entries(self, count: int, make: Callable[[], Fields]) -> Iterator[Fields]:
        for _ in range(count):
            yield make()


def raw_entries(seed: int, counts: dict[str, int], ids: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Stream and fields of each, in turn, of ``counts`` by the kind of the stream."""
    made = Hostile(seed, ids)
    kinds: dict[str, tuple[str, Callable[[], Fields]]] = {
        "actions": (KEYS.actions("web"), made.request),
        "strays": (KEYS.strays, made.stray),
        "answers": (KEYS.answers, made.answer),
        "assessed": (KEYS.assessed, made.assessed),
        "edits": (KEYS.edits, made.edit),
        "outbox": (KEYS.outbox, made.outbox),
        "reply": (KEYS.reply("web", "honest"), made.reply),
        "told": (KEYS.told("honest"), made.reply),
        "audit": (KEYS.audit, made.rubbish),
        "dead": (KEYS.dead, made.rubbish),
    }
    for kind, count in counts.items():
        stream, make = kinds[kind]
        for fields in made.entries(count, make):
            yield stream, fields
