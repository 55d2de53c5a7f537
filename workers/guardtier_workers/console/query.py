"""Query: what may stand behind the question mark of an address, checked."""

from __future__ import annotations

from typing import Any, Self, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import QueryParams

from guardtier.action import invalid_action
from guardtier.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


class Query(BaseModel):
    """Fields of a ``tuple`` may stand there more than once; what is empty counts as left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, given: QueryParams) -> Self:
        """Raises ConfigError that names what is wrong."""
        found: dict[str, Any] = {}
        for name, values in by_name(given).items():
            field = cls.model_fields.get(name)
            many = field is not None and get_origin(field.annotation) is tuple
            if many or values:
                found[name] = values if many else values[-1]
            elif field is None:
                found[name] = ""
        return checked(cls, found)


def by_name(given: QueryParams) -> dict[str, list[str]]:
    """What stands there under each name, but for what is empty. In one pass: an address has room for
    16,000 names, and to look for each of them among all took 10 s in which nobody was answered.
    """
    found: dict[str, list[str]] = {}
    for name, value in given.multi_items():
        values = found.setdefault(name, [])
        if value:
            values.append(value)
    return found


def checked(model: type[M], value: Any) -> M:
    """The model of this value. Raises ConfigError that names the first field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = invalid_action(error)
        raise ConfigError(wrong.message, field=wrong.field, limit=wrong.limit) from error
