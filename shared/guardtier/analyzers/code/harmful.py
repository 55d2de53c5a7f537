"""worst(values): what a name may be that may be several things; what can do most harm comes first."""

from __future__ import annotations

from functools import cache

from guardtier.analyzers.code.rules import Call, load
from guardtier.analyzers.code.value import Value, either
from guardtier.risk import SecurityRisk

WORST = ("os", "subprocess", "shutil")  #: the modules that do most harm
HARMLESS = 9  #: the harm of what no rule is about


def worst(values: list[Value]) -> Value:
    """As :func:`either`, which takes the first name. Stable: of equals, the first still."""
    if len(values) == 1 and len(values[0].consts) < 2:  # most of them
        return values[0]
    if sum([value.origin != "" for value in values]) > 1:
        values.sort(key=harm_of)
    return either(values)


def harm_of(value: Value) -> int:
    """The less of it, the more the module or function that it names can do."""
    return _harm(value.origin) if value.origin else HARMLESS


@cache
def _harm(origin: str) -> int:
    if origin in WORST:
        return WORST.index(origin)
    rules = load()
    if found := rules.calls.get(origin):
        return min(map(_harm_of_rule, found))
    return 7 if "." not in origin and rules.is_module(origin) else HARMLESS


def _harm_of_rule(rule: Call) -> int:
    if rule.command or rule.argv or rule.code or rule.risk is SecurityRisk.HIGH:
        return 3
    if not rule.does.keys() <= {"read", "discover"}:
        return 4
    return 5 if rule.does or rule.risk or rule.sql else 6
