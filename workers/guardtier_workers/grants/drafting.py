"""Drafts: what remembering an approval comes to for one action, before it is given."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic import ValidationError

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import GuardtierError, InvalidAnswer
from guardtier.policy.covering import folder_of, is_below, is_plain_path
from guardtier.policy.grants import (
    Below,
    Grant,
    Pattern,
    Remember,
    Scope,
    SimpleCommand,
    digest_of_call,
    grant_id,
)
from guardtier.policy.terms import Terms
from guardtier.redacted import has_marks
from guardtier.risk import SecurityRisk

if TYPE_CHECKING:
    from guardtier.analyzers.text.redact import Redactor
    from guardtier_workers.grants.reading import Line

#: Whatever these are called with is a program, or a query: each call may do anything.
_RUNS_ANYTHING = frozenset({"shell", "python", "sql"})


@dataclass(frozen=True, slots=True)
class Approval:
    """What is to be remembered: the action as it was approved, what it was parked under, by whom and when.

    ``now_ms``: milliseconds since 1970.
    """

    action: ActionEvent
    assessment: Assessment
    terms: Terms
    by: tuple[str, ...]
    now_ms: int


def check_one_is_enough(terms: Terms) -> None:
    """Raise InvalidAnswer where it takes several: the last of them would open it in the others' names."""
    if terms.approve > 1:
        raise _refused(
            f"what takes {terms.approve} people to approve can't be remembered: approve it alone"
        )


def draft(remember: Remember, approval: Approval) -> Grant:
    """The grant that this approval leaves. Raises InvalidAnswer where it can't leave such a one."""
    action, assessment, terms = approval.action, approval.assessment, approval.terms
    check_one_is_enough(terms)
    if assessment.failed:
        raise _refused("an action that could not be analyzed can't be remembered: approve it alone")
    if not terms.may_remember:
        raise _refused("the policy does not let an approval of this be remembered: approve it alone")
    if remember.scope is Scope.CONVERSATION and action.conversation is None:
        raise _refused("the action names no conversation: remember it for its agent", field="scope")
    try:
        return _made(remember, approval)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _refused(f"it is too much to be remembered ({first['msg']}): approve it alone") from error


def _made(remember: Remember, approval: Approval) -> Grant:
    action, assessment, terms = approval.action, approval.assessment, approval.terms
    arguments, line = _what(remember, approval)
    return Grant(
        id=grant_id(action.id),
        fleet=action.fleet,
        pattern=remember.pattern,
        scope=remember.scope,
        tool=action.tool_name,
        agent=action.agent,
        conversation=action.conversation,
        arguments=arguments,
        key=line.key if line else None,
        commands=_commands(line, remember.below) if line else (),
        risk=assessment.risk,
        findings=tuple(dict.fromkeys(finding.id for finding in assessment.findings)),
        labels=assessment.labels,
        approve=terms.approve,
        roles=terms.roles,
        by=approval.by,
        action=action.id,
        given_at=approval.now_ms,
        expires_at=approval.now_ms + int(remember.seconds * 1000),
        max_uses=remember.uses,
    )


def suggested(approval: Approval) -> list[Grant]:
    """The grants that fit the action, the narrowest first; none where nothing may be remembered of it."""
    scope = Scope.AGENT if approval.action.conversation is None else Scope.CONVERSATION
    found: list[Grant] = []
    for pattern in Pattern:
        try:
            found.append(draft(Remember(pattern=pattern, scope=scope), approval))
        except GuardtierError:
            continue
    return found


def _what(remember: Remember, approval: Approval) -> tuple[str | None, Line | None]:
    """The digest of the arguments that have to be the same, and the commands that have to be alike."""
    action = approval.action
    if remember.pattern is Pattern.EXACT:
        return digest_of_call(action.tool_name, action.arguments), None
    if remember.pattern is Pattern.TOOL:
        _check_tool(approval)
        return None, None
    from guardtier_workers.grants.reading import line_of  # it loads what rates commands

    line = line_of(action)
    if line is None:
        raise _refused(
            "only a line of plain shell commands can be remembered as a command (nothing computed, "
            "redirected or wrapped): remember exactly this action"
        )
    if _holds_secret(line):
        raise _refused("the command holds a secret, which would be kept: remember exactly this action")
    return line.rest, line


def _holds_secret(line: Line) -> bool:
    """Whether a word of it looks like one; also where there are too many to tell."""
    from guardtier.analyzers.text.redact import TooManySecrets

    text = " ".join(word for said in line.commands for word in said.words)
    try:
        return has_marks(text) or bool(_redactor()(text) != text)
    except TooManySecrets:
        return True


@cache
def _redactor() -> Redactor:
    from guardtier.analyzers.text.redact import Redactor

    return Redactor()


def _check_tool(approval: Approval) -> None:
    from guardtier.analyzers.tools import tools

    action = approval.action
    kind = tools().tool_of(action).kind
    if approval.assessment.risk is SecurityRisk.UNKNOWN and kind in _RUNS_ANYTHING | {"unknown"}:
        raise _refused(
            f"nobody can tell what {action.tool_name} does here, so it can't be remembered for any other "
            "call: remember exactly this action"
        )


def _commands(line: Line, below: str | None) -> tuple[SimpleCommand, ...]:
    """The line with its paths left open; the folder that was named must be of some use."""
    folder = None if below is None else _folder(below)
    found = tuple(
        SimpleCommand(
            join=said.join,
            words=tuple(
                _opened(word, folder) if at in said.paths else word for at, word in enumerate(said.words)
            ),
        )
        for said in line.commands
    )
    if folder is not None and not _is_open(found):
        raise _refused(f"no path of the command is below {folder}: name a folder that one is in", "below")
    return found


def _opened(word: str, folder: str | None) -> str | Below:
    if folder is not None:
        return Below(below=folder) if is_below(word, folder) else word
    found = folder_of(word)
    return word if found is None else Below(below=found)


def _folder(below: str) -> str:
    folder = posixpath.normpath(below)
    if not is_plain_path(below) or folder in ("/", ".", "~"):
        raise _refused("below must be a folder, and not /, ~ or the working directory itself", "below")
    return folder


def _is_open(commands: Sequence[SimpleCommand]) -> bool:
    return any(isinstance(word, Below) for command in commands for word in command.words)


def _refused(message: str, field: str = "grant") -> InvalidAnswer:
    return InvalidAnswer(message, field=field)
