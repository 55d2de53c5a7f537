"""Named: which values of a JSON value are secrets by what they are called, whatever they look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

from guardtier.analyzers.gate import joined

#: A field that is called like a secret. Its value alone says nothing to rules that look for "name = value".
_SECRET_NAME = re.compile(
    r"(?i)pass(?:word|wd|phrase|code)|secret|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|"
    r"(?:^|[_-]|[a-z])token$|credential|authorization|cookie|(?:^|[_-])pass$|[_-]pwd$"
)
#: Those below whose name whatever is one. A token can be a coin, and what is authorized has a name.
_HOLDING = re.compile(
    r"(?i)pass(?:word|wd|phrase|code)|secret|(?:api|access|auth|private)[_-]?key|credential|cookie|"
    r"(?:auth|access|refresh|api|session|bearer)[_-]?token$"
)
#: A number under such a name is one of a secret, unless the name counts something.
_ENDS_SECRET = re.compile(
    r"(?i)(?:pass(?:word|wd|phrase|code)?|pwd|secret|key|token|credential)s?(?:[_-]?(?:code|number|value))?$"
)
_COUNTS = re.compile(
    r"(?i:^(?:max|min|num|n|total|avg|mean|per|input|output|prompt|completion|next|last|stop|start|"
    r"eos|bos|pad|unk|sep|cls|mask))(?:[_-]|(?=[A-Z]))"
)
#: What the last word of a name says, in snake_case, kebab-case and camelCase.
_LAST = re.compile(
    r"(?:^|[_.-]|(?<=[a-z0-9])(?=[A-Z]))(?i:"
    # What is called so holds digits alone: a PIN, a code that is good once; what is on the back of a card.
    r"(?P<code>(?:pin|otp)s?(?:[_-]?(?:code|number))?)|(?P<card>cv[vc]2?s?(?:[_-]?code)?)|"
    # {"name": …, "value": …}, as containers, pipelines, clouds and HTTP write pairs.
    r"(?P<names>key|field|header|var|variable|param|parameter|property|option|setting|attribute|k|n)|"
    r"(?P<both>name)|(?P<value>values?|val|string|plaintext|content|default|data|v)|"
    # Says something of a secret, or where it is kept: secretKeyRef, passwordPolicy.
    r"(?P<tells>(?:ref|selector|names|id|arn|path|file|policy|rule|provider|store|manager|schema|type|ur[il]|"
    r"endpoint|rotation|reset|length|count|version|scope|required|enabled|status|metadata|info|"
    # In an object below a name: whose secret it is, where it belongs, of what kind; and what it counts.
    r"user|user[_-]?name|login|account|owner|email|host|host[_-]?name|server|database|db|db[_-]?name|port|"
    r"region|realm|domain|audience|issuer|namespace|description|title|label|annotation|comment|kind|format|"
    r"pattern|encoding|algorithm|alg|created|updated|expir\w{0,8}|rotated|valid|at|ttl|age|lifetime|timeout|"
    r"in|on|size|max|min|iat|exp|nbf)s?))$"
)
_LONGEST = 256  #: characters of a name that are looked at
_PLAIN_NAME = re.compile(r"[\w.:/-]{1,128}")  #: no text about a secret

SCHEME = re.compile(r"(?:Bearer|Basic|Token) +")
#: A word, or several as in a passphrase. Longer text is none, whatever its field is called.
_SECRET_VALUE = re.compile(r"\S{6,}|\S.{4,126}\S")
_FEWEST = 4  #: digits of a number that is a secret
_DIGITS = re.compile(r"\d{4,}")
#: What only says where the secret comes from.
_STANDS_IN = re.compile(r"\$\w+|\$?\{.*\}|\$\(.*\)|<.*>|\[.*\]")

#: A field of JSON in a text, whose quotes may be escaped.
_IN_JSON = re.compile(r'"([\w.-]{2,64})\\{0,3}"\s{0,20}:\s{0,20}\\{0,3}"([^"\\\s]{6,128})\\{0,3}"')
_NO_WORD = re.compile(r"\d|[A-Za-z][^A-Za-z\d./_:-]")
_REFERS = re.compile(r"\$[\w{(]|\{\{|[<(\[%{].*[>)\]%}]|redacted:|^\.{0,2}/|://")

#: In the JSON of an action, a key or a short text that is called like a secret, or a letter that is written
#: so that this would miss it. As a set, which is asked without the 5 µs of a search that says where.
_GATE = joined(
    [
        r"(?i)(?:pass(?:word|wd|phrase|code)|secret|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|"
        r'token|credential|authorization|cookie)[^"]{0,64}"\s*[:,}\]]'
        r'|(?:["._-](?:pin|otp|cv[vc]|pass|pwd)|(?-i:[a-z0-9]P)in|(?-i:[a-z0-9]O)tp|(?-i:[a-z0-9]C)v[vc])2?s?'
        r'(?:[_-]?(?:code|number))?"\s*[:,}\]]'
        r"|\\u00[2-7]"
    ]
)


class Says:
    """What the name of a field says of its value. Bits: operations on an enum's take a microsecond each."""

    SECRET: Final = 1  #: it is a secret
    NUMBER: Final = 2  #: also where it is a number
    CODE: Final = 4  #: where it is digits
    CARD: Final = 8  #: also where these are three
    HOLDS: Final = 16  #: everything in it is a secret, unless its own name tells what else it is
    TELLS: Final = 32  #: in such an object, it is none; beside a value, it names none
    NAMES: Final = 64  #: it is the name of a value beside it
    VALUE: Final = 128  #: it is the value of a name beside it


_NOTHING: Final = 0
_BY_LAST = {
    "code": Says.CODE | Says.HOLDS,
    "card": Says.CODE | Says.CARD | Says.HOLDS,
    "names": Says.NAMES,
    "both": Says.NAMES | Says.TELLS,
    "value": Says.VALUE,
    "tells": Says.TELLS,
}
_ANY_SECRET = Says.SECRET | Says.CODE


def said_by(name: str) -> int:
    """What this name of a field says; of a long one, what its end says."""
    return _said_by(name[-_LONGEST:])


@lru_cache(4096)
def _said_by(name: str) -> int:
    last = _LAST.search(name)
    says = _BY_LAST[last.lastgroup or ""] if last else _NOTHING
    if not _SECRET_NAME.search(name):
        return says
    says |= Says.SECRET
    if _HOLDING.search(name) and not says & Says.TELLS:
        says |= Says.HOLDS
    if _ENDS_SECRET.search(name) and not _COUNTS.search(name):
        says |= Says.NUMBER
    return says


def may_name(arguments: dict[str, Any], event: bytes | None = None) -> bool:
    """Whether a field of an action, whose JSON ``event`` is, may be called like a secret."""
    for key, value in arguments.items():
        if isinstance(value, dict | list):
            found: list[int] | None = _GATE.Match(orjson.dumps(arguments) if event is None else event)
            return found is None or len(found) > 1
        asks = _asks(key[-_LONGEST:])
        if asks and (asks > 1 or _named_by(value)):
            return True
    return False


@lru_cache(4096)
def _asks(name: str) -> int:
    """2: a secret's name; 1: it may stand beside one. Operations on flags would take longer."""
    says = said_by(name)
    return 2 if says & _ANY_SECRET else 1 if says & Says.NAMES else 0


def in_json(text: str) -> Iterator[tuple[int, int]]:
    """Where JSON in a text, as in a command or the body of a request, gives a secret away by its name.

    Only what is no word, and has no space: texts for people are full of ``"password": "Your password"``.
    """
    for found in _IN_JSON.finditer(text):
        if said_by(found[1]) & Says.SECRET and _NO_WORD.search(found[2]) and not _REFERS.search(found[2]):
            yield found.span(2)


def rebuilt(value: Any, clean: Iterator[str], by_name: Callable[[str], str]) -> Any:
    """The value with its strings replaced, a key before its value, and ``by_name`` for what is a secret by
    its name and was not found in another way.
    """
    return _rebuilt(value, clean, by_name, _NOTHING)


def _rebuilt(value: Any, clean: Iterator[str], by_name: Callable[[str], str], says: int) -> Any:
    if isinstance(value, str):
        text = next(clean)
        return by_name(value) if says and text == value and _is_secret(value, says) else text
    if isinstance(value, dict):
        return _object(value, clean, by_name, says)
    if isinstance(value, list):
        if not says & Says.HOLDS and _are_pairs(value):
            return [
                [next(clean), _rebuilt(child, clean, by_name, _named_by(name))] for name, child in value
            ]
        return [_rebuilt(child, clean, by_name, says) for child in value]
    if says and isinstance(value, int | float) and not isinstance(value, bool):
        return by_name(str(value)) if _is_number(value, says) else value
    return value


def _object(value: dict[str, Any], clean: Iterator[str], by_name: Callable[[str], str], says: int) -> Any:
    inside = says if says & Says.HOLDS else _NOTHING
    if inside & Says.SECRET:
        inside |= Says.NUMBER
    paired = _paired(value)
    found: dict[str, Any] = {}
    for key, child in value.items():
        shown = next(clean)
        while shown in found:
            shown += "'"
        own = said_by(key)
        if not own & _ANY_SECRET:
            if own & Says.VALUE and paired:
                own = paired
            else:
                own = _NOTHING if own & Says.TELLS else inside
        found[shown] = _rebuilt(child, clean, by_name, own)
    return found


def _paired(value: dict[str, Any]) -> int:
    """What the names in an object say of the values beside them."""
    says = _NOTHING
    if len(value) >= 2:
        for key, child in value.items():
            if type(child) is str and said_by(key) & Says.NAMES:
                says |= _named_by(child)
    return says


def _named_by(name: Any) -> int:
    """What a text says that is the name of something."""
    if type(name) is not str or not _PLAIN_NAME.fullmatch(name):
        return _NOTHING
    says = said_by(name)
    return says if says & _ANY_SECRET and not says & Says.TELLS else _NOTHING


def _are_pairs(value: list[Any]) -> bool:
    """Names and values, each pair a list of its own, as some write HTTP headers."""
    return bool(value) and all(type(one) is list and len(one) == 2 and type(one[0]) is str for one in value)


def _is_secret(value: str, says: int) -> bool:
    """Whether it may be one, where its name says so."""
    if says & Says.CODE and value.isdecimal() and _is_code(len(value), says):
        return True
    if not says & Says.SECRET:
        return False
    scheme = SCHEME.match(value)
    rest = value[scheme.end() :] if scheme else value
    if _STANDS_IN.fullmatch(rest):
        return False
    return bool(_SECRET_VALUE.fullmatch(rest) or (says & Says.NUMBER and _DIGITS.fullmatch(rest)))


def _is_number(value: float, says: int) -> bool:
    digits = sum(map(str.isdigit, str(value)))
    return digits >= _FEWEST if says & Says.NUMBER else _is_code(digits, says)


def _is_code(digits: int, says: int) -> bool:
    return bool(says & Says.CODE) and (_FEWEST <= digits <= 12 or (digits == 3 and bool(says & Says.CARD)))
