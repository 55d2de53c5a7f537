"""What one action does to what, in the terms of the effects (``effects/schema.py``), whatever its tool."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple

from guardtier.analyzers.effects.engine import Done
from guardtier.analyzers.effects.rate import risk_of, target_of
from guardtier.analyzers.effects.targets import UNKNOWN_PART, normal
from guardtier.analyzers.files import judged
from guardtier.analyzers.http import sends_data
from guardtier.analyzers.parts import MAX_PARTS
from guardtier.analyzers.view import View
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

#: Of one action, and the first of each effect on each place, so that nothing hides behind many others.
MAX_DEEDS: Final = 200
#: Files that one action fetches or runs: more than are kept of a conversation, so that it is full then.
MAX_FILES: Final = 520
_WITHOUT_ADDRESSES: Final = frozenset({"shell", "python", "sql", "file-write"})
_NET: Final = frozenset({"send", "receive"})
_FILES: Final = frozenset({"read", "collect", "write", "delete", "permissions", "ownership", "execute"})
_NOWHERE: Final = frozenset({"nothing", "stdin"})
#: A finding of the code analyzers names effect and place, its message the target.
OF_CODE = re.compile(r"(?:python|sql)\.([a-z_]+)\.([a-z_]+)")
_NAMES_TARGET = re.compile(r"(?:python|sql|shell)\.([a-z_]+)\.([a-z_]+)")
_TARGET = re.compile(r": ([^ ]+?)(?:\.? \(ATT&CK|\.(?: |$))")


class Deed(NamedTuple):
    """One effect on one target: a path without detours, or an address without user and query."""

    effect: str
    place: str
    target: str

    @property
    def key(self) -> str:
        """A name for it that tells nothing: two wordings of the same deed have the same."""
        return _hashed(f"{self.effect} {self.target}")

    @property
    def is_harm(self) -> bool:
        """Whether it is HIGH for where it is done."""
        return self.effect in _NET | _FILES and risk_of(self.effect, self.place) is SecurityRisk.HIGH


class Deeds(NamedTuple):
    """All that an action does, the files that it fetches, and those that it runs."""

    done: tuple[Deed, ...] = ()
    fetched: tuple[str, ...] = ()
    executed: tuple[str, ...] = ()
    more_executed: bool = False  #: it runs more files than these
    url_data: bool = False  #: an address that it asks for carries data
    cut: bool = False  #: it is too long, too deep or too much for all of it to be read


def deeds_of(view: View, findings: Sequence[Finding]) -> Deeds:
    """What the action does, as far as it can be told. ``findings`` are those of the other analyzers."""
    done = tuple(dict.fromkeys(_deeds(view, findings)))
    executed = tuple(dict.fromkeys(_executed(view)))
    return Deeds(
        tuple(_cleaned(deed) for deed in _most_telling(done)),
        tuple(islice(dict.fromkeys(_fetched(view, done)), MAX_FILES)),
        executed[:MAX_FILES],
        len(executed) > MAX_FILES,
        any(_carries_data(deed) for deed in done),
        _is_cut(view),
    )


def _is_cut(view: View) -> bool:
    return (
        any(script.cut for _, script in view.scripts)
        or len(view.shell_fields) > MAX_PARTS
        or len(view.files) > MAX_PARTS
        or (view.kind not in _WITHOUT_ADDRESSES and len(view.addresses) > MAX_PARTS)
    )


def _most_telling(done: tuple[Deed, ...]) -> tuple[Deed, ...]:
    if len(done) <= MAX_DEEDS:
        return done
    first = {(deed.effect, deed.place): deed for deed in reversed(done)}
    return tuple(islice(dict.fromkeys((*reversed(first.values()), *done)), max(MAX_DEEDS, len(first))))


def path_keys(path: str) -> tuple[str, ...]:
    """The names under which a fetched file is remembered, and looked for when it is run.

    By its whole path; and by its last part where one of the two paths is relative, since nobody knows
    in which directory the agent's shell stands.
    """
    name = path.rpartition("/")[2]
    return (_hashed(path), _hashed(f"{'abs' if _is_absolute(path) else 'rel'}:{name}"))


def run_keys(path: str) -> tuple[str, ...]:
    """:func:`path_keys` of the downloads that running this path runs."""
    name = path.rpartition("/")[2]
    other = "rel" if _is_absolute(path) else "abs"
    return (_hashed(path), _hashed(f"{other}:{name}"))


def _is_absolute(path: str) -> bool:
    return path[:1] in ("/", "~")


def _hashed(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _deeds(view: View, findings: Sequence[Finding]) -> Iterator[Deed]:
    for flow in view.flows:
        for done in flow.done:
            yield from _of_command(done)
    for use in view.files[:MAX_PARTS]:
        place = judged(use.use, use.path.text).id.rpartition(".")[2]
        yield Deed(use.use, "workspace" if place == "ci" else place, normal(use.path.text))
    if view.kind not in _WITHOUT_ADDRESSES:
        yield from _of_addresses(view)
    for finding in findings:
        if named := OF_CODE.fullmatch(finding.id):
            target = _TARGET.search(finding.message)
            yield Deed(named[1], named[2], normal(target[1]) if target else "")


def targets_in(findings: Sequence[Finding]) -> Iterator[str]:
    """The targets that findings name, those of commands which other code runs included."""
    for finding in findings:
        target = _TARGET.search(finding.message) if _NAMES_TARGET.fullmatch(finding.id) else None
        if target is not None:
            yield normal(target[1])


def _of_command(done: Done) -> Iterator[Deed]:
    for effect, words in done.effects.items():
        for word in words:
            place = target_of(effect, word.text, done.cwd).name
            if place not in _NOWHERE:
                yield Deed(effect, place, word.text if effect in _NET else _path(word.text, done.cwd))
        if not words and effect != "execute":
            yield Deed(effect, "", "")


def _of_addresses(view: View) -> Iterator[Deed]:
    urls = [field.text for field, _ in view.addresses[:MAX_PARTS]]
    effect = "send" if urls and sends_data(view) else "receive"
    for address in urls:
        yield Deed(effect, target_of(effect, address, "").name, address)


def _fetched(view: View, done: tuple[Deed, ...]) -> Iterator[str]:
    for flow in view.flows:
        yield from flow.fetched
    receives = any(deed.effect == "receive" for deed in done) or _fetches_by_code(view)
    if receives and not view.flows:
        for deed in done:
            if deed.effect == "write":
                yield deed.target
        if view.kind in ("http", "browser"):
            yield from (normal(field.text) for field in view.texts if field.key in _SAVED)


_SAVED = frozenset(
    {"output_path", "save_path", "destination", "dest", "dst", "output", "path", "file_path", "target"}
)
_FETCHING = ("urlretrieve", "requests", "httpx", "urlopen", "wget", "urllib")


def _fetches_by_code(view: View) -> bool:
    return any(word in part.text for part in view.code("python") for word in _FETCHING)


def _executed(view: View) -> Iterator[str]:
    for flow in view.flows:
        for done in flow.done:
            for word in done.effects.get("execute", ()):
                if word.text not in ("-", "") and UNKNOWN_PART not in word.text:
                    yield _path(word.text, done.cwd)


def _path(text: str, cwd: str) -> str:
    return normal(f"{cwd}/{text}" if cwd and text[:1] not in ("/", "~", "$") else text)


def _carries_data(deed: Deed) -> bool:
    return (
        deed.effect == "receive"
        and deed.place not in ("local", "nothing")
        and ("?" in deed.target or UNKNOWN_PART in deed.target)
    )


_URL_TAIL = re.compile(r"[?#].*", re.DOTALL)
_URL_USER = re.compile(r"^([A-Za-z][\w+.-]*://)?[^/@\s]*@")


def _cleaned(deed: Deed) -> Deed:
    """Addresses without what may be a password or a token."""
    if deed.effect not in _NET:
        return deed
    address = _URL_USER.sub(r"\1", _URL_TAIL.sub("", deed.target[:2000]))
    return deed._replace(target=address.removesuffix("/") or deed.place)
