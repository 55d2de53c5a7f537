"""Spellings that only serve to hide a word: ``r''m``, ``r\\m``, ``/e"tc"/passwd``."""

from __future__ import annotations

import re
from dataclasses import replace

from guardtier.analyzers.shell.model import Word

#: Characters that are not seen: soft hyphen, joiners, marks of direction, variation selectors, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)
LONGEST = 4_000  #: characters of a word's source; its text is looked at whatever its length
_EMPTY = re.compile(r"""(?<=[A-Za-z0-9_/.\-])(?:''|"")(?=[A-Za-z0-9_/.\-])|\A(?:''|"")(?=[A-Za-z/])""")
_EMPTY_END = re.compile(r"""(?<=[A-Za-z])(?:''|"")\Z""")
_INNER = re.compile(
    r"""[A-Za-z0-9](?:'[A-Za-z0-9./_-]+'|"[A-Za-z0-9./_-]+")|(?:'[A-Za-z0-9_]+'|"[A-Za-z0-9_]+")[A-Za-z0-9]"""
)
_ESCAPED = re.compile(r"(?<=[A-Za-z0-9_/])\\(?:\r?\n(?=[A-Za-z0-9])|[a-mo-z])")
_PATH = re.compile(r"(?:~|/)[\w./~*?-]*\Z")
_OPTION = re.compile(r"--?[A-Za-z-]+\Z")
_PLAIN = re.compile(r"[\w./~+-]+\Z")
_TWO_VARIABLES = re.compile(r"(?:\$\w+|\$\{\w+\}){2}")

_PRINTED = re.compile(
    r"(?:\$\(|`)(?!\s*(?:command|which|type|pwd|dirname|git|realpath|readlink|brew|uname|arch|dpkg)\b)"
)


def hides(source: str, words: list[Word], *, is_name: bool) -> bool:
    """True where a word is spelt so that its own text can't be found. Ordinary quoting is not."""
    if not words or len(source) > LONGEST:
        return False
    if is_name:
        return bool(_PLAIN.match(words[0].text)) and _hides_name(source, words)
    if "IFS" in source and len(words) > 1:
        return True
    if _PATH.match(words[0].text):
        return any(pattern.search(source) for pattern in (_EMPTY, _INNER, _ESCAPED))
    return bool(_OPTION.match(words[0].text) and _EMPTY.search(source))


def _hides_name(source: str, words: list[Word]) -> bool:
    if "{" in source and "," in source and "$" not in source:
        return len(words) > 1
    if "IFS" in source or _TWO_VARIABLES.search(source) or (_PRINTED.search(source) and words[0].known):
        return True
    inner = source[1:] if source[0] == "\\" else source  # \rm: the one that is no alias
    return any(pattern.search(inner) for pattern in (_EMPTY, _EMPTY_END, _INNER, _ESCAPED))


def visible(word: Word) -> Word | None:
    """The word without characters that are not seen, where they hide what it is; None where none do."""
    if word.text.isascii():
        return None
    text = _INVISIBLE.sub("", word.text)
    return replace(word, text=text) if text != word.text and _PLAIN.match(text) else None
