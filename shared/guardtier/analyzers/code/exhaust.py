"""Exhaustion: loops without an end that take more with every turn, and single values of many gigabytes."""

from __future__ import annotations

import ast
from itertools import islice

from guardtier.analyzers.code.fold import Folder
from guardtier.analyzers.code.names import Names
from guardtier.analyzers.code.source import Report
from guardtier.risk import SecurityRisk

LARGE = 1 << 33  #: characters or items that no honest value has

_LEAVING = (ast.Break, ast.Return, ast.Raise, ast.Yield, ast.YieldFrom, ast.Await)
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
_CLIENTS = frozenset(["requests", "httpx", "session", "client", "http"])
_REQUESTS = frozenset(["get", "post", "put", "head", "options", "request", "patch", "delete"])
_MESSAGE = "Takes more {what} with every turn of a loop that has no end (ATT&CK T1499.001)."
_MANY = 20_000  #: nodes of loops that are looked at


def rate_exhaustion(names: Names, folder: Folder, report: Report) -> None:
    for loop in names.endless:
        found = folder.value(loop.test).consts
        if (found and not any(found)) or not _takes(loop):
            continue
        span = report.span_of(loop)
        report.add(
            "python.exhaust.loop",
            SecurityRisk.HIGH,
            _MESSAGE.format(what="memory, disk, processes or connections"),
            span,
        )
    for product in names.products:
        sizes = [*folder.value(product.left).consts, *folder.value(product.right).consts]
        numbers = [size for size in sizes if isinstance(size, int)]
        if len(numbers) == 1 and numbers[0] >= LARGE and len(sizes) > 1:
            message = "Makes a value of many gigabytes (ATT&CK T1499.001)."
            report.add("python.exhaust.memory", SecurityRisk.HIGH, message, report.span_of(product))


def _takes(loop: ast.While) -> bool:
    """Whether it takes more at each turn, and nothing in it waits or leaves."""
    takes = False
    for node in islice(ast.walk(loop), _MANY):
        if isinstance(node, _LEAVING):
            return False
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            asks = _asks(node.func)
            if name in _WAITING and not asks:
                return False
            takes = takes or asks or name in _TAKING
        elif isinstance(node, ast.AugAssign):
            takes = takes or not isinstance(node.value, ast.Constant) or isinstance(node.value.value, str)
    return takes


def _asks(function: ast.expr) -> bool:
    """Whether it is a request: without a pause and without an end they flood a server."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.value.id in _CLIENTS and function.attr in _REQUESTS
    return (getattr(function, "attr", None) or getattr(function, "id", "")) in ("urlopen", "sendto")
