"""Where a path leads: its place (``data/places.toml``), which says how much harm an effect on it does."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import re2
from pydantic import BaseModel, ConfigDict

UNKNOWN_PART = "\x00"
_LONGEST = 4096  #: characters; no system opens a longer path, so its end says what it is about
_REMEMBERED = 512  #: characters; longer paths are looked up anew, so that the memory stays small

_HOME = re.compile(r"(?:/home/[^/]+|/Users/[^/]+|/root|/var/root|~[A-Za-z_][\w.-]*|\$\{?HOME\}?)(?=/|\Z)")
_PROC_ROOT = re.compile(r"/proc/(?:self|thread-self|\d+|\x00)/(?:root|cwd)(?=/|\Z)")
_GLOB_ONLY = re.compile(r"[*?.]*[*?][*?.]*|\.?\[!?\.?\]\*|\.?\{[,.*?]*\}")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
#: A relative path of these characters is in the workspace, unless a part of it is hidden or a key.
_PLAIN = re.compile(
    r"(?!.*(?:^|/)\.)[\w+,=@%-][\w+,=@%/ -]*(?:\.(?:py|txt|md|js|ts|rst|json|c|h|cfg|toml|sh|log))?"
)
_TELLING = (
    "hook",
    "id_",
    "custom",
    "secret",
    "keychain",
    "credential",
    "kube",
    "ntds",
    "cookies",
    "Login",
    "Library",
    "wallet",
    "Chrome",
    "BraveSoftware",
    "Edge",
    "token",
    "logins",
    "Firefox",
    "packages",
    "unattend",
    "service-account",
    "approvers",
    "-keys",
    "gcloud",
)


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    words: str
    paths: list[str]
    attack: str | None = None


class Place(NamedTuple):
    """A kind of target. ``words`` finish the sentence "Deletes …"."""

    name: str
    words: str
    attack: str | None = None


WORKSPACE = Place("workspace", "files in the workspace")
STDIN = Place("stdin", "what comes in by the pipe")
UNKNOWN = Place("unknown", "something that can't be told beforehand")


@lru_cache(maxsize=8192)
def _remembered(path: str) -> Place:
    return _look_up(path)


def place_of(path: str, cwd: str = "") -> Place:
    """The place of a path as a command would take it in that directory (empty: the workspace)."""
    if cwd and not path.startswith(("/", "~", "$")):
        path = f"{cwd}/{path}"
    return _remembered(path) if len(path) <= _REMEMBERED else _look_up(path[-_LONGEST:])


def _look_up(path: str) -> Place:
    if path == "-":
        return STDIN
    if _is_plain(path):
        return WORKSPACE
    path = normal(path)
    if not path:
        return WORKSPACE
    found = _places().find(path)
    if found is None and ".." in path:
        found = _climbed(path)
    if found is not None:
        return found
    return UNKNOWN if path.startswith(UNKNOWN_PART) else WORKSPACE


def _climbed(path: str) -> Place | None:
    """``../../etc/x``: above the workspace nobody knows, but ``etc/x`` is telling wherever it ends."""
    found = _places().find("/" + path.removeprefix("~/").replace("../", ""))
    return None if found is None or found.name in ("other", "toplevel", "workspace", "temp") else found


def _is_plain(path: str) -> bool:
    if _PLAIN.fullmatch(path) is None:
        return False
    for word in _TELLING:  # noqa: SIM110 - a generator would take twice as long
        if word in path:
            return False
    return True


def normal(path: str) -> str:
    """The path without detours: //, /./, .., a glob at its end, and every home as ``~``."""
    if len(path) > _LONGEST:
        path = path[-_LONGEST:]
    if path.startswith("file://"):
        path = path[7:]
    if path[1:2] == ":" and _DRIVE.match(path):
        path = _on_drive(path)
    if path[:1] == "~" and "/.." in path:
        path = f"/home/{path}"
    absolute = path.startswith("/")
    parts = _without_detours(path, absolute)
    while parts and parts[-1] and _GLOB_ONLY.fullmatch(parts[-1]):
        parts.pop()
    path = ("/" if absolute else "") + "/".join(parts)
    if path.startswith("/private/"):
        path = path[8:]
    if path.startswith("/proc/"):
        path = _PROC_ROOT.sub("", path, count=1) or "/"
    return _HOME.sub("~", path, count=1) if path[:1] in "/~$" and _HOME.match(path) else path


def _on_drive(path: str) -> str:
    """A path of Windows as Unix tools there spell it: ``C:\\Users\\x`` is ``/Users/x``, else ``/c/…``."""
    rest = path[2:].replace("\\", "/")
    return rest if rest.lower().lstrip("/").startswith("users/") else f"/{path[0].lower()}{rest}"


def _without_detours(path: str, absolute: bool) -> list[str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif not (part == ".." and absolute):
            parts.append(part)
    return parts


class _Places:
    """All patterns as one automaton; the lowest index that matches is the place."""

    def __init__(self, places: list[_Place]) -> None:
        self._named: list[Place] = []
        self._patterns: list[str] = []
        for place in places:
            for glob in place.paths:
                self._named.append(Place(place.name, place.words, place.attack))
                self._patterns.append(_regex_of(glob))
        options = re2.Options()
        options.max_mem = 64 << 20
        options.dot_nl = True
        self._set = re2.Set.FullMatchSet(options)
        for pattern in [*self._patterns, ".*"]:
            self._set.Add(pattern)
        self._set.Compile()

    def find(self, path: str) -> Place | None:
        raw = path.encode("utf-8", "replace")
        matched = self._set.Match(raw)
        if not matched:  # the last pattern matches anything, so the automaton ran out of memory
            matched = [
                at for at, pattern in enumerate(self._patterns) if re2.fullmatch(pattern.encode(), raw)
            ]
        first = min(matched, default=len(self._named))
        return self._named[first] if first < len(self._named) else None


def _regex_of(glob: str) -> str:
    """``*`` within a segment, ``**`` any; ``x/**`` is also x itself, ``**/x`` also x alone."""
    tail = glob.endswith("/**")
    head = glob.startswith("**/")
    body = glob[3 if head else 0 : -3 if tail else None]
    body = "[^/]*".join(".*".join(re2.escape(part) for part in piece.split("**")) for piece in _stars(body))
    return ("(?:.*/)?" if head else "") + body + ("(?:/.*)?" if tail else "")


def _stars(body: str) -> list[str]:
    return re.split(r"(?<!\*)\*(?!\*)", body)


@cache
def _places() -> _Places:
    text = files(__package__).joinpath("data/places.toml").read_text(encoding="utf-8")
    return _Places([_Place.model_validate(place) for place in tomllib.loads(text)["place"]])
