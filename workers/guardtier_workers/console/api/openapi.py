"""The OpenAPI document, made of the endpoints' models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from guardtier_workers.console.api.endpoint import PREFIX, Endpoint, Nothing

_REF = "#/components/schemas/{model}"


class Problem(BaseModel):
    """Why a request was refused: a stable ``code``, what to do next, and the field that is wrong."""

    code: str
    message: str
    field: str | None = None
    limit: int | str | None = Field(default=None)


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    taken = {one.body for one in endpoints if one.body}
    given = {one.returns for one in endpoints} | {Problem}
    named, schemas = models_json_schema(
        [*((model, "validation") for model in taken), *((model, "serialization") for model in given)],
        ref_template=_REF,
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one, named)
    return {
        "openapi": "3.1.0",
        "info": {"title": "guardtier console", "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "basic", "description": "an approver's name and token"},
                "session": {"type": "apiKey", "in": "cookie", "name": "guardtier_session"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(one: Endpoint, named: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.operation,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": [*_path(one), *_query(one)],
        "responses": {
            "200": _json(named[one.returns, "serialization"], "done"),
            "default": _json(named[Problem, "serialization"], "refused"),
        },
    }
    if one.body:
        schema = named[one.body, "validation"]
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _path(one: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}
        for name, pattern in one.patterns.items()
    ]


def _query(one: Endpoint) -> list[dict[str, Any]]:
    if one.query is Nothing:
        return []
    schema = one.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": inlined(found, schema)}
        for name, found in schema.get("properties", {}).items()
    ]


def inlined(found: Any, schema: dict[str, Any]) -> Any:
    """A schema with what it refers to put in its place."""
    if isinstance(found, list):
        return [inlined(one, schema) for one in found]
    if not isinstance(found, dict):
        return found
    if "$ref" in found:
        return inlined(schema["$defs"][found["$ref"].rpartition("/")[2]], schema)
    return {name: inlined(value, schema) for name, value in found.items()}


def _json(schema: Any, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
