"""FileUse: what a tool that works on files does to which of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from guardtier.analyzers.fields import Field
from guardtier.analyzers.tools import Use, tools

if TYPE_CHECKING:
    from guardtier.analyzers.view import View

#: Heads of the files in a patch, in the formats of apply_patch and of diff.
_HEAD = re.compile(
    r"^(?:\*\*\* (?P<verb>Add|Update|Delete) File: |\*\*\* (?P<move>Move) to: |\+\+\+ (?P<diff>(?:b/)?))"
    r"(?P<path>[^\n\t]+)",
    re.MULTILINE,
)
#: Where a move or a copy takes its file from; the other path is where it goes.
_ORIGINS = frozenset({"source", "source_path", "src", "from", "old_path", "path", "file", "files", "paths"})


class FileUse(NamedTuple):
    """One use of one file. ``content`` are the pieces of text that are written."""

    use: Use
    path: Field
    content: tuple[Field, ...] = ()


def uses_of(view: View) -> tuple[FileUse, ...]:
    tool = view.tool
    if tool.use is None:
        return ()
    if tool.use == "write":
        patches = tuple(use for field in view.texts for use in _patched(field))
        if patches:
            return patches
    return tuple(_uses(view, tool.use))


def _uses(view: View, use: Use) -> Iterator[FileUse]:
    roles = tools().roles
    paths = [field for field in view.texts if field.key in roles["path"] and field.exact]
    if use == "write":
        content = tuple(
            field
            for field in view.texts
            if field.exact and field.key in roles["content"] and field not in paths
        )
        yield from (FileUse("write", path, content) for path in paths)
    elif use in ("move", "copy"):
        yield from _moves(use, paths)
    else:
        yield from (FileUse(use, path) for path in paths)


def _moves(use: Use, paths: list[Field]) -> Iterator[FileUse]:
    """A move takes from here (what is moved away is gone) and writes there; so does a copy, reading."""
    for path in paths:
        if path.key in _ORIGINS:
            yield FileUse("delete" if use == "move" else "read", path)
            yield FileUse("read", path)
        else:
            yield FileUse("write", path)


def _patched(field: Field) -> Iterator[FileUse]:
    """The files that a patch touches, each with the lines that it adds or keeps."""
    if "*** " not in field.text and "+++ " not in field.text:
        return
    heads = list(_HEAD.finditer(field.text))
    ends = [*(head.start() for head in heads[1:]), len(field.text)]
    for head, end in zip(heads, ends, strict=False):
        path = Field(field.path, head["path"].strip().rstrip("\r"), field.key, exact=False)
        if path.text == "/dev/null":
            continue
        if head["verb"] == "Delete":
            yield FileUse("delete", path)
            continue
        body = field.text[head.end() : end]
        lines = [line[1:] for line in body.split("\n") if line[:1] in ("+", " ") and line[:4] != "+++ "]
        yield FileUse("write", path, (Field(field.path, "\n".join(lines), field.key, exact=False),))
