"""Edits: an approver changes a parked action's arguments, and what becomes of the approval then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints

from guardtier.action import ActionEvent
from guardtier.answer import MAX_REASON, Choice
from guardtier.assessment import MAX_FINDINGS, Assessment, Finding
from guardtier.canonical import canonical, check_nesting, check_size, parse_strict
from guardtier.errors import InvalidAnswer
from guardtier.policy.request import SignedRequest
from guardtier.policy.tally import Vote, principals
from guardtier.policy.terms import Terms
from guardtier.risk import SecurityRisk

DIGEST = r"^[0-9a-f]{64}$"
_ORDER = (SecurityRisk.LOW, SecurityRisk.MEDIUM, SecurityRisk.HIGH, SecurityRisk.UNKNOWN)
_GRAVE = frozenset({SecurityRisk.HIGH, SecurityRisk.UNKNOWN})


class EditRequest(SignedRequest):
    """Run the action with these arguments instead. ``digest`` is that of the action which was seen."""

    model_config = ConfigDict(allow_inf_nan=False)

    op: Literal["edit"] = "edit"
    digest: Annotated[str, StringConstraints(pattern=DIGEST)]
    arguments: dict[str, JsonValue]
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""

    def to_fields(self, proof: str) -> dict[str, str | bytes]:
        """The entry of the answers stream. Raises InvalidAction above 1 MiB or 64 levels of nesting."""
        fields = super().to_fields(proof)
        body = self.model_dump(mode="json")
        check_size(canonical(body, field="arguments"), field="arguments")
        check_nesting(body, field="arguments")
        return fields

    @classmethod
    def from_fields(cls, fields: dict[bytes, bytes]) -> tuple[Self, str]:
        """The request and its proof. Raises InvalidAnswer, and InvalidAction where the arguments are
        JSON that not every parser reads alike.
        """
        parse_strict(fields.get(b"request", b""))
        return super().from_fields(fields)

    def applied_to(self, action: ActionEvent) -> ActionEvent:
        """The action with these arguments. Raises InvalidAction where that is none, InvalidAnswer where
        nothing has changed.
        """
        edited = action.model_copy(update={"arguments": self.arguments})
        edited.to_json()
        if edited.digest == action.digest:
            raise InvalidAnswer(
                "the arguments are those that the action has: approve it instead", field="arguments"
            )
        return edited


class Edit(BaseModel):
    """An edit that is being rated, as the action's record keeps it.

    ``was`` is the digest of what its approver saw, ``digest`` that of what they made of it. ``entry``
    is their request's place on the answers stream, ``client`` whom to tell; ``mark`` shows that a policy
    worker has taken it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    proof: str
    approver: str
    principal: str
    client: str
    entry: str
    at: int
    was: str
    digest: str
    reason: str = ""
    mark: str = ""

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self)

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """What :meth:`to_json` gave; None for b"". Raises ValueError where it can't be read."""
        return cls.model_validate_json(raw) if raw else None


class Revised(BaseModel):
    """What an edit came to where it was not enough for a verdict: the edited action is parked.

    ``riskier``: than what the approver had seen, so nobody has approved it yet, its editor included.
    Otherwise ``approved_by`` has, and it takes ``approve`` of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    digest: str
    risk: SecurityRisk
    findings: tuple[Finding, ...] = ()
    riskier: bool = False
    approved_by: tuple[str, ...] = ()
    approve: int

    @classmethod
    def of(
        cls, action_id: str, digest: str, assessment: Assessment, terms: Terms, votes: Sequence[Vote]
    ) -> Self:
        """Without a vote it is the riskier: an edit that is not has its editor's."""
        return cls(
            id=action_id,
            digest=digest,
            risk=assessment.risk,
            findings=assessment.findings,
            riskier=not votes,
            approved_by=principals(votes, Choice.APPROVE, digest),
            approve=terms.approve,
        )

    @property
    def allowed(self) -> bool:
        """Never: it is not decided."""
        return False

    @property
    def in_words(self) -> str:
        """``parked again: rated HIGH…``, or how many approvals it has."""
        if self.riskier:
            return f"parked again: rated {self.risk.value}, riskier than what you changed; look at it again"
        who = f": {', '.join(self.approved_by)}" if self.approved_by else ""
        return f"changed, {len(self.approved_by)} of {self.approve} approvals{who}"

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True)


def is_riskier(edited: Assessment, seen: Assessment) -> bool:
    """Whether the edited action needs a fresh look: its rating is above the one that its editor saw.

    UNKNOWN counts as above any other. So does a detector that says HIGH or UNKNOWN now and said nothing
    of the kind before, an analysis that failed, and as many findings as are kept: more may have been cut
    off.
    """
    if edited.failed or len(edited.findings) >= MAX_FINDINGS:
        return True
    if _ORDER.index(edited.risk) > _ORDER.index(seen.risk):
        return True
    return not _grave(edited) <= _grave(seen)


def stricter(terms: Terms, others: Terms) -> Terms:
    """What an edited action waits under: the terms that it had, and those that the policy has for it now.

    An edit must not lead past what the policy asks for either of them. Its deadline stands, so the times
    are those that it had; who is told are those whom its new rule names, if it names any.
    """
    told = others if others.notify or others.escalate else terms
    limit = terms.time_limit
    return Terms.model_validate(
        terms.model_dump()
        | {
            "roles": others.roles or terms.roles,
            "approve": max(terms.approve, others.approve),
            "reject": min(terms.reject, others.reject),
            "reason_required": terms.reason_required or others.reason_required,
            "may_edit": terms.may_edit and others.may_edit,
            "may_remember": terms.may_remember and others.may_remember,
            "retry": max(terms.retry, others.retry),
            "notify": told.notify,
            "escalate": [step for step in told.escalate if limit is None or step.after < limit],
            "remind_every": told.remind_every,
        }
    )


def _grave(assessment: Assessment) -> frozenset[str]:
    return frozenset(found.id for found in assessment.findings if found.risk in _GRAVE)
