"""Rater: what the calls of a Python text do, by the rules of ``data/python_*.toml``."""

from __future__ import annotations

import ast
import re

from guardtier.analyzers.code.aftermath import Aftermath
from guardtier.analyzers.code.calls import Arguments, applies
from guardtier.analyzers.code.exhaust import rate_exhaustion
from guardtier.analyzers.code.fold import Folder
from guardtier.analyzers.code.harm import harm_of, is_local, is_private, risk_at
from guardtier.analyzers.code.names import Names, Site
from guardtier.analyzers.code.operations import COMPUTED
from guardtier.analyzers.code.rules import Call, Rules, rules_of
from guardtier.analyzers.code.runs import Runs
from guardtier.analyzers.code.scan import scan
from guardtier.analyzers.code.source import Report
from guardtier.analyzers.code.value import HOLE, Const, Pairs, Value, as_text, known
from guardtier.analyzers.code.worth import Worth
from guardtier.analyzers.view import Span
from guardtier.risk import SecurityRisk

LOW, MEDIUM, HIGH, UNKNOWN = SecurityRisk.LOW, SecurityRisk.MEDIUM, SecurityRisk.HIGH, SecurityRisk.UNKNOWN

MAX_RATED = 400  #: calls with a rule that are looked at one by one
_SENDING = frozenset({"secret", "environment", "file", "output"})
_KEYED = frozenset({"secret"})
_SOCKETS = ("python.network.socket", "python.network.connect", "python.network.listen")
#: Begins with its one fixed character: what re looks for first.
_LOOSE = re.compile(
    r"\.(?:system|popen|Popen|check_output|check_call|getoutput|rmtree)(?=[ \t]*(?:[,\]})\n]|$))"
)
_NAMED = frozenset({ast.Name, ast.Attribute})  #: what may be a function
_METHODS = frozenset({ast.Attribute, ast.Call, ast.IfExp})  #: what may be one
_GRAVE = (MEDIUM, HIGH)
_GIT = "git.Repo.git."
#: Before names of programs, which are called like functions.
_PROGRAMS = ("sh.", "plumbum.cmd.", "plumbum.local.", _GIT)
_WRITE_MODES = frozenset("wax+")


class Rater:
    """Rates one tree."""

    def __init__(self, tree: ast.AST, report: Report, rules: Rules, layer: int = 0) -> None:
        self._names = Names(tree)
        self._folder = Folder(self._names, rules)
        self._rules = rules
        self._report = report
        self._rated = 0
        self._unclear = False  #: whether something is called that can't be told
        self._worth = Worth(self._names, rules)
        self._after = Aftermath()
        self._runs = Runs(report, self._folder, self._after, layer)

    def run(self) -> None:
        """Innermost calls first, so that what they come to is known when the outer ones ask."""
        self._runs.enter(self._names)
        for site in reversed(self._names.calls):
            self._rate_site(site)
            if self._rated > MAX_RATED:
                scan(self._report)
                break
        for target, value in self._names.assigned:
            self._rate_assigned(target, value)
        for name in ("__reduce__", "__reduce_ex__"):
            for returned in self._names.returns.get(name, ()):
                self._rate_reduced(returned)
        if self._unclear or _LOOSE.search(self._report.text):
            scan(self._report)
        rate_exhaustion(self._names, self._folder, self._report)
        self._after.rate(self._report, self._runs.inner)
        if self._folder.exhausted:
            message = (
                "Builds more text than can be followed; what it comes to can't be told (ATT&CK T1027)."
            )
            self._report.add("python.obscured.size", HIGH, message, (0, 0))

    def _rate_site(self, site: Site) -> None:
        function = site.node.func
        if self._worth.folding(function):
            called = self._folder.function(site.node)
            if called.origin.partition(".")[0] == COMPUTED:
                message = "Calls something by a name that is put together (ATT&CK T1027)."
                self._report.add("python.call.computed", UNKNOWN, message, self._report.span_of(site.node))
            elif called.origin.startswith(_PROGRAMS):
                self._rate_program(called.origin, site)
            rules = self._rules_of(called.origin, site.node)
            if rules:
                self._apply(rules, site, Arguments(site.node, self._folder))
            elif isinstance(function, ast.Name):
                if not called.origin.startswith((COMPUTED, *_PROGRAMS)):
                    self._worth.no_more(function.id)
            elif not called.origin and not isinstance(function, ast.Attribute):
                self._unclear = True
        for arg in site.node.args:
            if type(arg) in _NAMED and self._worth.function(arg):
                self._rate_passed(arg, site)
        for keyword in site.node.keywords:
            if type(keyword.value) in _NAMED and self._worth.function(keyword.value):
                self._rate_passed(keyword.value, site)

    def _rate_program(self, origin: str, site: Site) -> None:
        """A function that is a program: ``sh.rm("-rf", path)``, ``repo.git.push("--force")``."""
        program = origin.rpartition(".")[2]
        words = ["git", program.replace("_", "-")] if origin.startswith(_GIT) else [program]
        given = Arguments(site.node, self._folder)
        flags = [
            f"--{name.replace('_', '-')}" for name, value in given.named.items() if True in value.consts
        ]
        everything = [*map(known, (*words, *flags)), *given.given]
        self._runs.words(everything, self._report.span_of(site.node))

    def _rate_reduced(self, returned: ast.expr) -> None:
        """What loading a pickle of it calls."""
        if not isinstance(returned, ast.Tuple) or not returned.elts:
            return
        rules = self._rules.calls.get(self._folder.value(returned.elts[0]).origin, ())
        if any(rule.command or rule.code or rule.argv for rule in rules):
            message = "Makes data that runs a command or code when it is loaded (ATT&CK T1059.006)."
            self._report.add("python.deserialise.payload", HIGH, message, self._report.span_of(returned))

    def _rate_passed(self, arg: ast.expr, site: Site) -> None:
        """A function that is given to another one, which may call it."""
        passed = self._folder.value(arg)
        if not passed.instance and (found := self._rules.calls.get(passed.origin)):
            self._apply(found, site, Arguments.passed_on(site.node, self._folder))

    def _rules_of(self, origin: str, node: ast.Call) -> list[Call]:
        method = origin.rpartition(".")[2] if self._is_method(node.func, origin) else ""
        if not method and type(node.func) is ast.Attribute:
            method = node.func.attr
        found = rules_of(origin, method)
        if not found:
            return []
        text = self._report.text
        return [rule for rule in found if not rule.words or all(word in text for word in rule.words)]

    def _is_method(self, function: ast.expr, origin: str) -> bool:
        """Whether what is called is an attribute, also one that was given a name, or by getattr."""
        if type(function) is ast.Name:
            given = function.id in self._names.bindings and function.id not in self._names.imports
            return given and origin[:4] != "def."
        return type(function) in _METHODS

    def _apply(self, rules: list[Call], site: Site, args: Arguments) -> None:
        self._rated += 1
        span = None
        for rule in rules:
            if applies(rule, site, args, self._names.again):
                span = span or self._report.span_of(site.node)
                if rule.kept and not self._is_own(_first_name(site.node)):
                    self._after.destroyed.append((span, rule))
                else:
                    self._rate_call(rule, args, span)

    def _is_own(self, name: str) -> bool:
        return name in self._names.classes and name not in self._names.imports

    def _rate_call(self, rule: Call, args: Arguments, span: Span) -> None:
        addresses = [text for value in args.at(rule.url) for text in _addresses(value)] if rule.url else []
        local = bool(addresses) and all(map(is_local, addresses))
        if local and rule.risk in _GRAVE:
            self._report.add(
                "python.network.local", MEDIUM, "Talks to this machine over the network.", span
            )
        elif rule.kept:
            self._report.add(rule.id or "python.call", MEDIUM, rule.text, span)
        elif rule.risk is not None and rule.risk is not LOW:
            self._report.add(rule.id or "python.call", rule.risk, rule.text, span)
        if rule.gives == "database":
            given = args.at(["DATABASES"]) or args.at([0, "database", "url", "dsn"])  # Django, others
            self._after.opened += [text for value in given for text in _stores(value)]
        self._after.connected |= (rule.id or "").startswith(_SOCKETS)
        self._after.fetched |= "network" in rule.marked or bool(rule.url and rule.does)
        for effect, selectors in self._effects(rule, args):
            for value in args.at(selectors):
                self._rate_path(effect, value, span, rule.recursive)
        for value in args.at(rule.command):
            self._runs.command(value, span)
        if rule.connects:
            self._runs.streams(rule, args, span)
        for value in args.at(rule.imports):
            self._after.imported.extend((span, text) for text in value.texts)
        if rule.argv:
            self._runs.program(rule, args, span)
        for value in args.at(rule.code)[:1]:
            self._runs.code(value, span)
        for value in args.at(rule.sql)[:1]:
            self._after.sql.extend((span, text) for text in value.texts)
        self._rate_sending(rule, args, addresses, local, span)

    def _effects(self, rule: Call, args: Arguments) -> list[tuple[str, list[int | str]]]:
        """What it does to which paths; a mode turns reading into writing."""
        if not rule.mode:
            return list(rule.does.items())
        modes = [text for value in args.at(rule.mode) for text in value.texts]
        given = args.at(rule.mode)
        writes = any(_WRITE_MODES & set(mode) for mode in modes) or bool(given and not modes)
        reads = not modes or any("r" in mode or "+" in mode for mode in modes)
        return [
            (kind, on)
            for on in rule.does.values()
            for kind, holds in (("write", writes), ("read", reads))
            if holds
        ]

    def _rate_path(self, effect: str, value: Value, span: Span, recursive: bool) -> None:
        texts = [text for const in value.consts for text in _paths(const)] or [HOLE]
        relative = [text for text in texts if text[:1] not in ("/", "~")] if self._runs.inside else []
        texts += [f"{inside}/{text}" for inside in self._runs.inside for text in relative]
        if "many" in value.marks and effect != "discover":
            self._runs.too_much(span)
        for text in texts:
            if effect == "write":
                self._after.written.add(text)
            if effect == "discover" and risk_at("delete", text) is HIGH:
                self._after.walked.append(text)
                self._after.private |= is_private(text)
            elif effect == "delete" and HOLE in text:
                self._after.deleted.append((span, text))
            elif effect == "write" and HOLE in text:
                self._after.overwritten.append((span, text))
            elif effect == "read" and HOLE in text:
                self._after.looked.append((span, text))
            harm = harm_of(effect, text, "python")
            if harm.risk is not LOW:
                self._report.add(harm.id, harm.risk, harm.message, span)
            elif recursive and risk_at("delete", text) is HIGH:
                self._report.add(harm.id, MEDIUM, harm.message, span)

    def _rate_sending(
        self, rule: Call, args: Arguments, addresses: list[str], local: bool, span: Span
    ) -> None:
        for address in addresses:
            harm = harm_of("receive", address, "python")
            if harm.risk is HIGH:
                self._report.add(harm.id, HIGH, harm.message, span)
        if local or not (rule.url or rule.data):
            return
        data = args.at(rule.data)
        if data:
            self._after.sent.append(span)
        sent = frozenset().union(*(value.marks for value in data)) & _SENDING
        sent |= frozenset().union(*(value.marks for value in args.at(rule.url))) & {"secret", "environment"}
        if not sent and self._in_the_clear(rule, data, args, addresses):
            sent = _KEYED
        if sent:
            self._report.add(
                "python.network.exfiltration", HIGH,
                f"Sends {_SENT[min(sent, key=list(_SENT).index)]} to the network (ATT&CK T1041).", span,
            )  # fmt: skip

    def _in_the_clear(self, rule: Call, data: list[Value], args: Arguments, addresses: list[str]) -> bool:
        """Whether a variable named like a secret goes where others can read it on its way."""
        plain = any(one[:7].lower() == "http://" for one in addresses)
        return plain and any("key" in value.marks for value in (*data, *args.at(rule.url)))

    def _rate_assigned(self, target: ast.expr, value: ast.expr | None) -> None:
        if not isinstance(target, ast.Subscript | ast.Attribute):
            return
        base = self._folder.value(target.value)
        rules = self._rules.assigned.get(base.origin, ())
        if not rules and base.origin != "os.environ":
            return
        keys = (
            self._folder.value(target.slice).texts if isinstance(target, ast.Subscript) else [target.attr]
        )
        span = self._report.span_of(target)
        if base.origin == "os.environ" and value is not None:
            self._runs.variables(keys, self._folder.value(value), span)
        for rule in rules:
            if rule.risk and (not rule.keys or set(keys) & set(rule.keys)):
                self._report.add(rule.id or "python.assign", rule.risk, rule.text, span)


_SENT = {
    "secret": "credentials",
    "environment": "the environment, where secrets are,",
    "file": "a file's content",
    "output": "a command's output",
}


def _first_name(node: ast.expr) -> str:
    """``A`` of ``A.objects.all().delete()``."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _stores(value: Value) -> list[str]:
    """The databases that an address names, or a dictionary of settings."""
    found = []
    for const in value.consts:
        for settings in (const, *const) if isinstance(const, Pairs) else ():
            if isinstance(settings, Pairs):
                found += [text for one in settings.under("NAME") if (text := as_text(one)) is not None]
    return found or value.texts or [HOLE]


def _addresses(value: Value) -> list[str]:
    return [text for const in value.consts for text in _paths(const) if text != HOLE]


def _paths(const: Const) -> list[str]:
    if isinstance(const, tuple):
        return [text for one in const for text in _paths(one)]
    text = as_text(const)
    return [] if text is None else [text]
