"""Condition: a rule's ``when``, an expression in CEL (extra ``cel``), typed before anything is asked.

Google's own implementation: unknown names and wrong types are refused when it is compiled, iterations and
recursion are bounded, regular expressions are RE2. What goes wrong at run time (a key that is not there)
comes back as a value of the type ERROR, or raises.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from guardtier.errors import ConfigError
from guardtier.policy.known import LOST
from guardtier.policy.ruling import Facts

MAX_LENGTH = 2000  #: characters of one condition


class ConditionFailed(Exception):
    """A condition could not be told at run time: it counts as a match that parks."""


class Condition:
    """One compiled ``when``."""

    def __init__(self, text: str) -> None:
        """Raises ConfigError: the extra is missing, it does not compile, or it is no yes or no."""
        if len(text) > MAX_LENGTH:
            raise ConfigError(
                f"when is longer than {MAX_LENGTH} characters", field="when", limit=MAX_LENGTH
            )
        cel, env = _environment()
        try:
            self._compiled = env.compile(text)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(f"when does not compile: {_complaint(error)}", field="when") from error
        kind = self._compiled.return_type()
        if kind != cel.Type.BOOL:
            raise ConfigError(
                f"when must come to true or false, and this is {_name_of(kind)}: compare it with something",
                field="when",
            )
        self.asks_labels = re.search(r"\blabels\b", text) is not None and LOST not in text
        self.asks_targets = re.search(r"\btargets\b", text) is not None

    def holds(self, activation: Any) -> bool:
        """Raises ConditionFailed where it can't be told."""
        cel, _ = _environment()
        try:
            value = self._compiled.eval(activation)
            if value.type() == cel.Type.BOOL:
                return bool(value.value())
            raise ConditionFailed(str(value.value())[:200])
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ConditionFailed(str(error)[:200]) from error


def activation_of(facts: Facts, targets: tuple[str, ...]) -> Any:
    """What conditions are asked about. Raises ConditionFailed where the action is not at hand."""
    action = facts.action
    if action is None:
        raise ConditionFailed("the action is not at hand")
    _, env = _environment()
    hints = action.annotations
    try:
        return env.Activation(
            {
                "action.arguments": action.arguments,
                "action.summary": action.summary,
                "action.thought": action.thought,
                "action.claimed_risk": action.security_risk.value,
                "action.annotations": hints.model_dump(exclude_none=True) if hints else {},
                "fleet": facts.fleet,
                "agent": facts.agent,
                "conversation": facts.conversation or "",
                "tool": facts.tool,
                "risk": facts.risk.value,
                "findings": list(facts.findings),
                "labels": list(facts.labels),
                "redacted": list(facts.redacted),
                "targets": list(targets),
                "now": datetime.fromtimestamp(facts.now_ms / 1000, UTC),
            }
        )
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ConditionFailed(str(error)[:200]) from error


@lru_cache(maxsize=1)
def _environment() -> tuple[Any, Any]:
    """The library and the names that a condition may use."""
    try:
        from cel_expr_python import cel
    except ImportError as error:
        raise ConfigError("when needs CEL: pip install 'guardtier[cel]'", field="when") from error
    kinds = cel.Type
    texts, table = kinds.List(kinds.STRING), kinds.Map(kinds.STRING, kinds.DYN)
    names = {
        "action.arguments": table,
        "action.summary": kinds.STRING,
        "action.thought": kinds.STRING,
        "action.claimed_risk": kinds.STRING,
        "action.annotations": table,
        "fleet": kinds.STRING,
        "agent": kinds.STRING,
        "conversation": kinds.STRING,
        "tool": kinds.STRING,
        "risk": kinds.STRING,
        "findings": texts,
        "labels": texts,
        "redacted": texts,
        "targets": texts,
        "now": kinds.TIMESTAMP,
    }
    return cel, cel.NewEnv(variables=names)


def _complaint(error: Exception) -> str:
    """The library's message without its frame: ``1:8: undeclared reference to 'x'``."""
    first = str(error).partition("\n")[0]
    return re.sub(r"^[A-Z_]+: |ERROR: |<input>:| \[[A-Z_]+\]$| \(in container ''\)", "", first)[:300]


def _name_of(kind: Any) -> str:
    return str(kind.name()).lower()
