"""Turns: what a comprehension comes to, turn by turn."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from guardtier.analyzers.code.items import gone_through, item
from guardtier.analyzers.code.operations import PATH, as_path
from guardtier.analyzers.code.value import NOTHING, Value, known

if TYPE_CHECKING:
    from guardtier.analyzers.code.fold import Folder

#: Conditions that can be told of constants.
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
MAX_TURNS = 1024  #: of a comprehension


class Turns:
    """Folds comprehensions for the folder that it belongs to."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def value(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        before = dict(self._folder.local)
        made: list[Value] = []
        marks = self._generated(node.generators, node.elt, made)
        self._folder.local = before
        if marks is None:
            over = self._folder.value(node.generators[0].iter)
            return Value(marks=over.marks | self._folder.value(node.elt).marks)
        value = self._folder.apply(lambda *parts: parts, made).marked(marks)
        paths = bool(made) and all(one.instance and one.origin == PATH for one in made)
        return as_path(value) if paths else value

    def _generated(
        self, loops: list[ast.comprehension], element: ast.expr, made: list[Value]
    ) -> frozenset[str] | None:
        """Adds what the element comes to for each turn; None where what is gone through can't be told."""
        if not loops:
            made.append(self._folder.value(element))
            return NOTHING.marks
        over = self._folder.value(loops[0].iter)
        if len(over.consts) != 1 or len(made) > MAX_TURNS:
            return None
        marks = over.marks
        for one in gone_through(over.consts[0]):
            self._take(loops[0].target, known(one))
            if any(map(self._fails, loops[0].ifs)):
                continue
            inner = self._generated(loops[1:], element, made)
            if inner is None:
                return None
            marks |= inner
        return marks

    def _fails(self, test: ast.expr) -> bool:
        """Whether a condition does not hold, as far as that can be told: ``c != "X"``."""
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            return False
        compare = _COMPARED.get(type(test.ops[0]))
        sides = [self._folder.value(one) for one in (test.left, test.comparators[0])]
        if compare is None or not all(one.whole and len(one.consts) == 1 for one in sides):
            return False
        try:
            return not compare(sides[0].consts[0], sides[1].consts[0])
        except TypeError:
            return False

    def _take(self, target: ast.expr, value: Value) -> None:
        """Within a comprehension, a name stands for this."""
        if isinstance(target, ast.Name):
            self._folder.local[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for at, one in enumerate(target.elts):
                self._take(one, item(value, at))
