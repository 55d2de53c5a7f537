"""Items: what can be taken out of lists, tuples and dictionaries, folded or as they stand in the text."""

from __future__ import annotations

import ast

from guardtier.analyzers.code.harmful import HARMLESS, harm_of
from guardtier.analyzers.code.operations import MAX_ITEMS, PATH, as_path
from guardtier.analyzers.code.value import HOLE, Const, Pairs, Value, known

_HOLDS = "holds:"


def holding(found: Value, items: list[Value]) -> Value:
    """A list or dictionary of these items. Where one can do harm, any may be it: ``[os, 1][0]``."""
    held = [one for one in items if one.origin and not one.instance and harm_of(one) < HARMLESS]
    return found.marked({f"{_HOLDS}{min(held, key=harm_of).origin}"}) if held else found


def held_in(value: Value) -> str:
    """The module or function that an item of it may be; empty where there is none."""
    return next((mark[len(_HOLDS) :] for mark in value.marks if mark.startswith(_HOLDS)), "")


def item(value: Value, index: int | None) -> Value:
    """One item of it, or what any of its items may be."""
    items: list[Const] = []
    for const in value.consts:
        if isinstance(const, str | bytes | tuple):
            every = iterated(const)
            items.extend(every if index is None else every[index : index + 1 or None])
            if isinstance(const, Pairs) and index is None:
                items.extend(const.keys)  # which is what a loop goes through
    unique = tuple(dict.fromkeys(items))[:MAX_ITEMS]
    found = _may_be_held(Value(unique, value.whole and bool(unique), value.marks))
    return as_path(found) if value.instance and value.origin == PATH else found


def _may_be_held(found: Value) -> Value:
    """The same; where something of it has no text, it may be the module or function that is held."""
    held = held_in(found)
    if not held or (found.consts and HOLE not in found.consts):
        return found
    marks = frozenset(mark for mark in found.marks if not mark.startswith(_HOLDS))
    return Value(tuple(const for const in found.consts if const != HOLE), False, marks, held)


def keyed(value: Value, key: Const) -> Value:
    """What it has under a key; what any of its items may be, where that can't be told."""
    found = tuple([one for const in value.consts if isinstance(const, Pairs) for one in const.under(key)])
    return _may_be_held(Value(found, value.whole, value.marks)) if found else item(value, None)


def gone_through(const: Const) -> tuple[Const, ...]:
    """What a loop over it goes through."""
    return const.keys[:MAX_ITEMS] if isinstance(const, Pairs) else iterated(const)


def iterated(const: Const) -> tuple[Const, ...]:
    return tuple(const)[:MAX_ITEMS] if isinstance(const, str | bytes | tuple) else ()


DISPLAYS = frozenset({ast.List, ast.Tuple, ast.Set})


def stepped(nodes: list[ast.expr], step: int | None) -> list[ast.expr]:
    """One item of each, or all."""
    found: list[ast.expr] = []
    for node in nodes:
        elements = node.elts  # type: ignore[attr-defined]
        found += elements if step is None else elements[step : step + 1 or None]
    return found


def starred(elements: list[ast.expr]) -> frozenset[int]:
    return frozenset([at for at, one in enumerate(elements) if type(one) is ast.Starred])


def spread_out(items: tuple[Const, ...], stars: frozenset[int]) -> tuple[Const, ...]:
    """The items, with what those hold that have a star."""
    return tuple(
        one
        for at, held in enumerate(items)
        for one in (gone_through(held) if at in stars and isinstance(held, tuple) else (held,))
    )


def is_sequence(value: Value) -> bool:
    """Whether it is a list, a tuple or a dictionary, as far as is known."""
    return any(isinstance(const, tuple) for const in value.consts)


def is_dictionary(value: Value) -> bool:
    return any(isinstance(const, Pairs) for const in value.consts)


def spread(values: list[Value], nodes: list[ast.expr]) -> list[Value]:
    """What a call is given by position, with what stands behind a star one by one."""
    if not any(type(node) is ast.Starred for node in nodes):
        return values
    found: list[Value] = []
    for node, value in zip(nodes, values, strict=True):
        if type(node) is ast.Starred and len(value.consts) == 1 and isinstance(value.consts[0], tuple):
            found += [known(one).marked(value.marks) for one in iterated(value.consts[0])]
        else:
            found.append(value)
    return found
