"""Lone signs: ``"."``, ``".."``, ``"~"`` and ``"/"`` in a Python text, where they are no part of a path.

Such a literal may be put together with others to a path that leads out of the workspace. It is not where
it is compared, looked for, or taken away.
"""

from __future__ import annotations

import re

from guardtier.analyzers.code.source import MAX_PARSED

_AROUND = 32  #: characters before it that are looked at

_SIGN = re.compile(r"(?P<q>['\"])(?P<sign>\.\.?|~|/)(?P=q)")
_SEEKING = "startswith|endswith|[lr]?strip|count|r?index|r?find|removeprefix|removesuffix"
#: As the argument, or the second one of a tuple. What ``replace`` puts in its place is not sought.
_SOUGHT = re.compile(rf"\.(?:{_SEEKING})\(\(?(?:['\"][^'\"\\]{{0,4}}['\"], )?$|[=!]= ?$")
_DIVIDED = re.compile(r"\.r?split\($")
_COMPARED = re.compile(r" ?(?:[=!]=| in\b| not in\b)")
#: Methods of these names that are the text's own.
_OWN = re.compile(rf"\bdef[ \t]+(?:{_SEEKING}|r?split)\b|\b(?:{_SEEKING}|r?split)[ \t]*=(?!=)")


def only_sought(text: str) -> bool:
    """Whether each of them in the text is only compared with something, or looked for."""
    return (
        len(text) <= MAX_PARSED
        and not _OWN.search(text)
        and all(_is_sought(found, text) for found in _SIGN.finditer(text))
    )


def _is_sought(found: re.Match[str], text: str) -> bool:
    before = text[max(0, found.start() - _AROUND) : found.start()]
    if _SOUGHT.search(before) or _COMPARED.match(text, found.end()):
        return True
    return found["sign"] == "." and _DIVIDED.search(before) is not None
