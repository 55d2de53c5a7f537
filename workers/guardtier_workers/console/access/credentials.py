"""Credentials: who sent a request: a program with a token, or a browser with a session."""

from __future__ import annotations

import base64
import binascii
import logging
from time import monotonic
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from guardtier.action import is_label
from guardtier.errors import GuardtierError, GuardTimeout, NotAuthorized, TierUnavailable, TurnedAway
from guardtier.look import Me
from guardtier.signer import Signer
from guardtier_workers.console.access.addresses import address_of
from guardtier_workers.console.access.door import ASK_SECONDS
from guardtier_workers.console.access.problems import TooManyTries
from guardtier_workers.console.access.refused import Kind
from guardtier_workers.console.access.sessions import Session
from guardtier_workers.console.access.visitor import ANYBODY, Visitor
from guardtier_workers.console.console import Console, console_of

log = logging.getLogger(__name__)

COOKIE: Final = "guardtier_session"
POLL_HEADER: Final = "x-guardtier-poll"  #: a page that is merely open asks so: no use of its session
EVENTS: Final = "/events"  #: so does every page that follows them: a browser adds no header to a stream
LEAVE: Final = "/logout"
METRICS: Final = "/metrics"  #: numbers alone, and wanted most while nobody can say who asks for them
TIER_SECONDS: Final = 5.0  #: for the tier to say who somebody is
MOST_CREDENTIALS: Final = 2048  #: characters of an Authorization header


async def visitor(request: HTTPConnection) -> Visitor | None:
    """Who sent it; None: nobody who has signed in. Raises what the tier refuses a credential with."""
    console = console_of(request)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return await _by_token(request, console, given)
    name = session_name(request)
    is_poll = POLL_HEADER in request.headers or request.scope["path"].startswith(EVENTS)
    session = console.sessions.peek(name) if is_poll else console.sessions.find(name)
    leaves = request.scope["path"] == LEAVE  # also where the tier is away, or takes them no more
    if session is not None and (leaves or await _still(console, session, name)):
        return Visitor(session.me, session.signer, session)
    if name:
        console.door.refused.note(Kind.SESSION, request, "a cookie of no session")
    return Visitor(ANYBODY) if console.settings.console.open_to_viewers else None


async def prove(request: HTTPConnection, signer: Signer) -> Me:
    """Ask the tier who this is. Raises NotAuthorized, and TooManyTries where too many before failed."""
    console = console_of(request)
    tries, refused, address = console.door.tries, console.door.refused, address_of(request)
    name = signer.name if is_label(signer.name) else ""
    try:
        tries.begin(address, name)
    except TooManyTries as error:
        refused.note(Kind.TRIES, request, error.message)
        raise
    failed = False
    try:
        if not name:
            raise NotAuthorized("no approver can be called so", field="approver")
        me = await asked(console, signer)
    except NotAuthorized as error:
        failed = True
        refused.note(Kind.CREDENTIALS, request, f"as {name or 'nobody'}: {error.message}")
        raise
    finally:
        tries.end(address, name, failed=failed)
    tries.succeeded(address, name)
    return me


async def asked(console: Console, signer: Signer) -> Me:
    """Who the tier says that this is. Raises NotAuthorized, also for whoever may see nothing."""
    me = await console.tier.acting(signer).me(timeout=TIER_SECONDS)
    check_sight(me)
    return me


async def asked_anew(console: Console, session: Session) -> Me:
    """The same of who has signed in. A name that the file gives another subject is somebody else's."""
    signer = session.signer
    if not session.subject:
        return await asked(console, signer)
    voucher = console.tier.acting(Signer(signer.voucher, signer.key))
    me = await voucher.whose(session.subject, timeout=TIER_SECONDS)
    if me.name != signer.name:
        raise NotAuthorized("this subject is somebody else by now", field="subject")
    check_sight(me)
    return me


def check_sight(me: Me) -> None:
    """Raise NotAuthorized where there is nothing for them here: a console that vouches, say."""
    if not any(map(me.sees, me.fleets)):
        raise NotAuthorized(f"{me.name} has no right to see anything", field="approver")


def is_secure(request: HTTPConnection) -> bool:
    return request.url.scheme == "https"


def cookie_called(name: str, request: HTTPConnection) -> str:
    """Over TLS a browser takes ``__Host-`` from this very host alone, and only as a secure cookie."""
    return f"__Host-{name}" if is_secure(request) else name


def cookie_of(name: str, request: HTTPConnection) -> str:
    """What the browser keeps under a name; "" for nothing. The last one counts.

    Ours have no quotes. Taking off those of others by way of ``request.cookies`` took 7 s for 60 kB of
    backslashes, in which nobody was answered.
    """
    called, found = cookie_called(name, request), ""
    for header in request.headers.getlist("cookie"):
        for part in header.split(";"):
            key, _, value = part.partition("=")
            if key.strip() == called:
                found = value.strip()
    return found


def session_name(request: HTTPConnection) -> str:
    return cookie_of(COOKIE, request)


def begin_session(
    request: HTTPConnection,
    response: Response,
    signer: Signer,
    me: Me,
    subject: str = "",
    *,
    seat: str = "",
) -> None:
    """Start a session; the one that the browser had ends. ``subject``: an identity provider's.

    ``seat``: the digest of what the browser keeps beside the cookie, if it does (forgery.py).
    """
    log.info("%s has signed in from %s at %s", me.name, address_of(request), request.scope["path"])
    sessions = console_of(request).sessions
    sessions.end(session_name(request))
    name, _ = sessions.begin(signer, me, subject, seat)
    called = cookie_called(COOKIE, request)
    response.set_cookie(called, name, httponly=True, samesite="strict", secure=is_secure(request), path="/")


def end_session(request: HTTPConnection, response: Response) -> None:
    console_of(request).sessions.end(session_name(request))
    secure = is_secure(request)
    response.delete_cookie(
        cookie_called(COOKIE, request), path="/", secure=secure, httponly=True, samesite="strict"
    )


async def _by_token(request: HTTPConnection, console: Console, given: str) -> Visitor:
    """A program: HTTP Basic, the approver's name and token."""
    given = given.strip()
    programs = console.door.programs
    if known := programs.find(given):
        if not programs.is_fresh(known):
            try:
                me = await asked(console, known.signer)
            except NotAuthorized:
                programs.forget(given)
                raise
            except (GuardTimeout, TierUnavailable, TurnedAway):
                if request.scope["path"] != METRICS:
                    raise
                return Visitor(known.me, known.signer)
            programs.keep(given, known.signer, me)
            return Visitor(me, known.signer)
        return Visitor(known.me, known.signer)
    try:
        if len(given) > MOST_CREDENTIALS:
            raise ValueError("too long")
        name, _, token = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise NotAuthorized(
            "the credentials can't be read: name and token, as HTTP Basic", field="credentials"
        ) from error
    signer = Signer.with_token(name, token)
    me = await prove(request, signer)
    programs.keep(given, signer, me)
    return Visitor(me, signer)


async def _still(console: Console, session: Session, name: str) -> bool:
    """Whether the tier still takes what they sign; what they may is brought up to date."""
    if monotonic() - session.asked < ASK_SECONDS:
        return True
    came = monotonic()
    async with session.asking:  # of many requests at once, one asks; how it fared goes for all of them
        if monotonic() - session.asked < ASK_SECONDS or session.asked > came:
            return True
        if session.failed is not None and session.failed[0] > came:
            raise GuardtierError.from_json(session.failed[1])
        try:
            session.me = await asked_anew(console, session)
        except NotAuthorized:
            console.sessions.end(name)
            return False
        except GuardtierError as error:
            session.failed = (monotonic(), error.to_json())
            raise
        session.asked = monotonic()
    return True
