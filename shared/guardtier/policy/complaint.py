"""What is said of a policy file that can't be used: the rule, the key, the nearest known one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from guardtier.errors import ConfigError

_LISTS = ("rule", "test")


def complaint(
    error: ValidationError, body: dict[str, Any], root: type[BaseModel], name: str
) -> ConfigError:
    """The first complaint of pydantic, in the words of the file. ``name`` is what the file is called."""
    first = _first(error.errors(include_url=False))
    loc = list(first["loc"])
    where, path, field = _place(loc, body)
    models = _models_at(loc[:-1], root)
    if first["type"] == "extra_forbidden":
        known = sorted({key for model in models for key in _keys(model)})
        near = get_close_matches(str(loc[-1]).lower(), known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"here may stand: {', '.join(known)}"
        message = f"there is no key {_cut(path)!r}; {hint}"
    elif first["type"] == "missing":
        message = f"{path} is missing"
    else:
        says = _instead(where, path, str(first["type"])) or _in_words(str(first["msg"]))
        message = f"{path}: {says}" if path else says
    return ConfigError(f"{name}: {where}{message}", field=field)


def _first(errors: Sequence[Any]) -> Any:
    """The first complaint. Where a key is missing and one beside it is unknown, that one was misspelt."""
    first = errors[0]
    if first["type"] != "missing":
        return first
    beside = (one for one in errors if one["loc"][:-1] == first["loc"][:-1])
    return next((one for one in beside if one["type"] == "extra_forbidden"), first)


def _instead(where: str, path: str, kind: str) -> str:
    """What to write there, where pydantic would show a pattern or a type; "" where its words will do."""
    if kind == "string_pattern_mismatch" and path in ("time.from", "time.to"):
        return "write a time of day as '08:00' or '18:30'"
    if kind == "string_pattern_mismatch" and where.startswith("fleet ") and not path:
        return "a section is of one fleet, by its full name: letters, digits, _ and -"
    if kind == "model_attributes_type" and path == "policy":
        return 'write { kind = "always_confirm" }, or another kind'
    return ""


def _in_words(says: str) -> str:
    """What a file has are lists and tables."""
    says = re.sub(r"(dictionary|mapping)( or (an )?instance of \w+)?", "table", says)
    return re.sub(r"\b[Tt]uple\b", "list", says.removeprefix("Value error, "))


def in_rule(name: str, rule: str, error: ConfigError) -> ConfigError:
    """An error about a rule's key, with file and rule named."""
    field = f"rule.{rule}.{error.field}" if error.field else f"rule.{rule}"
    return ConfigError(f"{name}: rule {rule!r}: {error.message}", field=field, limit=error.limit)


def _place(loc: Sequence[int | str], body: dict[str, Any]) -> tuple[str, str, str]:
    """Which entry (``rule 'x': ``), the path in it, and the whole as a field."""
    if not loc:
        return "", "", "policy"
    if loc[0] in _LISTS and len(loc) > 1 and isinstance(loc[1], int):
        entry = _entry(body.get(str(loc[0])), loc[1])
        path = _path(loc[2:])
        called = repr(_cut(entry)) if entry else f"number {loc[1] + 1}"
        field = f"{loc[0]}.{_cut(entry) or loc[1] + 1}"
        return f"{loc[0]} {called}: ", path, f"{field}.{path}" if path else field
    if loc[0] == "fleet" and len(loc) > 2:
        path = _path(loc[2:])
        return f"fleet {_cut(loc[1])!r}: ", path, f"fleet.{_cut(loc[1])}.{path}"
    path = _path(loc)
    return "", path, path


def _entry(entries: Any, number: int) -> str:
    entry = entries[number] if isinstance(entries, list) and number < len(entries) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""


def _path(loc: Sequence[int | str]) -> str:
    tags = ("always_confirm", "never_confirm", "confirm_risky", "[key]")
    return ".".join(_cut(part) for part in loc if part not in tags)


def _cut(part: object) -> str:
    return str(part)[:64]


def _models_at(loc: Sequence[int | str], root: type[BaseModel]) -> set[type[BaseModel]]:
    models = {root}
    for part in loc:
        tagged = {model for model in models if _kind(model) == part}
        inner = {
            found
            for model in models
            for key, field in model.model_fields.items()
            if part in (key, field.alias)
            for found in _models_in(field.annotation)
        }
        models = tagged or inner or models
    return models


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or key for key, field in model.model_fields.items()]


def _kind(model: type[BaseModel]) -> object:
    field = model.model_fields.get("kind")
    return field.default if field else None


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for inner in get_args(annotation) for found in _models_in(inner)}
