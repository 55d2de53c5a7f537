"""View: one action as analyzers look at it. Everything in it is parsed once, whoever asks."""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.base import QUIET
from guardtier.analyzers.effects.flow import Flow, flow_of
from guardtier.analyzers.fields import Field, Span, strings_in
from guardtier.analyzers.gate import BETWEEN, GATE, NONE
from guardtier.analyzers.hints import said_by
from guardtier.analyzers.lazy import lazy
from guardtier.analyzers.parts import MAX_PARTS, CodePart
from guardtier.analyzers.shell import Context, Script, read
from guardtier.analyzers.sources import code_in, reaches_out, shell_fields_of
from guardtier.analyzers.tools import Kind, Tool, tools
from guardtier.analyzers.urls import Url, url_of
from guardtier.analyzers.writes import FileUse, uses_of
from guardtier.assessment import Assessment, Finding, made
from guardtier.risk import SecurityRisk

__all__ = ["CodePart", "Context", "Field", "FileUse", "Span", "View", "view_of"]

WEB: Final = frozenset({"http", "browser", "web-search"})  #: kinds of tools whose URLs are named so
_TELLING = frozenset({"reads", "reads the open world", "adds"})
_CANT_BE_TOLD = Assessment(risk=SecurityRisk.UNKNOWN)  #: a vote, where ABSTAINS is none


class Call(NamedTuple):
    """What kind of call an action is, which tells the analyzers that need not be asked.

    ``plain``: nothing but shell commands of plain words in ASCII, for a tool that is known: there is no
    code in it in another language, and nothing hidden. ``clean``: it is plain, and holds none of the
    words that analyzers of text look for.
    """

    tool: Tool
    plain: bool = False
    clean: bool = False


class View:
    """The strings of an action, and what they come to. Made by :func:`view_of`."""

    def __init__(self, action: ActionEvent) -> None:
        self.action = action
        self.tool: Tool = tools().tool_of(action)
        #: What the tool is: shell, python, sql, file-read, file-write, http, browser, search, mcp …
        self.kind: Kind = self.tool.kind

    @lazy
    def texts(self) -> tuple[Field, ...]:
        """Every string of the arguments with its path; argument lists also as a command line."""
        return strings_in(self.action.arguments)

    @lazy
    def shell_fields(self) -> tuple[Field, ...]:
        """What a shell gets to run; empty where the tool runs none."""
        return shell_fields_of(self)

    @lazy
    def scripts(self) -> tuple[tuple[Field, Script], ...]:
        """What the shell would run, field by field, the first :data:`MAX_PARTS`; empty without a shell."""
        return tuple([(field, read(field.text)) for field in self.shell_fields[:MAX_PARTS]])

    @lazy
    def call(self) -> Call:
        """What kind of call it is. Only of plain ones more than the tool is told."""
        tool, action = self.tool, self.action
        if tool.kind != "shell" or not tool.known or len(action.arguments) != 1:
            return Call(tool)
        ((key, value),) = action.arguments.items()
        if type(value) is not str or key not in tools().roles["command"]:
            return Call(tool)
        if not (self._only(key, value) if value.isascii() else self.scripts)[0][1].plain:
            return Call(tool)
        self.__dict__["unclear"] = False  # the tool is known, and so is each command's name
        if action.summary or action.thought:
            return Call(tool, True)
        text = f"{action.tool_name}{BETWEEN}{value}"
        return Call(tool, True, GATE.hits(text.lower().encode()) == NONE)

    def _only(self, key: str, command: str) -> tuple[tuple[Field, Script], ...]:
        """:attr:`scripts`, and what leads there, of an action that is one command: nearly all are.

        Measured: 3 µs less than by way of everything that an action may be.
        """
        field = Field(f"arguments.{key}", command, key)
        known = self.__dict__
        known["texts"] = known["shell_fields"] = (field,)
        found = known["scripts"] = ((field, read(command)),)
        return found

    @lazy
    def flows(self) -> tuple[Flow, ...]:
        """The data flow of each of :attr:`scripts`: what its commands do to what."""
        scripts = self.scripts
        if len(scripts) == 1:
            ((field, script),) = scripts
            return (flow_of(script, field.text),)
        return tuple([flow_of(script, field.text) for field, script in scripts])

    @lazy
    def files(self) -> tuple[FileUse, ...]:
        """What a tool that works on files does to which: also reads, deletes and moves."""
        return uses_of(self)

    @lazy
    def writes(self) -> tuple[FileUse, ...]:
        """What a file tool writes: each with its path, and the pieces of its content."""
        return tuple(use for use in self.files if use.use == "write")

    @lazy
    def addresses(self) -> tuple[tuple[Field, Url], ...]:
        """The URLs among :attr:`texts`, and one more than :data:`MAX_PARTS` at the most."""
        found = ((field, url) for field in self.texts if (url := self._url_in(field)) is not None)
        return tuple(islice(found, MAX_PARTS + 1))

    def _url_in(self, field: Field) -> Url | None:
        """The URL that a string is: by its argument's name, or by how it begins."""
        if not field.exact:
            return None
        named = field.key in tools().roles["url"] and self.kind in WEB
        if named or "://" in field.text[:64] or field.text[:11].lower() == "javascript:":
            return url_of(field.text)
        return None

    def code(self, language: str) -> tuple[CodePart, ...]:
        """All code in this language: a language tool's, out of shell scripts, and in written files.

        ``"shell"`` gives the shell code of language tools and of written files; what a shell tool
        runs is in :attr:`scripts`.
        """
        return self._code.get(language, ())

    @lazy
    def _code(self) -> dict[str, tuple[CodePart, ...]]:
        return code_in(self)

    @lazy
    def unclear(self) -> bool:
        """Whether what the action does can't be told unless something in it is HIGH.

        So for a tool that is unknown and says nothing of itself, and where the name of a command is
        computed. See :meth:`vote`.
        """
        if self.kind == "python" and reaches_out(self):
            return True
        if not self.tool.known and said_by(self.action) not in _TELLING:
            return True
        for _, script in self.scripts:  # noqa: SIM110 - a generator would take twice as long
            if script.computed:
                return True
        return False

    def vote(
        self, findings: list[Finding] | tuple[Finding, ...] = (), quiet: SecurityRisk = SecurityRisk.UNKNOWN
    ) -> Assessment:
        """The assessment that these findings come to; ``quiet`` is the vote without any.

        UNKNOWN (the default) abstains: the other children decide. Below HIGH nothing is voted where
        the action is unclear or a finding says UNKNOWN: harmless text beside it would lower the rating.
        """
        if not findings:
            if quiet is not SecurityRisk.UNKNOWN and self.unclear:
                return _CANT_BE_TOLD
            return QUIET[quiet]
        risk, told = quiet, True
        for finding in findings:
            if finding.risk is SecurityRisk.HIGH:
                risk = SecurityRisk.HIGH
                break
            if finding.risk is SecurityRisk.UNKNOWN:
                told = False
            if finding.risk is SecurityRisk.MEDIUM or risk is SecurityRisk.UNKNOWN:
                risk = finding.risk
        if risk is not SecurityRisk.HIGH and (not told or self.unclear):
            risk = SecurityRisk.UNKNOWN
        return made(
            Assessment,
            {"risk": risk, "findings": tuple(findings), "votes": (), "failed": False, "labels": ()},
        )


_last: View | None = None


def view_of(action: ActionEvent) -> View:
    """The view of an action; the children of an ensemble, which ask in turn, share one."""
    global _last  # noqa: PLW0603 - one slot is all it takes: the children ask one after another
    found = _last
    if found is None or found.action is not action:
        found = _last = View(action)
    return found


def is_known_clean(action: ActionEvent) -> bool:
    """Whether somebody has found out that :attr:`Call.clean` holds; it parses nothing to answer."""
    found = _last
    if found is None or found.action is not action:
        return False
    call: Call | None = found.__dict__.get("call")
    return call is not None and call.clean
