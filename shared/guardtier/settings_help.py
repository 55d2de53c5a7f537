"""What is said of settings that nobody knows: the nearest name, and where to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from guardtier.errors import ConfigError

PREFIX = "GUARDTIER_"
#: Variables of the command line and of deployments, which are no settings.
OTHERS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("APPROVER", "APPROVER_TOKEN", "APPROVER_TOKEN_FILE"),
        *("STATE_DIR", "REDIS_SERVER", "REDIS_PASSWORD", "VERDICT_KEYS", "REPLICAS"),
    )
)


class WrongSetting(ValueError):
    """What a validator raises that looks at several settings: ``field`` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def config_error(
    error: ValidationError, root: type[BaseModel], origin: Callable[[str], str] = lambda _: ""
) -> ConfigError:
    """The first complaint of pydantic, with the nearest known name where a key is unknown, and where it
    stands (``origin`` of a field).
    """
    told = _complaint(error, root)
    where = origin(told.field or "")
    return ConfigError(f"{told.message} ({where})", field=told.field) if where else told


def _complaint(error: ValidationError, root: type[BaseModel]) -> ConfigError:
    first = error.errors(include_url=False)[0]
    wrong = first.get("ctx", {}).get("error")
    if isinstance(wrong, WrongSetting):
        return ConfigError(str(wrong), field=wrong.field)
    path, models = _walked([str(part) for part in first["loc"]], root)
    field = ".".join(path) or "settings"
    message = f"{field}: {first['msg']}".replace("Value error, ", "")
    if first["type"] == "extra_forbidden":
        known = sorted({name for model in models for name in model.model_fields})
        near = _nearest(path[-1], known)
        message = f"{field}: there is no such setting"
        message += f"; did you mean {near!r}?" if near else f"; here may stand: {', '.join(known)}"
    return ConfigError(message, field=field)


def check_environment(environ: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise ConfigError for a variable that is nearly a setting's.

    Not for every unknown one: Kubernetes sets ``GUARDTIER_PORT`` and its like for a service of that
    name. ``guardtier doctor`` names those.
    """
    names = list(known)
    for variable in unknown_variables(environ, names):
        near = _nearest(_setting_in(variable), names, cutoff=0.84)
        if near:
            raise ConfigError(
                f"{variable}: there is no setting {_setting_in(variable)!r}; did you mean "
                f"{PREFIX}{near.upper()}?",
                field=variable,
            )


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """The variables that begin as ours do and set nothing."""
    names = set(known)
    return sorted(
        variable
        for variable in environ
        if variable.upper().startswith(PREFIX)
        and variable.upper() not in OTHERS
        and _setting_in(variable) not in names
    )


def _setting_in(variable: str) -> str:
    return variable[len(PREFIX) :].lower().partition("__")[0]


def _nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    near = get_close_matches(name.lower(), list(known), n=1, cutoff=cutoff)
    return near[0] if near else None


def _walked(loc: list[str], root: type[BaseModel]) -> tuple[list[str], set[type[BaseModel]]]:
    """The path as a settings file has it, without pydantic's tags, and the models at its end."""
    models, path = {root}, []
    for part in loc[:-1]:
        tagged = {model for model in models if _kind(model) == part}
        if tagged:  # the member of a union: no key of the file
            models = tagged
            continue
        path.append(part)
        inner = {
            found
            for model in models
            if part in model.model_fields
            for found in _models_in(model.model_fields[part].annotation)
        }
        models = inner or models
    return [*path, *loc[-1:]], models


def _kind(model: type[BaseModel]) -> object:
    field = model.model_fields.get("kind")
    return field.default if field else None


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for inner in get_args(annotation) for found in _models_in(inner)}
