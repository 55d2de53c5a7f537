"""Words: each kind of audit line as a sentence. A kind that nobody here knows is shown as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from guardtier.store.trail import Line
from guardtier_workers.console.story.lines import details_of, error_of, names_of
from guardtier_workers.console.story.step import Fact, Step, Tone, moment

Told = tuple[Tone, str]
_KNOWN: Final = frozenset({"id", "event", "fleet", "digest", "by", "reason", "details", "error"})
#: What a refused request asked for, by the name of its line.
_ASKED: Final[Mapping[str, str]] = {
    "answer_refused": "An answer",
    "edit_refused": "An edit",
    "look_refused": "A look at it",
    "configure_refused": "A change of a policy",
    "halt_refused": "A halt",
    "resume_refused": "A resume",
    "grants_refused": "A look at the grants",
    "revoke_refused": "The end of a grant",
    "retry_refused": "Another try of a dead letter",
    "refused": "A request",
}


def step_of(line: Line) -> Step:
    """The line in words."""
    event, details = line.text("event"), details_of(line)
    if event.endswith("refused"):
        tone, words = _refused(line)
    else:
        tone, words = _WORDS.get(event, _other)(line, details)
    return Step(
        at=line.at,
        entry=line.entry,
        event=event,
        tone=tone,
        words=words,
        by=line.text("by"),
        quote=error_of(line) or line.text("reason"),
        facts=_facts(line, details),
    )


def _assessed(line: Line, _details: Mapping[str, Any]) -> Told:
    return "note", f"Rated {line.text('risk') or 'by the analyzers'}"


def _released(line: Line, details: Mapping[str, Any]) -> Told:
    would = details.get("would")
    shadow = f"; a rule in shadow mode would have made it {would}" if would else ""
    if details.get("grant"):
        return "yes", f"Released: a remembered approval covers it{shadow}"
    return "yes", f"Released {_under(line, details)}{shadow}: the tool may run"


def _parked(line: Line, details: Mapping[str, Any]) -> Told:
    if _is_halted(details):
        others = [name for name in names_of(details.get("rules")) if name != "halt"]
        too = f" (and by {', '.join(others)})" if others else ""
        return "waits", f"Parked, since it is halted{too}: it waits for people"
    return "waits", f"Parked {_under(line, details)}: it waits for people"


def _rejected(line: Line, details: Mapping[str, Any]) -> Told:
    if "choice" in details:
        return "no", f"Rejected: {_count(details, 'reject')}"
    if details.get("halt"):
        return "no", f"Rejected with what was parked, under the halt of {details['halt']}"
    if _is_halted(details):
        return "no", "Rejected at once, since it is halted"
    if "block" in names_of(details.get("rules")):
        return "no", "Rejected at once: the same action had been rejected shortly before"
    return "no", f"Rejected {_under(line, details)}"


def _approved(_line: Line, details: Mapping[str, Any]) -> Told:
    return "yes", f"Approved: {_count(details, 'approve')}"


def _answered(_line: Line, details: Mapping[str, Any]) -> Told:
    choice = "reject" if details.get("choice") == "reject" else "approve"
    return "note", f"An answer that does not decide yet: {_count(details, choice)}"


def _edited(_line: Line, details: Mapping[str, Any]) -> Told:
    if details.get("riskier"):
        return "waits", "Edited, and riskier than before: it waits again, without an answer"
    return "note", f"Edited and approved as edited: {_count(details, 'approve')}"


def _expired(_line: Line, _details: Mapping[str, Any]) -> Told:
    return "no", "Expired: nobody decided before its deadline"


def _extended(line: Line, _details: Mapping[str, Any]) -> Told:
    return "waits", f"Nobody decided in time: it waits on until {moment(line.text('deadline'))}"


def _redeemed(_line: Line, _details: Mapping[str, Any]) -> Told:
    return "yes", "The agent used the approval: the tool may have run"


def _repeated(line: Line, _details: Mapping[str, Any]) -> Told:
    return "note", f"Asked for once more, and told what stood: {line.text('state')}"


def _halted(_line: Line, details: Mapping[str, Any]) -> Told:
    return "no", f"Halted: {details.get('scope') or 'its fleet'}"


def _resumed(_line: Line, details: Mapping[str, Any]) -> Told:
    return "note", f"Resumed: {details.get('scope') or 'its fleet'}"


def _granted(_line: Line, details: Mapping[str, Any]) -> Told:
    until = details.get("expires_at")
    ends = f", until {moment(until)}" if until else ""
    return (
        "note",
        f"Actions like it are approved from now on{ends}: {details.get('words') or 'see the grants'}",
    )


def _revoked(_line: Line, _details: Mapping[str, Any]) -> Told:
    return "note", "A remembered approval was ended"


def _blocked(_line: Line, details: Mapping[str, Any]) -> Told:
    until = details.get("until")
    ends = f" until {moment(until)}" if until else ""
    return "note", f"The same action is refused{ends}, in this partition too"


def _configured(line: Line, _details: Mapping[str, Any]) -> Told:
    whose = "of every fleet" if line.text("fleet") == "*" else f"of fleet {line.text('fleet')}"
    now, was = line.text("policy") or "as in the settings", line.text("was") or "as in the settings"
    return "note", f"The policy {whose} is now {now}; it was {was}"


def _retried(_line: Line, _details: Mapping[str, Any]) -> Told:
    return "note", "A dead letter was put back, to be tried once more"


def _other(line: Line, _details: Mapping[str, Any]) -> Told:
    return "note", line.text("event") or "(a line without an event)"


def _refused(line: Line) -> Told:
    event = line.text("event")
    what = _ASKED.get(event, f"A request ({event.removesuffix('_refused')})")
    return "refused", f"{what} was refused; nothing changed"


def _turned_away(line: Line, _details: Mapping[str, Any]) -> Told:
    beyond = "the queue's limit" if line.text("why") == "queue_full" else "a quota"
    return "no", f"Requests beyond {beyond} were refused unrated: {line.text('count') or '?'}"


def _given_up(_line: Line, _details: Mapping[str, Any]) -> Told:
    return "no", "What nobody could use was given up: a dead letter keeps it"


_WORDS: Final[Mapping[str, Callable[[Line, Mapping[str, Any]], Told]]] = {
    "assessed": _assessed,
    "released": _released,
    "parked": _parked,
    "rejected": _rejected,
    "approved": _approved,
    "answered": _answered,
    "edited": _edited,
    "expired": _expired,
    "extended": _extended,
    "redeemed": _redeemed,
    "repeated": _repeated,
    "halted": _halted,
    "resumed": _resumed,
    "granted": _granted,
    "revoked": _revoked,
    "blocked": _blocked,
    "configured": _configured,
    "retried": _retried,
    "turned_away": _turned_away,
    "given_up": _given_up,
}


#: Every kind of line that has words.
KINDS: Final = (*_WORDS, *_ASKED)


def _is_halted(details: Mapping[str, Any]) -> bool:
    """Whether a halt has decided. (No rule of a policy file may have its name.)"""
    return "halt" in names_of(details.get("rules"))


def _under(line: Line, details: Mapping[str, Any]) -> str:
    """By which policy, and which of its rules."""
    rules = names_of(details.get("rules"))
    policy = line.text("policy")
    if not rules:
        return f"by the policy {policy}" if policy else "by the policy"
    return f"by {'the rule' if len(rules) == 1 else 'the rules'} {', '.join(rules)} ({policy})"


def _count(details: Mapping[str, Any], choice: str) -> str:
    """ "1 of 2 approvals: alice"."""
    side, noun = ("rejected_by", "rejection") if choice == "reject" else ("approved_by", "approval")
    names = names_of(details.get(side))
    need = details.get("need")
    needed = need.get(choice) if isinstance(need, dict) else None
    if not isinstance(needed, int):
        return f"{noun} by {', '.join(names)}" if names else noun
    return f"{len(names)} of {needed} {noun}{'' if needed == 1 else 's'}: {', '.join(names) or 'nobody'}"


def _facts(line: Line, details: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What the sentence leaves out."""
    found: list[Fact] = []
    until = details.get("until")
    if until and line.text("event") != "blocked":
        found.append(Fact(name="the same action is refused until", value=moment(until)))
    principal = details.get("principal")
    if principal and principal != line.text("by"):
        found.append(Fact(name="in person", value=str(principal)))
    if details.get("grant"):
        found.append(Fact(name="grant", value=str(details["grant"])))
    if line.text("event") == "edited":
        found += [
            Fact(name="was", value=line.text("was")),
            Fact(name="rated", value=str(details.get("risk"))),
        ]
    if line.text("event") not in _WORDS and not line.text("event").endswith("refused"):
        known = _KNOWN
        found += [Fact(name=name, value=line.text(name)) for name in _names(line) if name not in known]
    return tuple(found)


def _names(line: Line) -> list[str]:
    return [name.decode(errors="backslashreplace")[:100] for name in list(line.fields)[:20]]
