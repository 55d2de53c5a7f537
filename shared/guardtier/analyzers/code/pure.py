"""Functions and methods of Python's library that only compute: what they come to for constants.

Everything here is bounded: what a call could blow up (a format's width, a repetition, a compressed
bomb) is refused before it is computed.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import json
import lzma
import posixpath
import re
import string
import zlib
from collections.abc import Callable
from typing import Any

from guardtier.analyzers.code.value import HOLE, Const, Pairs, as_text

LIMIT = 1 << 18  #: characters of one result
_LARGE = 10_000  #: a number above it may be the width of a format
_WIDE = re.compile(r"\d{5}|\*|\{[^}]*\{")
_FIELD = re.compile(r"%(?:\([^)]*\))?[-#0 +]*[0-9.]*[a-zA-Z]")

#: What any of these raises for constants it can't take.
FAILURES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, EOFError,
            MemoryError, RecursionError, zlib.error, lzma.LZMAError)  # fmt: skip

Pure = Callable[..., Const]


def _joined(*parts: Any) -> str:
    return posixpath.join(*[as_text(part) or "" for part in parts])


def _inflate(data: Any, wbits: int = 15, *_: Any) -> bytes:
    return zlib.decompressobj(wbits).decompress(data, LIMIT)


def _decode(data: Any, encoding: str = "utf-8", errors: str = "strict") -> Const:
    name = encoding.lower().replace("-", "_")
    if name in {"zlib", "zip", "zlib_codec"}:
        return _inflate(data)
    if name in {"bz2", "bz2_codec"}:
        return bz2.BZ2Decompressor().decompress(data, LIMIT)
    if isinstance(data, str) and name in {"hex", "hex_codec", "base64", "base64_codec", "unicode_escape"}:
        data = data.encode()
    result: Const = codecs.decode(data, encoding, errors)
    return result


def _encode(data: Any, encoding: str = "utf-8", errors: str = "strict") -> Const:
    result: Const = codecs.encode(data, encoding, errors)  # rot13 is its own way back
    return result


def _chars(items: Any) -> bytes:
    if not isinstance(items, tuple):
        raise TypeError
    return bytes(items)


def _items(value: Any = ()) -> tuple[Const, ...]:
    return tuple(value)


def _text(value: Any = "", *encoding: str) -> str:
    return str(value, *encoding) if encoding else str(value)


def _path(*parts: Any) -> str:
    return posixpath.normpath(_joined(*parts)) if parts else "."


def _home(path: Any) -> str:
    return as_text(path) or ""  # the tilde is what places know


def _plain(value: Any) -> Const:
    """What a JSON text holds, as a constant."""
    if isinstance(value, dict):
        return Pairs(value, map(_plain, value.values()))
    if isinstance(value, list):
        return tuple(map(_plain, value))
    const: Const = value
    return const


def _parsed(text: Any, *_: Any) -> Const:
    if len(text) > LIMIT:
        raise ValueError
    return _plain(json.loads(text))


def _zipped(*items: Any) -> Const:
    return tuple(zip(*map(_listed, items), strict=False))


def _listed(items: Any) -> tuple[Const, ...]:
    return items.keys if isinstance(items, Pairs) else tuple(items)


def _sorted(items: tuple[Const, ...]) -> tuple[Const, ...]:
    texts = all(isinstance(item, str) for item in items) and HOLE not in items
    return tuple(sorted(items)) if texts else items  # type: ignore[type-var]


def _chained(*items: Any) -> Const:
    return tuple(one for each in items for one in _listed(each))


def _walk(top: Any = ".", *_: Any) -> Const:
    return ((posixpath.join(as_text(top) or "", HOLE), (HOLE,), (HOLE,)),)


FUNCTIONS: dict[str, Pure] = {
    "base64.b64decode": lambda data, *_: base64.b64decode(data),
    "base64.decodebytes": base64.decodebytes,
    "base64.standard_b64decode": base64.standard_b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.b32decode": lambda data, *_: base64.b32decode(data),
    "base64.b16decode": lambda data, *_: base64.b16decode(data),
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": lambda data, *_: base64.a85decode(data),
    "base64.b64encode": lambda data, *_: base64.b64encode(data),
    "binascii.unhexlify": lambda data, *_: binascii.unhexlify(data),
    "binascii.a2b_hex": lambda data, *_: binascii.unhexlify(data),
    "binascii.a2b_base64": binascii.a2b_base64,
    "bytes.fromhex": bytes.fromhex,
    "bytearray.fromhex": bytes.fromhex,
    "codecs.decode": _decode,
    "codecs.encode": _encode,
    "zlib.decompress": _inflate,
    "gzip.decompress": lambda data: _inflate(data, 31),
    "bz2.decompress": lambda data: bz2.BZ2Decompressor().decompress(data, LIMIT),
    "lzma.decompress": lambda data, *_: lzma.LZMADecompressor().decompress(data, LIMIT),
    "chr": chr,
    "ord": ord,
    "str": _text,
    "int": int,
    "bytes": lambda value=b"", *enc: value.encode(*enc) if isinstance(value, str) else _chars(value),
    "bytearray": lambda value=b"", *enc: value.encode(*enc) if isinstance(value, str) else _chars(value),
    "len": len,
    "list": _items,
    "tuple": _items,
    "reversed": lambda value: tuple(reversed(value)),
    "os.path.join": _joined,
    "posixpath.join": _joined,
    "os.path.expanduser": _home,
    "os.path.expandvars": _home,
    "os.path.abspath": _path,
    "os.path.realpath": _path,
    "os.path.normpath": _path,
    "os.path.dirname": posixpath.dirname,
    "os.path.basename": posixpath.basename,
    "os.fspath": _home,
    "os.fsencode": _home,
    "os.fsdecode": _home,
    "os.getcwd": lambda: ".",
    "pathlib.Path.cwd": lambda: ".",
    "pathlib.Path.home": lambda: "~",
    "tempfile.gettempdir": lambda: "/tmp",  # noqa: S108 - what it returns
    "tempfile.mkdtemp": lambda *_: f"/tmp/{HOLE}",  # noqa: S108
    "tempfile.mktemp": lambda *_: f"/tmp/{HOLE}",  # noqa: S108
    "glob.glob": lambda path, *_: (path,),
    "glob.iglob": lambda path, *_: (path,),
    "os.listdir": lambda *_: (HOLE,),
    "os.walk": _walk,
    "sorted": lambda items, *_: _sorted(_listed(items)),
    "set": _items,
    "frozenset": _items,
    "iter": lambda items, *_: _listed(items),
    "collections.deque": _items,
    "filter": lambda _, items: _listed(items),
    "zip": _zipped,
    "enumerate": lambda items, *_: tuple(enumerate(_listed(items))),
    "itertools.chain": _chained,
    "itertools.chain.from_iterable": lambda items: _chained(*items),
    "itertools.cycle": _items,
    "copy.copy": lambda value: value,
    "copy.deepcopy": lambda value: value,
    "json.loads": _parsed,
    "typing.cast": lambda _, value: value,
    "shlex.split": lambda text, *_: tuple(text.split()),
    "shlex.quote": lambda text: text,
    "shlex.join": " ".join,
    "shutil.which": lambda name, *_: name,
    "textwrap.dedent": lambda text: text,
    "ast.parse": lambda text, *_: as_text(text),
}

#: Values that are no calls. HOME is written as the tilde.
CONSTANTS: dict[str, Const] = {
    "os.sep": "/", "os.path.sep": "/", "os.linesep": "\n", "os.pathsep": ":", "os.curdir": ".",
    "os.pardir": "..", "os.devnull": "/dev/null", "sys.executable": "python3", "string.ascii_letters":
    string.ascii_letters, "string.ascii_lowercase": string.ascii_lowercase, "string.ascii_uppercase":
    string.ascii_uppercase, "string.digits": string.digits, "string.printable": string.printable,
    "string.punctuation": string.punctuation,
}  # fmt: skip

_TEMP = "/tmp"  # noqa: S108 - what they hold

#: What variables of the environment hold on any machine, in the terms of the places.
VARIABLES: dict[Const, str] = {
    "HOME": "~", "USERPROFILE": "~", "APPDATA": "~/AppData/Roaming", "LOCALAPPDATA": "~/AppData/Local",
    "XDG_CONFIG_HOME": "~/.config", "XDG_DATA_HOME": "~/.local/share", "SYSTEMROOT": "C:/Windows",
    "SystemRoot": "C:/Windows", "windir": "C:/Windows", "WINDIR": "C:/Windows", "TMPDIR": _TEMP,
    "TEMP": _TEMP, "TMP": _TEMP, "PROGRAMDATA": "C:/ProgramData", "ProgramData": "C:/ProgramData",
}  # fmt: skip

#: Results that were hidden in what they were made of.
DECODERS = frozenset(
    name
    for name in FUNCTIONS
    if "hex" in name
    or name.partition(".")[0] in {"base64", "binascii", "zlib", "gzip", "bz2", "lzma", "codecs"}
) - {"base64.b64encode"}


def _join(sep: Any, items: Any) -> Const:
    if sum(map(len, items)) + len(sep) * len(items) > LIMIT:
        raise ValueError
    result: Const = sep.join(items)
    return result


def _replace(text: Any, old: Any, new: Any, *count: int) -> Const:
    if len(text) + text.count(old) * len(new) > LIMIT:
        raise ValueError
    result: Const = text.replace(old, new, *count)
    return result


def _format(text: str, *args: Any) -> str:
    if _WIDE.search(text) or any(isinstance(arg, int) and abs(arg) > _LARGE for arg in args):
        raise ValueError
    if len(text) * max([8, *(len(arg) for arg in args if isinstance(arg, str | bytes))]) > LIMIT:
        raise ValueError
    return text.format(*args)


def percent(text: Any, args: Any) -> Const:
    """``text % args``, with holes where an argument does not fit."""
    if _WIDE.search(as_text(text) or ""):
        raise ValueError
    given = args if isinstance(args, tuple) else (args,)
    if any(isinstance(arg, int) and abs(arg) > 1 << 62 for arg in given):
        raise ValueError
    try:
        result: Const = text % args
    except TypeError:
        result = _FIELD.sub(HOLE, as_text(text) or "")
    return result


METHODS: dict[str, Pure] = {
    "join": _join,
    "replace": _replace,
    "format": _format,
    "decode": _decode,
    "encode": lambda text, *args: text.encode(*args),
    "strip": lambda text, *chars: text.strip(*chars),
    "rstrip": lambda text, *chars: text.rstrip(*chars),
    "lstrip": lambda text, *chars: text.lstrip(*chars),
    "removeprefix": lambda text, part: text.removeprefix(part),
    "removesuffix": lambda text, part: text.removesuffix(part),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "capitalize": lambda text: text.capitalize(),
    "swapcase": lambda text: text.swapcase(),
    "split": lambda text, *args: tuple(text.split(*args)),
    "splitlines": lambda text, *args: tuple(text.splitlines(*args)),
    "tobytes": lambda data: data,
    "hex": lambda data: data.hex(),
    "copy": lambda value: value,
    "items": lambda pairs: tuple(zip(pairs.keys, pairs, strict=False)),
    "keys": lambda pairs: pairs.keys,
    "values": lambda pairs: tuple(pairs) if isinstance(pairs, Pairs) else pairs.values,
}

#: Methods of pathlib's paths that give a path again, on the path as text.
PATH_METHODS: dict[str, Pure] = {
    "joinpath": _joined,
    "expanduser": _home,
    "resolve": _home,
    "absolute": _home,
    "as_posix": _home,
    "with_name": lambda path, name: posixpath.join(posixpath.dirname(path), name),
    "with_suffix": lambda path, suffix: posixpath.splitext(path)[0] + suffix,
    "glob": lambda path, *parts: (_joined(path, *parts),),
    "rglob": lambda path, *parts: (_joined(path, HOLE, *parts),),
    "iterdir": lambda path: (posixpath.join(path, HOLE),),
}
