"""Redactor: a JSON value without its secrets, for whatever leaves the house."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import re2

from guardtier.analyzers.text.fields import Text
from guardtier.analyzers.text.gitleaks import SecretRules
from guardtier.analyzers.text.named import SCHEME, in_json, rebuilt
from guardtier.analyzers.text.parts import Parts
from guardtier.analyzers.text.secrets import REDACTED, package_rules, secret_rules

#: Secrets in one value. Each takes up to a millisecond to place, in text that is not ASCII.
MOST_SECRETS = 200

#: A private key as a file has it, or with its line ends escaped. Only what looks like base64 is taken out,
#: so that a header can't hide the command that stands behind it. By RE2: Python's own took 1.6 s for a
#: text of headers.
_KEY_BLOCK = re2.compile(
    rb"(-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:(?:\\[nr]|\s)*(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]{0,80})*"
    rb"(?:(?:\\[nr]|[\s\"',])*[A-Za-z0-9+/=]{16,})+)"
    rb"(?:((?:\\[nr]|[\s\"',])*[A-Za-z0-9+/=]{1,15})(?:\\[nr]|[\s\"',])*-----END)?"
)
KEY_HEADER = re.compile(r"-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY")
#: A line of it, where each stands in a string of its own.
_KEY_LINE = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
#: What a shell or code would act on. Where a secret seems to hold some, that much of it stays to be seen,
#: and what a shell would run: a password of ``a$(reboot)b`` must not hide from an approver what runs.
_ACTIVE = re.compile(r"[\s$`;|&()<>\"'\\{}]")
_ACTIVE_IN_WORDS = re.compile(r"[^\S ]|[$`;|&()<>\"'\\{}]")
_BETWEEN_ACTIVE = re.compile(r"[^\s$`;|&()<>\"'\\{}]{4,}")
#: Where rules see the end of a secret: of a key's line, of a password in an address, of any other.
_ENDS = (re.compile(r"[^A-Za-z0-9+/=]"), re.compile(r"[/?#@:\"'`<>]"), re.compile(r"[^\w./+=-]"), _ACTIVE)
_LINE_ALONE = re.compile(r"[A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2}")  #: a key's line; no path begins like that
_BY_NAME = "by_name"  #: the rule of what a field is called

#: What stands in place of a secret: called with the id of its rule, and the secret.
Mark = Callable[[str, str], str]
#: What tells the programs that a shell would run by the texts: see :func:`pieces_of`.
Programs = Callable[[], Collection[str]]


class TooManySecrets(ValueError):
    """The value holds more than :data:`MOST_SECRETS`, or what looks like them."""


class Cut(NamedTuple):
    """A part of a string that is replaced, by its characters, and what stands there instead."""

    start: int
    end: int
    mark: str


_NO_CUTS: list[Cut] = []


class Redactor:
    """Puts ``[redacted RULE]`` in place of every secret that the rules of ``secrets`` know.

    ``file`` is a user's own rules in gitleaks' format, on top of the package's. What is encoded (base64,
    hex) is not seen through, and neither is a secret of a form that no rule knows.
    """

    def __init__(
        self,
        file: str | Path | None = None,
        *,
        rules: SecretRules | None = None,
        mark: Mark | None = None,
        programs: Programs = tuple,
    ) -> None:
        """``mark``: what stands in place of a secret that is not to be kept, and of what looks like such a
        mark; without it, those that are there stay. ``programs`` stay to be seen, also where a secret with
        something that a shell acts on seems to hold their names; it is asked where there is one.
        """
        self._rules = rules or (secret_rules(file) if file is not None else package_rules())
        self._mark = mark
        self._programs = programs

    def __call__(self, value: Any, seen: dict[str, list[Cut]] | None = None) -> Any:
        """The same JSON value with secrets taken out of its strings, keys included.

        ``seen`` is given what was cut out of each string. Raises TooManySecrets.
        """
        strings: list[str] = []
        _collect(value, strings)
        cuts = self.cuts(strings) if strings else []
        if seen is not None:
            seen.update(zip(strings, cuts, strict=True))
        return rebuilt(value, map(cut_out, strings, cuts), self._named)

    def texts(self, strings: list[str]) -> list[str]:
        """These strings without secrets. Raises TooManySecrets."""
        return [cut_out(string, cuts) for string, cuts in zip(strings, self.cuts(strings), strict=True)]

    def cuts(self, strings: list[str]) -> list[list[Cut]]:
        """What is replaced in each of these strings, in order. Raises TooManySecrets."""
        spans: dict[int, list[tuple[int, int, str]]] = {}
        text = Text(strings, _no_paths)
        for count, match in enumerate(self._rules.every(text)):
            if count == MOST_SECRETS:
                raise TooManySecrets(f"holds more than {MOST_SECRETS} secrets")
            if self._mark is not None or match.rule.id != REDACTED:
                spans.setdefault(match.part, []).append((match.start, match.end, match.rule.id))
        if KEY_HEADER.search(text.raw):
            for index, string in enumerate(strings):
                spans.setdefault(index, []).extend((*span, "private_key") for span in _of_keys(string))
        for index, string in enumerate(strings):
            if '"' in string:
                spans.setdefault(index, []).extend((*span, _BY_NAME) for span in in_json(string))
        cuts: list[list[Cut]] = [_NO_CUTS] * len(strings)
        for index, found in spans.items():
            cuts[index] = list(self._cuts(strings[index], found))
        return cuts

    def _cuts(self, string: str, spans: list[tuple[int, int, str]]) -> Iterator[Cut]:
        """One for each span; spans that overlap are one."""
        done = 0
        for start, end, rule in sorted(
            spans, key=lambda span: span[0]
        ):  # of several rules, the first counts
            if start >= done and end > start:
                yield from self._marked(start, string[start:end], rule)
            elif end > done:  # its end stands out behind the one before
                yield from self._marked(done, string[done:end], rule)
            done = max(done, end)

    def _marked(self, at: int, secret: str, rule: str) -> Iterator[Cut]:
        if self._mark is None:
            yield Cut(at, at + len(secret), f"[redacted {rule}]")
        elif self._is_one(rule, secret):
            yield Cut(at, at + len(secret), self._mark(rule, secret))
        else:
            for run in _BETWEEN_ACTIVE.finditer(secret):
                if not self._is_program(run[0]):
                    yield Cut(at + run.start(), at + run.end(), self._mark(rule, run[0]))

    def _is_one(self, rule: str, secret: str) -> bool:
        """Whether one mark stands for all of it: nothing that a shell would act on is hidden by that."""
        if rule == "private_key":  # its lines are data, unless a shell would run one
            return not any(map(self._is_program, _ACTIVE.split(secret)))
        return not (_ACTIVE_IN_WORDS if rule == _BY_NAME else _ACTIVE).search(secret)

    def _is_program(self, word: str) -> bool:
        """Whether it is a program's name, or a piece of one; what can only be a line of a key is none."""
        if not word or word.startswith("-----") or _LINE_ALONE.fullmatch(word):
            return False
        return word in self._programs()

    def _named(self, value: str) -> str:
        """The value of a field that is called like a secret."""
        if self._mark is None:
            return "[redacted by its name]"
        scheme = SCHEME.match(value)
        start = scheme.end() if scheme else 0
        return cut_out(value, list(self._marked(start, value[start:], _BY_NAME)))


def pieces_of(names: Iterable[str]) -> frozenset[str]:
    """Names of programs, and the pieces of them that a rule may take for a secret, or for its end."""
    found: set[str] = set()
    for name in names:
        found.add(name)
        for ends in _ENDS:
            found.update(ends.split(name))
    return frozenset(found)


def _of_keys(string: str) -> Iterator[tuple[int, int]]:
    """Where private keys stand, in characters."""
    data = string.encode("utf-8", "replace")
    for match in _KEY_BLOCK.finditer(data):
        start, end = match.start(1), max(match.end(1), match.end(2))
        first = len(data[:start].decode())
        yield first, first + len(data[start:end].decode())
    for line in _KEY_LINE.finditer(string):
        yield line.span()


def _no_paths() -> Parts:
    raise AssertionError("redaction asks for no paths")


def cut_out(string: str, cuts: list[Cut]) -> str:
    """The string with what stands instead of each of these, which are in order."""
    if not cuts:
        return string
    pieces, done = [], 0
    for cut in cuts:
        pieces += [string[done : cut.start], cut.mark]
        done = cut.end
    return "".join(pieces) + string[done:]


def _collect(value: Any, strings: list[str]) -> None:
    """Every string, a key before its value."""
    if isinstance(value, str):
        strings.append(value)
    elif isinstance(value, dict):
        for key, child in value.items():
            strings.append(key)
            _collect(child, strings)
    elif isinstance(value, list):
        for child in value:
            _collect(child, strings)
