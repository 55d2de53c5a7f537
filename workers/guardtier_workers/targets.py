"""Targets: the paths and addresses that an action touches, for a policy that asks for them.

What rates is imported when somebody asks, and no sooner: a policy worker without such a rule stays light.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from guardtier.action import ActionEvent
from guardtier.assessment import MAX_FINDINGS, Finding
from guardtier.errors import ConfigError

#: An address whose host, or a path whose part, stands in what was redacted: an agent could hide it so.
_HIDDEN = re.compile(
    r"[a-zA-Z][\w+.-]*://(?:[^@/]*@)?redacted:|(?![a-zA-Z][\w+.-]*://)(?:.*/)?redacted:", re.DOTALL
)

#: Findings that say that not all was read.
_UNREAD = re.compile(r"\.(?:unparsed|too_deep|too_many|obscured\.size)$")
#: The scheme and the host of an address.
_ADDRESS = re.compile(r"[a-zA-Z][\w+.-]*://[^/?#]*")


class TargetsUnknown(ValueError):
    """Which targets an action touches can't be told: it computes one, or names more than are counted."""


class targets_of:  # noqa: N801 - used like a function
    """What tells them, worked out when it is called first, and once.

    It raises TargetsUnknown rather than tell some of them: a rule that asks for targets must not miss one.
    ``findings`` are those of the action's assessment, where targets of Python and SQL stand. Made for every
    decision and asked by few: measured, a closure with ``functools.cache`` takes 2 µs more.
    """

    __slots__ = ("_action", "_findings", "_told")

    def __init__(self, action: ActionEvent, findings: Sequence[Finding]) -> None:
        self._action = action
        self._findings = findings
        self._told: tuple[str, ...] | None = None

    def __call__(self) -> tuple[str, ...]:
        if self._told is None:
            self._told = _targets(self._action, self._findings)
        return self._told


def _targets(action: ActionEvent, findings: Sequence[Finding]) -> tuple[str, ...]:
    try:
        from guardtier.analyzers.effects.targets import UNKNOWN_PART
        from guardtier.analyzers.flow.deeds import MAX_DEEDS, MAX_FILES, deeds_of, targets_in
        from guardtier.analyzers.view import view_of
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"rules that ask for targets need {error.name}: pip install 'guardtier[detection]'",
            field="target",
        ) from error
    deeds = deeds_of(view_of(action), findings)
    many = len(deeds.done) >= MAX_DEEDS or len(deeds.fetched) >= MAX_FILES or deeds.more_executed
    unread = len(findings) >= MAX_FINDINGS or any(_UNREAD.search(one.id) for one in findings)
    if many or unread or deeds.cut:
        raise TargetsUnknown(f"{action.id} touches more targets than are told apart")
    named = (deed.target for deed in deeds.done if deed.target)
    written = tuple(dict.fromkeys((*named, *deeds.fetched, *deeds.executed, *targets_in(findings))))
    found = tuple(dict.fromkeys((*written, *map(_as_reached, written))))
    if any(UNKNOWN_PART in target for target in found):
        raise TargetsUnknown(f"a target of {action.id} is computed when it runs")
    if any(_HIDDEN.match(target) for target in found):
        raise TargetsUnknown(f"a target of {action.id} stands in what was taken for a secret")
    return found


def _as_reached(target: str) -> str:
    """An address with scheme and host as they are looked up; whatever else as it is.

    ``HTTP://EVIL.Example./x`` leads where ``http://evil.example/x`` does, and a rule names that.
    """
    found = _ADDRESS.match(target)
    if found is None:
        return target
    name = unicodedata.normalize("NFKC", found[0]).replace("\u3002", ".").lower()
    host, colon, port = name.rpartition(":")
    if not port.isdecimal():
        host, colon, port = name, "", ""
    return f"{host.rstrip('.')}{colon}{port}{target[found.end() :]}"
