"""What find hands on: its starting points, each with the names that it looks for."""

from __future__ import annotations

from itertools import pairwise

from guardtier.analyzers.effects.targets import place_of
from guardtier.analyzers.shell.model import Command, Word

FINDERS = frozenset({"find", "gfind", "bfs", "fd", "fdfind"})
_NAMED = frozenset({"-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-lname"})
_GLOBAL = frozenset({"-H", "-L", "-P", "-E", "-X", "-x", "-s", "-d", "-f"})
_HOMES = frozenset({"/home", "/Users"})
#: What people make themselves: looked for in a whole home, it is in Documents and the like, too.
_DOCUMENTS = (
    *(".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".odp", ".rtf", ".pdf", ".txt"),
    *(".jpg", ".jpeg", ".png", ".heic", ".mp3", ".mp4", ".mov", ".avi", ".mkv", ".eml", ".pst", ".pages"),
    *(".numbers", ".key", ".csv"),
)
_MOST = 8  #: roots and names each; more of them lead to the same few places


def handed_on(command: Command) -> list[Word]:
    """``find / -name id_rsa`` → ``/id_rsa``; without a name, all of it."""
    args = command.args
    at = 0
    while at < len(args) and (args[at].text in _GLOBAL or args[at].text.startswith("-O")):
        at += 1
    roots: list[Word] = []
    while at < len(args) and args[at].text[:1] not in ("-", "(", "!"):
        roots.append(args[at])
        at += 1
    roots = roots[:_MOST] or [Word(".", command.span)]
    names = _names(args[at:])[:_MOST]
    if not names:
        return roots
    return [Word(_below(root.text, name), root.span, False) for root in roots for name in names]


def _names(tests: tuple[Word, ...]) -> list[str]:
    return [value.text for test, value in pairwise(tests) if test.text in _NAMED]


def _below(root: str, name: str) -> str:
    bare = name.lstrip("*/")
    if bare.lower().endswith(_DOCUMENTS) and bare != name and place_of(root).name == "home":
        return f"~/Documents/{bare}"
    extension = bare[:1] == "." and bare != name and name[-len(bare) - 1] != "/" and root[:1] in "/~"
    name = f"\x00{bare}" if not bare or extension else bare
    if root.rstrip("/") in _HOMES:
        return f"{root}/\x00/{name}"
    return f"{root}/{name}" if root != "/" else f"/{name}"
