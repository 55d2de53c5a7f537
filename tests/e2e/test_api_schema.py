"""The API against its OpenAPI document: schemathesis asks what the document allows, and what it doesn't.

Most of the names in a request are those of a tier with something of everything in it (``world.py``), so
that more is tried than what a request for nothing is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consoles import Desk
from e2e.world import ALL, World, filled
from guardtier_workers.console.api.endpoint import PREFIX, Endpoint
from guardtier_workers.console.api.openapi import document
from guardtier_workers.console.api.routes import ENDPOINTS

if TYPE_CHECKING:  # it takes a second, in each process that collects tests
    from schemathesis import Case, GenerationMode
    from schemathesis.schemas import BaseSchema

EXAMPLES = {"positive": 12, "negative": 5}  #: by schemathesis' GenerationMode
#: Each of these starts a process that reads the text.
SLOW = ("/policy-file", "/policy-file/check")


@cache
def schema() -> BaseSchema:
    """With our own credentials: those that it makes up would be told 401, and nothing else."""
    import schemathesis

    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    return schemathesis.openapi.from_dict(document(ENDPOINTS, "1"), config=config)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
async def test_no_request_makes_it_fail_or_say_what_its_document_does_not(
    console: Desk, endpoint: Endpoint
) -> None:
    from schemathesis import GenerationMode

    world = await filled(console.tier)
    browser = await console.browser("alice", may=ALL)

    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(browser.headers)
        session.cookies.update(dict(browser.cookies))
        for mode, count in EXAMPLES.items():
            if mode == "negative" and not _takes_anything(endpoint):
                continue
            most = 3 if endpoint.path in SLOW else count
            await asyncio.to_thread(
                _tried(endpoint, world, GenerationMode(mode), most, _sender(console, session))
            )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
async def test_nobody_is_told_anything_without_signing_in(console: Desk, endpoint: Endpoint) -> None:
    somebody = await console.nobody()
    path = endpoint.path.replace("{id}", "a.0").replace("{", "").replace("}", "")

    answer = await somebody.request(endpoint.method, PREFIX + path, json=None)

    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] == "not_authorized"


def _takes_anything(endpoint: Endpoint) -> bool:
    return bool(endpoint.patterns or endpoint.query.model_fields or endpoint.body)


def _sender(console: Desk, session: requests.Session) -> Callable[[Case], None]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    every = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]

    def send(case: Case) -> None:
        case.call_and_validate(base_url=console.url, session=session, checks=every, timeout=90)

    return send


def _tried(
    endpoint: Endpoint, world: World, mode: GenerationMode, count: int, send: Callable[[Case], None]
) -> Callable[[], None]:
    """A function that sends so many requests, the same ones each time."""
    operation = schema()[PREFIX + endpoint.path][endpoint.method]

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), about=st.sampled_from(world.actions), data=st.data())
    def tried(case: Case, about: tuple[str, str], data: st.DataObject) -> None:
        known = world.of(about)
        case.path_parameters = _named(case.path_parameters, known, data)
        case.query = _named(case.query, known, data)
        case.body = _named(case.body, known, data)
        send(case)

    return tried


def _named(value: Any, known: dict[str, list[str]], data: st.DataObject) -> Any:
    """The same, with some of the names in it as they are in the tier."""
    if isinstance(value, list):
        return [_named(one, known, data) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _one(name, inner, known, data) for name, inner in value.items()}


def _one(name: str, inner: Any, known: dict[str, list[str]], data: st.DataObject) -> Any:
    if name not in known:
        return _named(inner, known, data)
    return data.draw(st.sampled_from([inner, *known[name], *known[name]]))
