"""Rights: one entry of the approvers file, and what it lets its approver do."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from guardtier.action import LABEL
from guardtier.policy.terms import Role

EVERY_FLEET = "*"
SUBJECT = r"^[!-~]{1,256} [ -~]{1,255}$"  #: issuer and subject of an identity provider
OWN_AGENTS = r"^[^/\s]{1,64}/[!-~]{1,128}$"  #: a glob for the fleet, one for the agent


class Right(StrEnum):
    """What an approver may do for its fleets."""

    ANSWER = "answer"  #: approve and reject parked actions
    CONFIGURE = "configure"  #: set the policy at run time, halt and resume
    HALT = "halt"  #: halt and resume
    SEE = "see"  #: see what waits; every other right but the last says so too
    VOUCH = "vouch"  #: a console: sign for approvers whom it may vouch for, who proved themselves to it


class Approver(BaseModel):
    """A person or a service that answers parked actions of its fleets (``*``: of every fleet).

    ``principal`` is who it is: it counts once, whatever the number of its tokens; by default its name.
    ``agents`` are its own, which it may not answer for: globs over ``fleet/agent``. The policy may want
    one of the ``roles``. ``subject`` is how an identity provider names them ("issuer subject"), and
    ``vouched_by`` the consoles that may sign for them then; who has no ``key`` has no other way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=LABEL)]
    key: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    fleets: frozenset[str] = frozenset({EVERY_FLEET})
    may: frozenset[Right] = frozenset({Right.ANSWER})
    principal: Annotated[str, StringConstraints(pattern=LABEL)]
    roles: frozenset[Role] = frozenset()
    agents: tuple[Annotated[str, StringConstraints(pattern=OWN_AGENTS)], ...] = ()
    subject: Annotated[str, StringConstraints(pattern=SUBJECT)] | None = None
    vouched_by: frozenset[Annotated[str, StringConstraints(pattern=LABEL)]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _is_themselves(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "name" in fields:
            return {"principal": fields["name"]} | fields
        return fields

    @model_validator(mode="after")
    def _can_prove_themselves(self) -> Approver:
        if not self.key and not self.vouched_by:
            raise ValueError("an approver has a key, or somebody who vouches for them")
        if Right.VOUCH in self.may and (not self.key or len(self.may) > 1):
            raise ValueError('who may vouch has a key, and no other right: may = ["vouch"]')
        return self

    def may_answer(self, fleet: str) -> bool:
        return Right.ANSWER in self.may and self._has(fleet)

    def may_configure(self, fleet: str) -> bool:
        return Right.CONFIGURE in self.may and self._has(fleet)

    def may_halt(self, fleet: str) -> bool:
        return not self.may.isdisjoint((Right.HALT, Right.CONFIGURE)) and self._has(fleet)

    def may_see(self, fleet: str) -> bool:
        """Whether the actions of a fleet are shown to them: whoever has any right there."""
        return self._has_sight and self._has(fleet)

    @property
    def sees(self) -> frozenset[str] | None:
        """The fleets whose actions are shown to them; None: every fleet."""
        if not self._has_sight:
            return frozenset()
        return None if EVERY_FLEET in self.fleets else self.fleets

    def has_role(self, roles: Collection[str]) -> bool:
        """Whether it has one of these; where none is wanted, everybody has."""
        return not roles or not self.roles.isdisjoint(roles)

    def owns(self, fleet: str, agent: str) -> bool:
        """Whether this agent acts for it."""
        return agent in (self.name, self.principal) or any(
            fnmatchcase(f"{fleet}/{agent}", own) for own in self.agents
        )

    @property
    def _has_sight(self) -> bool:
        return bool(self.may - {Right.VOUCH})

    def _has(self, fleet: str) -> bool:
        return EVERY_FLEET in self.fleets or fleet in self.fleets
