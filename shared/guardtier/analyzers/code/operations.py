"""What operators, attributes and items of folded values come to; and one name for what has several."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Sequence

from guardtier.analyzers.code import pure
from guardtier.analyzers.code.harm import is_secret
from guardtier.analyzers.code.value import HOLE, NOTHING, Const, Value, as_text, named

MAX_ITEMS = 4096  #: of a list that is gone through one by one
PATH = "pathlib.Path"
COMPUTED = "computed"  #: the origin of what is reached by a name that can't be told

BUILTINS = frozenset({*dir(builtins), "__builtins__", "execfile", "unicode", "raw_input"})
NAMESPACES = {"globals()", "__builtins__", "builtins", "sys.modules"}
IMPORTERS = {
    "__import__", "importlib.import_module", "importlib.__import__", "builtins.__import__",
    "pydoc.locate", "pkgutil.resolve_name",
}  # fmt: skip

#: What others send: the requests that a server is asked to answer.
SENT = frozenset({"flask.request", "bottle.request", "sanic.request"})

#: Modules under another name.
SAME = {
    "posix": "os", "nt": "os", "posixpath": "os.path", "ntpath": "os.path", "_socket": "socket",
    "commands": "subprocess", "_posixsubprocess": "subprocess", "cPickle": "pickle", "_pickle": "pickle",
    "cloudpickle": "pickle", "io.open": "open", "codecs.open": "open", "pathlib.PosixPath": PATH,
    "anyio.Path": PATH, "aiopath.AsyncPath": PATH, "trio.Path": PATH, "path.Path": PATH,
    "subprocess32": "subprocess",
    "urllib2": "urllib.request", "httplib": "http.client", "__builtin__": "builtins",
    "requests.api.get": "requests.get", "requests.api.post": "requests.post",
    "requests.api.put": "requests.put", "requests.api.patch": "requests.patch",
    "requests.api.delete": "requests.delete", "requests.api.request": "requests.request",
    "requests.sessions.Session": "requests.Session", "requests.sessions.session": "requests.session",
    "aiohttp.client.ClientSession": "aiohttp.ClientSession",
    "asyncio.subprocess.create_subprocess_shell": "asyncio.create_subprocess_shell",
    "asyncio.subprocess.create_subprocess_exec": "asyncio.create_subprocess_exec",
}  # fmt: skip


#: What notebooks and consoles have imported in an earlier cell, by the names that everybody gives it.
FAMILIAR = {
    "Path": PATH, "rmtree": "shutil.rmtree", "Popen": "subprocess.Popen",
    "check_output": "subprocess.check_output", "check_call": "subprocess.check_call",
    "getoutput": "subprocess.getoutput", "system": "os.system", "popen": "os.popen", "unlink": "os.unlink",
    "removedirs": "os.removedirs", "urlopen": "urllib.request.urlopen",
    "urlretrieve": "urllib.request.urlretrieve", "get_ipython": "IPython.get_ipython",
}  # fmt: skip


_HEADS = frozenset({"builtins", "__builtins__", *(dotted.partition(".")[0] for dotted in SAME)})


def canonical(dotted: str) -> str:
    """The dotted name that the tables have, for one that means the same."""
    if dotted.partition(".")[0] not in _HEADS:
        return dotted
    if dotted.startswith(("builtins.", "__builtins__.", "__builtin__.")):
        return dotted.partition(".")[2]
    if dotted in SAME:
        return SAME[dotted]
    head, dot, rest = dotted.partition(".")
    return f"{SAME[head]}.{rest}" if dot and head in SAME else dotted


_CONSTANTS = frozenset({str, bytes, int, bool, float, type(None)})


def constant(node: ast.Constant) -> Value:
    value = node.value
    return Value((value,), True) if type(value) in _CONSTANTS else NOTHING  # type: ignore[arg-type]


def imported(name: str, node: ast.Call, module: str) -> str:
    """``__import__("a.b")`` is ``a``, ``import_module("a.b")`` is ``a.b``."""
    plain = name.endswith("__import__") and len(node.args) < 4 and not node.keywords
    return module.partition(".")[0] if plain else module.replace(":", ".")


def attribute_of(base: Value, attribute: str) -> Value:
    return named(canonical(f"{base.origin}.{attribute}" if base.origin else f"*.{attribute}"))


def path_attribute(base: Value, attribute: str) -> Value:
    if attribute == "parent":
        consts = [pure.FUNCTIONS["os.path.dirname"](text) for text in base.texts]
        return as_path(Value(tuple(consts), base.whole, base.marks - {"own"}))
    if attribute in {"name", "stem", "suffix"}:
        return Value(tuple(text.rpartition("/")[2] for text in base.texts), base.whole, base.marks)
    return Value((), False, base.marks, f"{PATH}.{attribute}")


def as_path(value: Value) -> Value:
    """A path, or several."""
    consts = tuple(text if (text := as_text(one)) is not None else one for one in value.consts)
    return Value(consts, value.whole, value.marks, PATH, True)


def secret(value: Value) -> bool:
    return any(is_secret(text) for text in value.texts)


_SECRET = re.compile(r"(?i)secret|token|passw|(?:api|access|private|_)_?key|credential")
_KEY = Value(marks=frozenset({"key"}))


def secret_variable(name: Value) -> Value:
    """A variable of the environment, of which nothing is known but how it is called."""
    return _KEY if any(map(_SECRET.search, name.texts)) else NOTHING


def unusual(args: list[Value]) -> bool:
    """Whether ``decode`` undoes more than the encoding of characters."""
    return any("hex" in text or "base64" in text or "rot" in text or "zip" in text
               for arg in args for text in arg.texts)  # fmt: skip


def shown(part: Const) -> str:
    if isinstance(part, bytes):
        return part.decode("utf-8", "replace")
    return str(part)


def choices(value: Value, holes: bool) -> Sequence[Const]:
    if value.whole or not holes:
        return value.consts
    return (*value.consts, HOLE)


def added(*parts: Const) -> Const:
    kinds = {type(part) for part in parts}
    if kinds == {str}:
        return "".join(map(str, parts))
    if kinds == {int}:
        return sum(part for part in parts if isinstance(part, int))
    if kinds <= {bytes, str}:
        return b"".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
    if tuple in kinds:
        return tuple(one for part in parts for one in (part if isinstance(part, tuple) else (HOLE,)))
    raise TypeError


def times(left: Const, right: Const) -> Const:
    if isinstance(left, int) and isinstance(right, int):
        if max(left.bit_length(), right.bit_length()) > 64:
            raise ValueError
        return left * right
    if isinstance(left, int):
        left, right = right, left
    if (
        not isinstance(right, int)
        or not isinstance(left, str | bytes | tuple)
        or len(left) * right > pure.LIMIT
    ):
        raise ValueError
    return left * right


def minus(left: Const, right: Const) -> Const:
    return left - right  # type: ignore[operator]


def xor(left: Const, right: Const) -> Const:
    return left ^ right  # type: ignore[operator]


def bits_of_both(left: Const, right: Const) -> Const:
    """Of flags of which some can't be told, the others are set all the same."""
    if HOLE in (left, right):
        left, right = (right, right) if left == HOLE else (left, left)
    return left | right  # type: ignore[operator]


def shifted(left: Const, right: Const) -> Const:
    if not isinstance(left, int) or not isinstance(right, int) or not 0 <= right <= 64:
        raise ValueError
    return times(left, 1 << right)


def power(left: Const, right: Const) -> Const:
    if (
        not isinstance(left, int)
        or not isinstance(right, int)
        or not 0 <= right <= 64
        or left.bit_length() > 64
    ):
        raise ValueError
    return int(left**right)


OPERATIONS: dict[type, Callable[..., Const]] = {
    ast.Mod: lambda left, right: (
        pure.percent(left, right) if isinstance(left, str | bytes) else left % right
    ),
    ast.Mult: times,
    ast.Sub: minus,
    ast.BitXor: xor,
    ast.BitOr: bits_of_both,
    ast.BitAnd: lambda left, right: left & right,
    ast.LShift: shifted,
    ast.Pow: power,
}
