"""Printers of paths and names: which, dirname, mktemp and so on."""

from __future__ import annotations

import re
from collections.abc import Callable

from guardtier.analyzers.shell.output import Output, as_output
from guardtier.analyzers.shell.variables import UNKNOWN


def which(args: list[str], stdin: Output | None) -> Output | None:
    names = [arg for arg in args if not arg.startswith("-")]
    return as_output(names[0] + "\n") if names and UNKNOWN not in names[0] else None


def command(args: list[str], stdin: Output | None) -> Output | None:
    return which(args, stdin) if args[:1] in (["-v"], ["-V"]) else None


def type_(args: list[str], stdin: Output | None) -> Output | None:
    return which(args, stdin) if args[:1] in (["-p"], ["-P"], ["-ap"]) else None


def fixed(text: str) -> Callable[[list[str], Output | None], Output | None]:
    return lambda args, stdin: as_output(text)


def for_args(given: str, text: str) -> Callable[[list[str], Output | None], Output | None]:
    """For what prints this when it is asked just so; which machine it is said of does not matter."""
    return lambda args, stdin: as_output(text) if args == [given] else None


def uname(args: list[str], stdin: Output | None) -> Output | None:
    """One name of the kernel or the machine; not ``-a`` and ``-n``, which tell one machine from another."""
    found = _UNAME.get(args[0] if args else "-s") if len(args) < 2 else None
    return None if found is None else as_output(found)


_UNAME = {"-s": "Linux", "-m": "x86_64", "-p": "x86_64", "-i": "x86_64", "-r": "6.1.0", "-o": "GNU/Linux"}


def dirname(args: list[str], stdin: Output | None) -> Output | None:
    head, slash, _ = args[-1].rstrip("/").rpartition("/") if args else ("", "", "")
    return as_output((head or "/") if slash else ".") if args else None


def basename(args: list[str], stdin: Output | None) -> Output | None:
    if not args:
        return None
    name = args[0].rstrip("/").rpartition("/")[2]
    return as_output(name.removesuffix(args[1]) if len(args) > 1 else name)


def same(args: list[str], stdin: Output | None) -> Output | None:
    names = [arg for arg in args if not arg.startswith("-")]
    return as_output(names[-1]) if names else None


def settings(*forms: str) -> Callable[[list[str], Output | None], Output | None]:
    """For what, so called, prints settings for the shell: ``eval "$(ssh-agent -s)"`` does no harm."""
    known = [form.split() for form in forms]

    def printer(args: list[str], stdin: Output | None) -> Output | None:
        return as_output("") if any(args[: len(form)] == form for form in known) else None

    return printer


def git(args: list[str], stdin: Output | None) -> Output | None:
    return as_output(".") if args[:2] == ["rev-parse", "--show-toplevel"] else None


def mktemp(args: list[str], stdin: Output | None) -> Output | None:
    template = next((arg for arg in args if "XXX" in arg), "tmp." + UNKNOWN)
    template = re.sub(r"X{3,}", UNKNOWN, template)
    return as_output(template if "/" in template else "/tmp/" + template)  # noqa: S108 - where mktemp makes it
