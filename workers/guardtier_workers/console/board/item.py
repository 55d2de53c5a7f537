"""Item: what the inbox knows of one parked action: small, since ten thousand of them may wait."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from guardtier.action import ActionEvent
from guardtier.answer import Choice
from guardtier.errors import InvalidAction
from guardtier.policy.tally import principals, read_votes
from guardtier.policy.terms import Terms
from guardtier.risk import SecurityRisk
from guardtier.store.records import Record
from guardtier_workers.headline import headline_of

HEADLINE = 300  #: characters of the command, or of the arguments, that a row shows
SEARCHED = 2_000  #: characters that the text filter looks at

_RANK = {SecurityRisk.HIGH: 0, SecurityRisk.UNKNOWN: 1, SecurityRisk.MEDIUM: 2, SecurityRisk.LOW: 3}


@dataclass(frozen=True, slots=True)
class Item:
    """Times are milliseconds since 1970, Redis' clock. All text is untrusted."""

    id: str
    digest: str
    fleet: str
    agent: str
    conversation: str | None
    tool: str
    risk: SecurityRisk
    claimed: SecurityRisk | None  #: what the agent's model says of it
    received_at: int
    deadline: int
    headline: str  #: the command and what else it is given, or the arguments as JSON, cut
    summary: str
    why: str  #: the message of the riskiest finding
    detectors: tuple[str, ...]
    needed: int  #: approvals that it takes; 0: the terms can't be read, and nothing is approved
    approved_by: tuple[str, ...]  #: whose approvals count so far
    roles: tuple[str, ...]
    is_edited: bool  #: an approver has changed it
    group: str  #: the same for actions that are alike
    searched: str  #: what the text filter looks at, in lower case

    @property
    def given(self) -> int:
        """Approvals that count so far."""
        return len(self.approved_by)

    @property
    def order(self) -> tuple[int, int, str]:
        """The riskiest first, and of those the newest."""
        return _RANK[self.risk], -self.received_at, self.id

    @classmethod
    def of(cls, record: Record) -> Self:
        """What the inbox shows of a record."""
        action, assessment = _action(record), record.assessment
        headline = _headline(action) if action else "(the action can't be read)"
        detectors = tuple(dict.fromkeys(finding.id for finding in assessment.findings))
        needed, roles = _terms(record)
        agent, tool = (action.agent, action.tool_name) if action else ("", "")
        summary = (action.summary or "")[:HEADLINE] if action else ""
        words = (record.id, record.fleet, agent, tool, headline, summary, *detectors)
        return cls(
            id=record.id,
            digest=record.digest,
            fleet=record.fleet,
            agent=agent,
            conversation=action.conversation if action else None,
            tool=tool,
            risk=assessment.risk,
            claimed=action.security_risk if action else None,
            received_at=record.received_at,
            deadline=record.deadline or 0,
            headline=headline[:HEADLINE],
            summary=summary,
            why=assessment.findings[0].message if assessment.findings else "",
            detectors=detectors,
            needed=needed,
            approved_by=_approved_by(record),
            roles=roles,
            is_edited=record.asked is not None,
            group=_group(record, tool, detectors, headline),
            searched="\n".join(words).lower()[:SEARCHED],
        )


def _action(record: Record) -> ActionEvent | None:
    try:
        return record.action
    except InvalidAction:
        return None


def _headline(action: ActionEvent) -> str:
    return headline_of(action.arguments, 4 * HEADLINE)


def _terms(record: Record) -> tuple[int, tuple[str, ...]]:
    try:
        terms = Terms.read(record.terms)
    except ValueError:
        return 0, ()
    return terms.approve, tuple(terms.roles)


def _approved_by(record: Record) -> tuple[str, ...]:
    try:
        return principals(read_votes(record.votes), Choice.APPROVE, record.digest)
    except ValueError:
        return ()


def _group(record: Record, tool: str, detectors: tuple[str, ...], headline: str) -> str:
    """Alike: the same fleet, tool and findings, and commands that begin with the same two words."""
    alike = (record.fleet, tool, *sorted(detectors), *headline.split()[:2])
    return sha256("\0".join(alike).encode(errors="replace")).hexdigest()[:16]
