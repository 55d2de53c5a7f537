"""Exhaustion: loops without an end that take more with every turn, and single values of many gigabytes."""

from __future__ import annotations

import ast
import builtins
import hashlib
import math
import re
from itertools import islice

from guardtier.analyzers.code.binding import called, key_of
from guardtier.analyzers.code.fold import Folder
from guardtier.analyzers.code.names import Names
from guardtier.analyzers.code.source import Report
from guardtier.risk import SecurityRisk

LARGE = 1 << 33  #: characters or items that no honest value has

_LEAVING = (ast.Break, ast.Return, ast.Raise, ast.Yield, ast.YieldFrom)
_TAKING = frozenset(
    [
        "append",
        "extend",
        "insert",
        "appendleft",
        "write",
        "Popen",
        "system",
        "run",
        "call",
        "fork",
        "Thread",
        "Process",
        "popen",
        "touch",
        "mkdir",
        "makedirs",
        "mkdtemp",
        "mkstemp",
        "NamedTemporaryFile",
        "symlink",
        "write_text",
        "write_bytes",
        "spawn",
        "startfile",
        "start",
    ]
)
#: Calls that wait for somebody, as the loop of a server or of a monitor does.
_WAITING = frozenset(
    [
        "accept",
        "recv",
        "recvfrom",
        "sleep",
        "input",
        "wait",
        "get",
        "read",
        "readline",
        "select",
        "poll",
        "join",
        "exit",
        "_exit",
        "acquire",
        "next",
        "quit",
        "handle_request",
        "get_nowait",
        "step",
    ]
)
_STREAMS = frozenset({"stderr", "stdout", "__stderr__", "__stdout__"})
#: What makes as much memory as it is told.
_MEMORY = frozenset({"bytearray", "bytes", "urandom", "token_bytes", "randbytes", "zeros", "ones", "empty"})
_CLIENTS = frozenset(["requests", "httpx", "session", "client", "http"])
_REQUESTS = frozenset(["get", "post", "put", "head", "options", "request", "patch", "delete"])
_LIBRARIES = ("requests.", "httpx.", "aiohttp.")
_MESSAGE = "Takes more {what} with every turn of a loop that has no end (ATT&CK T1499.001)."
_SHORT = 1000  #: nodes of a loop that only computes
_MANY = 20_000  #: nodes of loops that are looked at


#: What only computes, and neither waits nor ends.
_COMPUTING = frozenset(
    {*vars(builtins), *vars(math), *hashlib.algorithms_guaranteed}
    | {"update", "digest", "hexdigest", "randint", "random", "urandom", "randbytes", "dot", "perf_counter"}
) - {"input", "open", "next", "exit", "quit", "exec", "eval", "__import__", "breakpoint", "help"}
_SPAWNING = frozenset({"Popen", "run", "call", "system", "popen", "startfile", "check_call"})
_TASKS = frozenset({"create_task", "ensure_future"})
_AGAIN = re.compile(r"__file__|\bargv\b|\bcreate_task\b|\bensure_future\b")
_ITSELF = "itself, over and over"
#: What runs a function beside the rest; and what runs it for each of many.
_STARTING = frozenset({"Thread", "Process", "submit", "apply_async", "start_new_thread", "Timer"})
_SPREADING = frozenset({"map", "starmap", "imap", "imap_unordered", "map_async", "starmap_async"})
#: Of what is awaited, what waits for the answer to a request alone.
_PAUSING = frozenset({"sleep", "wait", "input", "select", "acquire"})
_ANSWERED = frozenset(
    {"aread", "aclose", "read", "text", "json", "release", "drain", "gather", "send", "sendto"}
)


def rate_exhaustion(names: Names, folder: Folder, report: Report) -> None:
    spinning = _rate_endless(names, folder, report)
    if _AGAIN.search(report.text):
        _rate_copies(names, folder, report)
    for loop in names.long:
        calls = [node for node in islice(ast.walk(loop), _MANY) if isinstance(node, ast.Call)]
        pauses = any(called(one) in _PAUSING for one in calls)
        if not pauses and any(_asks(one.func, folder) for one in calls):
            message = "Sends a server request after request, without a pause (ATT&CK T1499.002)."
            report.add("python.exhaust.loop", SecurityRisk.HIGH, message, report.span_of(loop))
    for product in names.products:
        sizes = [*folder.value(product.left).consts, *folder.value(product.right).consts]
        numbers = [size for size in sizes if isinstance(size, int)]
        if len(numbers) == 1 and numbers[0] >= LARGE and len(sizes) > 1:
            message = "Makes a value of many gigabytes (ATT&CK T1499.001)."
            report.add("python.exhaust.memory", SecurityRisk.HIGH, message, report.span_of(product))
    for site, name in names.handed:
        by = called(site.node)
        again = by in _STARTING and name == site.function
        if again or (name in spinning and (by in _SPREADING or (by in _STARTING and site.looped))):
            what = _ITSELF if again else "many loops that have no end and never wait"
            _add_processes(report, site.node, what)


def _rate_endless(names: Names, folder: Folder, report: Report) -> set[str]:
    """Loops that take more with every turn; the functions whose loops only compute."""
    spinning: set[str] = set()
    asking = _asking(names, folder) if names.endless else frozenset()
    for loop, function in names.endless:
        found = folder.value(loop.test).consts if isinstance(loop, ast.While) else ()
        if found and not any(found):
            continue
        if function and _spins(loop):
            spinning.add(function)
        if _takes(loop, folder, asking):
            message = _MESSAGE.format(what="memory, disk, processes or connections")
            report.add("python.exhaust.loop", SecurityRisk.HIGH, message, report.span_of(loop))
    return spinning


def _rate_copies(names: Names, folder: Folder, report: Report) -> None:
    """Its own file started in a loop, or by a function that a loop calls; a task that makes more of it."""
    loops = [loop for loop, _ in names.endless]
    inside = [
        node for loop in loops for node in islice(ast.walk(loop), _MANY) if isinstance(node, ast.Call)
    ]
    looping = {called(node) for node in inside}
    endless = {function for _, function in names.endless if function}
    for site in names.calls:
        if (site.looped or site.function in looping) and _starts_itself(site.node, folder):
            _add_processes(report, site.node, _ITSELF)
        elif site.function in endless and called(site.node) in _TASKS:
            made = called(site.node.args[0]) if site.node.args else ""
            if made == site.function:
                _add_processes(report, site.node, _ITSELF)


def _add_processes(report: Report, node: ast.Call, what: str) -> None:
    message = f"Starts {what} (ATT&CK T1499.001)."
    report.add("python.exhaust.processes", SecurityRisk.HIGH, message, report.span_of(node))


def _starts_itself(node: ast.Call, folder: Folder) -> bool:
    """``Popen([sys.executable, __file__])``: with an argument behind it, it may do something else there."""
    if called(node) not in _SPAWNING or not node.args:
        return False
    last = node.args[0]
    if isinstance(last, ast.List | ast.Tuple) and last.elts:
        last = last.elts[-1]
    elif isinstance(last, ast.JoinedStr) and last.values:
        last = last.values[-1]
    elif isinstance(last, ast.BinOp):
        last = last.right
    return "own" in folder.value(last).marks


def _spins(loop: ast.While | ast.For) -> bool:
    """Whether it computes without an end: nothing in it waits or leaves, and nobody else's code runs."""
    nodes = list(islice(ast.walk(loop), _SHORT))
    if len(nodes) == _SHORT:
        return False
    for node in nodes:
        if isinstance(node, (*_LEAVING, ast.Await)):
            return False
        if isinstance(node, ast.Call) and called(node) not in _COMPUTING:
            return False
    return True


def _asking(names: Names, folder: Folder) -> frozenset[str]:
    """Functions that ask a server for something, and do not pause."""
    asks = {site.function for site in names.calls if site.function and _asks(site.node.func, folder)}
    return frozenset(asks - {site.function for site in names.calls if called(site.node) in _PAUSING})


def _takes(loop: ast.While | ast.For, folder: Folder, asking: frozenset[str]) -> bool:
    """Whether it takes more at each turn, and nothing in it waits or leaves."""
    nodes = list(islice(ast.walk(loop), _MANY))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    floods = any(_asks(node.func, folder) for node in calls) or (bool(asking) and _hands_to(calls, asking))
    takes = floods
    for node in nodes:
        if isinstance(node, _LEAVING):
            return False
        if isinstance(node, ast.Await) and not (floods and called(node.value) in _ANSWERED | _REQUESTS):
            return False
        if isinstance(node, ast.Call):
            name = called(node)
            if name in _WAITING and not _goes_on(node, name, floods, folder):
                return False
            takes = takes or name in _TAKING or (name == "open" and _makes(node)) or _prints_to_file(node)
        elif isinstance(node, ast.AugAssign):
            takes = takes or not isinstance(node.value, ast.Constant) or isinstance(node.value.value, str)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            takes = (
                takes or _keeps(node.targets[0], node.value) or _grows(node.targets[0], node.value, folder)
            )
    return takes


def _prints_to_file(node: ast.Call) -> bool:
    """``print(…, file=f)``, where that is no stream of the process."""
    given = [one.value for one in node.keywords if one.arg == "file"]
    return called(node) == "print" and any(key_of(one).lstrip(".") not in _STREAMS for one in given)


def _keeps(target: ast.expr, value: ast.expr) -> bool:
    """``kept[i] = bytearray(…)``: one more piece of memory under another key."""
    if not isinstance(target, ast.Subscript) or isinstance(target.slice, ast.Constant | ast.Slice):
        return False
    repeated = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult)
    texts = repeated and any(
        isinstance(one, ast.List) or (isinstance(one, ast.Constant) and isinstance(one.value, str | bytes))
        for one in (value.left, value.right)  # type: ignore[attr-defined]
    )
    return texts or called(value) in _MEMORY


def _grows(target: ast.expr, value: ast.expr, folder: Folder) -> bool:
    """``x = x + x``, and ``x = x * 2`` of what is a list or a text."""
    name = key_of(target)
    if not name or not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add | ast.Mult):
        return False
    sides = [key_of(value.left), key_of(value.right)]
    if name not in sides:
        return False
    held = any(isinstance(const, str | bytes | tuple) for const in folder.value(target).consts)
    return sides == [name, name] or held


def _hands_to(calls: list[ast.Call], functions: frozenset[str]) -> bool:
    """Whether one of the functions is called, or handed on to what calls it."""
    return any(
        called(node) in functions or any(key_of(arg).lstrip(".") in functions for arg in node.args)
        for node in calls
    )


def _goes_on(node: ast.Call, name: str, floods: bool, folder: Folder) -> bool:
    """Whether it is a request, reads the answer to one, or is no more than named like what waits."""
    if name == "join":
        return _puts_together(node)
    return _asks(node.func, folder) or (floods and name == "read")


def _puts_together(node: ast.Call) -> bool:
    """Whether ``join`` is that of texts and paths; of threads it takes a number, if anything."""
    return bool(node.args) and not (
        isinstance(node.args[0], ast.Constant) and not isinstance(node.args[0].value, str)
    )


def _makes(node: ast.Call) -> bool:
    """Whether ``open`` makes a file."""
    modes = [*node.args[1:2], *[one.value for one in node.keywords if one.arg == "mode"]]
    return any(isinstance(one, ast.Constant) and set(str(one.value)) & set("wax") for one in modes)


def _asks(function: ast.expr, folder: Folder) -> bool:
    """Whether it is a request: without a pause and without an end they flood a server."""
    if isinstance(function, ast.Attribute) and function.attr in _REQUESTS:
        owner = function.value.id if isinstance(function.value, ast.Name) else ""
        return owner in _CLIENTS or folder.value(function).origin.startswith(_LIBRARIES)
    return key_of(function).lstrip(".") in ("urlopen", "sendto")
