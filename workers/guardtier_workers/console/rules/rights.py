"""Who may change what decides: said before anything is begun; the tier judges it anyway."""

from __future__ import annotations

from guardtier.errors import NotAuthorized, UnknownFleet
from guardtier.look import Me
from guardtier.policy.standing import EVERY_FLEET


def check_sees(me: Me, fleet: str) -> None:
    """Raise UnknownFleet: of another fleet nobody learns whether it is there."""
    if not me.sees(fleet):
        raise UnknownFleet(f"there is no fleet {fleet} among yours", field="fleet")


def check_may_configure(me: Me, fleet: str) -> None:
    """Raise NotAuthorized where the tier would refuse it. ``*``: the policy file, for all fleets."""
    if not me.can("configure", fleet):
        what = "every fleet" if fleet == EVERY_FLEET else f"fleet {fleet}"
        raise NotAuthorized(f"{me.name} needs the right configure for {what}", field="may")
