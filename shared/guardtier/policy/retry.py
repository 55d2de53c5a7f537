"""RetryRequest: an approver asks that what was given up is tried once more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from guardtier.policy.halts import MAX_REASON
from guardtier.policy.request import SignedRequest


class RetryRequest(SignedRequest):
    """Try the dead letter of this entry again, in the partition of the id. Sent once more it changes
    nothing: the letter is gone then.
    """

    op: Literal["retry"] = "retry"
    letter: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}-[0-9]{1,20}$")]
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
