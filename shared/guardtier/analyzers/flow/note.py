"""Makes what is written down of an action: bounded, and without secrets."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from guardtier.action import ActionEvent
from guardtier.analyzers.flow.deeds import Deed, Deeds, deeds_of, path_keys, run_keys
from guardtier.analyzers.flow.labels import LOST, Labels
from guardtier.analyzers.flow.redact import redacted
from guardtier.analyzers.history import MAX_TARGET, MAX_TARGETS, Note
from guardtier.analyzers.view import view_of
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

DIGITS = 32  #: of a digest, that tell actions of one conversation apart
_TOOL = 64  #: characters of a tool's name
_READS = frozenset({"read", "discover", "execute", "receive"})


def note_of(action: ActionEvent, findings: Sequence[Finding], risk: SecurityRisk, labels: Labels) -> Note:
    """What is to be remembered of this action. ``findings`` and ``risk``: the cheap analyzers'."""
    view = view_of(action)
    deeds = deeds_of(view, findings)
    doing = labels.of(view, deeds, findings)
    if deeds.cut:
        doing.setdefault(LOST, "does more than is read of one action")
    return Note.model_construct(
        id=action.id,
        digest=action.digest[:DIGITS] if action.conversation is not None else "",
        tool=redacted(action.tool_name, _TOOL),
        risk=risk,
        labels=tuple(doing),
        targets=tuple(_shown(deed) for deed in _telling(deeds.done)[:MAX_TARGETS]),
        findings=tuple(dict.fromkeys(finding.id for finding in findings))[:MAX_TARGETS],
        keys=_keys(deeds, findings),
        doing=doing,
        fetches=tuple(key for path in deeds.fetched for key in path_keys(path)),
        runs=tuple(dict.fromkeys(key for path in deeds.executed for key in run_keys(path))),
        more_runs=deeds.more_executed,
    )


def _telling(deeds: Sequence[Deed]) -> list[Deed]:
    """Harm first, then what changes something, then what reads."""
    return sorted(deeds, key=lambda deed: (not deed.is_harm, deed.effect in _READS))


def _shown(deed: Deed) -> str:
    return redacted(f"{deed.effect} {deed.target}", MAX_TARGET)


def _keys(deeds: Deeds, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What it does to what: each harm by itself; where none is, all that it does as one."""
    harms = tuple(dict.fromkeys(deed.key for deed in deeds.done if deed.is_harm))
    if harms:
        return harms[:MAX_TARGETS]
    high = sorted({finding.id for finding in findings if finding.risk is SecurityRisk.HIGH})
    every = sorted({deed.key for deed in deeds.done})
    if not (high or every):
        return ()
    return (blake2b(" ".join([*high, *every]).encode(), digest_size=8).hexdigest(),)
