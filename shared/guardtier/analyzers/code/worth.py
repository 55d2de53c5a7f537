"""Worth: whether what stands in a tree may be something that a rule is about, by its name alone."""

from __future__ import annotations

import ast

from guardtier.analyzers.code.binding import Binding
from guardtier.analyzers.code.names import Names
from guardtier.analyzers.code.operations import BUILTINS, FAMILIAR
from guardtier.analyzers.code.rules import Rules

_RUNNERS = frozenset({"exec", "eval", "compile"})
_LITERALS = frozenset({ast.List, ast.Dict, ast.Set, ast.ListComp, ast.JoinedStr})


class Worth:
    """Of one text. Measured: it saves half the time."""

    def __init__(self, names: Names, rules: Rules) -> None:
        self._names = names
        self._rules = rules
        self._idle: set[str] = set()  #: names of functions that no rule is about
        self._shell_module = any(
            name.partition(".")[0] in ("sh", "plumbum") for name in names.imports.values()
        )

    def no_more(self, function: str) -> None:
        """No rule is about the function of this name."""
        self._idle.add(function)

    def folding(self, function: ast.expr) -> bool:
        """Whether what is called may have a rule, by its name alone. Measured: it saves half the time."""
        names = self._names
        if type(function) is ast.Attribute:
            if self._shell_module and type(function.value) is ast.Name:
                return True
            name = function.attr
            if f".{name}" in names.bindings:
                return True
            if name in self._rules.last:
                return name in self._rules.methods or self._may_be_known(function.value)
            return type(function.value) is ast.Attribute and function.value.attr == "git"
        if type(function) is ast.Name:
            name = function.id
            return name not in self._idle and (
                name in names.imports
                or name in names.bindings
                or name in self._rules.calls
                or name in FAMILIAR
                or bool(names.stars)
            )
        return True

    def _may_be_known(self, owner: ast.expr) -> bool:
        """Whether there may be a name for it: of what has none, methods alone have rules."""
        while isinstance(owner, ast.Attribute) and f".{owner.attr}" not in self._names.bindings:
            if self._rules.is_module(owner.attr.lstrip("_")):
                return True
            owner = owner.value
        if not isinstance(owner, ast.Name):
            return True
        bound = self._names.bindings.get(owner.id)
        if bound is not None and owner.id not in self._names.imports:
            return not all(map(_is_literal, bound))
        return (
            owner.id in self._names.imports
            or owner.id in BUILTINS
            or owner.id in FAMILIAR
            or self._rules.is_module(owner.id)
            or bool(self._names.stars)
        )

    def function(self, arg: ast.expr) -> bool:
        while isinstance(arg, ast.Attribute):
            arg = arg.value
        return isinstance(arg, ast.Name) and (
            arg.id in self._names.imports
            or arg.id in _RUNNERS
            or arg.id in FAMILIAR
            or self._rules.is_module(arg.id)
        )


def _is_literal(binding: Binding) -> bool:
    """Whether it is a list, a dictionary or a text, with what is added to it."""
    node = binding.node
    if type(node) is ast.BinOp and type(node.op) is ast.Add:
        node = node.left
    return type(node) in _LITERALS and not binding.steps
