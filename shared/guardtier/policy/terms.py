"""Terms: what a parked action waits under: how long, for whom, for how many, and what happens then."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from guardtier.action import NAME

MAX_SECONDS = 30 * 24 * 3600.0  #: of any time in a policy
MAX_APPROVERS = 20  #: that one action can wait for

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> Any:
    """``"5m"``, ``"1h30m"`` or a number as seconds. Raises ValueError for a text that is none."""
    if not isinstance(value, str):
        return value
    parts = list(_SPAN.finditer(value))
    if not parts or "".join(part[0] for part in parts) != value.strip():
        raise ValueError(f"{value[:40]!r} is no time: write 90, '90s', '5m', '1h30m' or '2d'")
    return sum(float(part[1]) * _UNITS[part[2]] for part in parts)


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)]
Role = Annotated[str, StringConstraints(pattern=NAME)]  #: of approvers; their file says who has it
Channel = Annotated[str, StringConstraints(pattern=NAME)]  #: for notices; the settings say what it is


class Step(BaseModel):
    """One step of an escalation: after so long, whom to tell that the action still waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: Seconds
    notify: tuple[Channel, ...] = Field(min_length=1)


class Terms(BaseModel):
    """What a parked action waits under. Times are in seconds.

    ``time_limit``: None is the fleet's. ``on_timeout``: ``reject`` ends it as expired, ``wait`` keeps it
    waiting for another time limit and tells everybody once more, ``halt`` ends it and halts the agent's
    conversation. ``roles``: who may answer has one of these; none: every approver of the fleet.
    ``approve`` and ``reject``: how many different principals it takes. ``retry``: an identical action is
    refused at once, with the same reason, for so long after a rejection; 0: never. ``may_remember``: an
    approval may leave a grant, and a grant may stand in for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_limit: Seconds | None = None
    on_timeout: Literal["reject", "wait", "halt"] = "reject"
    roles: tuple[Role, ...] = ()
    approve: int = Field(default=1, ge=1, le=MAX_APPROVERS)
    reject: int = Field(default=1, ge=1, le=MAX_APPROVERS)
    reason_required: bool = False
    may_edit: bool = True
    may_remember: bool = True
    retry: Annotated[float, BeforeValidator(seconds), Field(ge=0, le=MAX_SECONDS)] = 600.0
    notify: tuple[Channel, ...] = ()
    remind_every: Seconds | None = None
    escalate: tuple[Step, ...] = Field(default=(), max_length=10)

    @model_validator(mode="after")
    def _steps_come_in_order(self) -> Self:
        times = [step.after for step in self.escalate]
        if times != sorted(set(times)):
            raise ValueError("the steps of escalate must come one after the other")
        if times and self.time_limit is not None and times[-1] >= self.time_limit:
            raise ValueError("a step of escalate comes after the time limit: nobody would be told")
        return self

    def to_json(self) -> bytes:
        """The form in an action's record: b"" for the usual terms."""
        if self == USUAL:
            return b""
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True)

    @staticmethod
    def read(raw: bytes) -> Terms:
        """What :meth:`to_json` gave. Raises ValueError where it can't be read."""
        return Terms.model_validate_json(raw) if raw else USUAL


USUAL = Terms()
