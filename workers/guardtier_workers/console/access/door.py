"""Door: what all requests of one console share on their way in: limits, programs, what was refused."""

from __future__ import annotations

from dataclasses import dataclass

from guardtier.settings import Settings
from guardtier_workers.console.access.addresses import names_of
from guardtier_workers.console.access.links import Links
from guardtier_workers.console.access.programs import Programs
from guardtier_workers.console.access.refused import Refused
from guardtier_workers.console.access.signon import SignOn, make_sign_on
from guardtier_workers.console.access.tries import Tries

ASK_SECONDS = 15.0  #: a revoked token is out after so long at the latest


@dataclass(frozen=True, slots=True)
class Door:
    names: frozenset[str]  #: by which browsers may call this console
    tries: Tries
    programs: Programs
    refused: Refused
    links: Links | None  #: of ``guardtier up``
    sign_on: SignOn | None  #: by an identity provider


def make_door(settings: Settings) -> Door:
    """Raises ConfigError where single sign-on is set and can't be had."""
    folder = settings.console.state_dir
    return Door(
        names=names_of(settings),
        tries=Tries(),
        programs=Programs(lasting=ASK_SECONDS),
        refused=Refused(),
        links=Links(folder) if folder else None,
        sign_on=make_sign_on(settings),
    )
