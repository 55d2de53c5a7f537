"""Events: what a line of the audit stream may say that happened."""

from __future__ import annotations

#: Of an action, in the words of its state and of what people did.
_OF_ACTIONS = {
    "assessed", "repeated", "released", "parked", "rejected", "answered", "approved", "edited", "extended",
    "expired", "redeemed",
}  # fmt: skip
#: Of fleets, agents, policies and grants; ``given_up``: an entry that nobody could handle, nor bury.
_OF_OTHERS = {
    "configured", "halted", "resumed", "granted", "revoked", "blocked", "retried", "turned_away",
    "given_up",
}  # fmt: skip
#: Requests that changed nothing; ``refused`` alone: an agent's.
_REFUSED = {
    f"{asked}_refused"
    for asked in ("answer", "edit", "look", "configure", "halt", "resume", "grants", "revoke", "retry")
}

EVENTS = frozenset(_OF_ACTIONS | _OF_OTHERS | _REFUSED | {"refused"})
