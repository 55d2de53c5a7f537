"""Replacing: what a change of a policy says that it replaces: nobody overwrites what they have not seen."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import StringConstraints

from guardtier.approver_policies import Whatever
from guardtier_workers.console.query import Query

#: Where nothing was set at run time, in a query: ``?replaces=none``.
NONE = "none"

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Body(Protocol):
    replaces: Digest | None

    @property
    def model_fields_set(self) -> set[str]: ...


class ResetQuery(Query):
    """``replaces``: as with setting; ``none`` where nothing was set. Left out: whatever stands."""

    replaces: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64}|none)$")] | None = None

    @property
    def replaced(self) -> str | Whatever | None:
        if self.replaces is None:
            return Whatever.STANDS
        return None if self.replaces == NONE else self.replaces


def replaced_by(body: _Body) -> str | Whatever | None:
    """What a body that sets something replaces."""
    return body.replaces if "replaces" in body.model_fields_set else Whatever.STANDS
