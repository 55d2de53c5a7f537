"""The document that describes the API: whoever asks is given it, and no start waits for it."""

from __future__ import annotations

from importlib.metadata import version

from consoles import Desk
from guardtier.settings import Settings
from guardtier_workers.console.api.openapi import document
from guardtier_workers.console.api.routes import ENDPOINTS, described
from guardtier_workers.console.app import make_app


async def test_whoever_asks_is_given_the_document_of_every_endpoint(console: Desk) -> None:
    answer = await (await console.nobody()).get("/api/v1/openapi.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document(ENDPOINTS, version("guardtier"))
    told = {(method, path) for path, methods in answer.json()["paths"].items() for method in methods}
    assert told == {(one.method.lower(), f"/api/v1{one.path}") for one in ENDPOINTS}


def test_it_is_made_when_it_is_asked_for_not_at_the_start() -> None:
    described.cache_clear()

    make_app(Settings())

    assert described.cache_info().currsize == 0
