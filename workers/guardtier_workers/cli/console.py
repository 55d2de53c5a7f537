"""guardtier console: a link that signs the operator of ``guardtier up`` in to its console, once."""

from __future__ import annotations

from urllib.parse import quote

from guardtier.errors import TierUnavailable
from guardtier.signer import Signer
from guardtier_workers.cli.options import Json
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.state import StateDir
from guardtier_workers.console.access.links import LASTS_SECONDS, Links


def console(as_json: Json = False) -> None:
    """Print a link to the console of `guardtier up`. It works once, for a minute, and for this user."""
    state = StateDir()
    running, word = state.running(), state.console()
    if running is None or not running.approver or not running.token:
        raise TierUnavailable("no tier runs here: start one with guardtier up")
    if word is None:
        raise TierUnavailable(
            "the tier that runs here has no console: its errors are where guardtier up runs; "
            "pip install 'guardtier[console]' where it is missing"
        )
    link = link_to(word.url, state, Signer.with_token(running.approver, running.token))
    if as_json:
        emit({"url": word.url, "link": link, "seconds": LASTS_SECONDS})
        return
    say(link)
    note(f"for {running.approver}; once, within {LASTS_SECONDS} seconds")


def link_to(url: str, state: StateDir, signer: Signer) -> str:
    """A new link. What stands behind the # is sent to nobody before the button there is pressed."""
    return f"{url}enter#{quote(signer.name, safe='')}.{Links(state.path).make(signer)}"
