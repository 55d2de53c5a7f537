"""Pieces: the words, assignments and redirects of one command, expanded."""

from __future__ import annotations

import re

from guardtier.analyzers.shell import spelling
from guardtier.analyzers.shell.model import Redirect, RedirectKind, Word
from guardtier.analyzers.shell.state import State
from guardtier.analyzers.shell.syntax import Quoting, Raw, RawRedirect, RawWord
from guardtier.analyzers.shell.variables import UNKNOWN
from guardtier.analyzers.shell.words import Expander

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\[(?>(?:[^\[\]]|\[[^\[\]]*\])*)\])?(\+?=)")  # x[${#x[@]}]=
_COMPARING = frozenset({"test", "["})
_TABS = re.compile(r"^\t+", re.MULTILINE)
_DESCRIPTOR = re.compile(r"\d+-?|-")
_KINDS: dict[str, RedirectKind] = {
    "<": "read", "<>": "write", ">": "write", ">|": "write", "&>": "write", ">>": "append", "&>>": "append",
    "<<": "heredoc", "<<-": "heredoc", "<<<": "herestring", "<&": "dup", ">&": "dup",
}  # fmt: skip


class Pieces:
    """Expands what commands are made of; says of words how they were spelt."""

    def __init__(self, state: State, expander: Expander) -> None:
        self.state = state
        self.expander = expander

    def words(self, raws: list[RawWord]) -> list[Word]:
        found: list[Word] = []
        expander = self.expander
        for raw in raws:
            if raw[2] < Quoting.MIXED:
                found.append(expander.simple(raw))
                continue
            expander.compared = bool(found) and found[0].text in _COMPARING
            more = expander.words(raw)
            if self.state.decoded:
                self._taint(raw, more)
            if expander.hidden or spelling.hides(expander.text[raw[0] : raw[1]], more, is_name=not found):
                self.state.obscured.append(expander.locate(raw[0], raw[1]))
            found += more
        return found if expander.ascii else [self._visible(word) for word in found]

    def _visible(self, word: Word) -> Word:
        found = spelling.visible(word)
        if found is None:
            return word
        self.state.obscured.append(word.span)
        return found

    def _taint(self, raw: RawWord, words: list[Word]) -> None:
        """Mark a word that holds what a substitution decoded."""
        text = " ".join([one.text for one in words])
        if any(part in text for part in self.state.decoded):
            span = self.expander.locate(raw.start, raw.end)
            self.state.decoded_words.add(span)
            self.state.obscured.append(span)

    def loop(self, raw: Raw) -> None:
        """``for x in a b``: x may be any of them."""
        values = [word.text for word in self.words(raw.words) if word.text not in ("in", "do")]
        self.state.variables.choose(raw.loop, values)

    def assignments(self, raw: Raw) -> tuple[tuple[str, Word], ...]:
        """What stands before the name of the command; the variables have it from now on.

        ``x=1 cmd`` sets it for later commands as well, which is more than the shell does, not less.
        """
        found: list[tuple[str, Word]] = []
        text = self.expander.text
        for word in raw.words:
            plain = word.quoting in (Quoting.BARE, Quoting.MIXED)
            match = _ASSIGNMENT.match(text, word.start, word.end) if plain else None
            if match is None:
                break
            if match[2] is not None:
                self.expander.inner_regions(*match.span(2))
            span = self.expander.locate(match.end(), word.end)
            is_array = self._is_array(match.end())
            value = self._array(match) if is_array else self._value(match, word, raw)
            found.append((match[1], Word(value, span, UNKNOWN not in value)))
        return tuple(found)

    def _is_array(self, start: int) -> bool:
        region = self.expander.regions.get(start)
        return region is not None and region.block is not None and self.expander.text[start] == "("

    def _array(self, match: re.Match[str]) -> str:
        block = self.expander.regions[match.end()].block
        assert block is not None  # noqa: S101 - asked before
        arrays = self.state.variables.arrays
        values = [one.text for raw in block.raws for one in self.words(raw.words)]
        arrays[match[1]] = (arrays.get(match[1], []) if match[3] == "+=" else []) + values
        self.state.variables.values.pop(match[1], None)
        return " ".join(values)

    def _value(self, match: re.Match[str], word: RawWord, raw: Raw) -> str:
        expander = self.expander
        expander.hidden = False
        value = expander.value(match.end(), word.end)
        if expander.hidden and not expander.sliced:
            self.state.obscured.append(expander.locate(word.start, word.end))
        if match[2] is None:
            self.state.variables.set(match[1], value, append=match[3] == "+=", maybe=raw.maybe)
        return value

    def redirect(self, raw: RawRedirect) -> Redirect:
        kind = _KINDS[raw.op]
        span = self.expander.locate(raw.start, raw.end)
        if kind == "heredoc":
            found = Redirect(kind, span, raw.fd, None, self._body(raw))
            if raw.body_start >= 0:
                self.state.bodies[id(found)] = self.expander.locate(raw.body_start, raw.body_end)
            return found
        if raw.target is None:
            return Redirect(kind, span, raw.fd)
        words = self.words([raw.target])
        if not words:
            words = [Word("", self.expander.locate(raw.target.start, raw.target.end))]
        body = " ".join([word.text for word in words]) + "\n" if kind == "herestring" else None
        if raw.op == ">&" and not _DESCRIPTOR.fullmatch(words[0].text):
            kind = "write"  # >&file is &>file
        return Redirect(kind, span, raw.fd, words[0], body)

    def _body(self, raw: RawRedirect) -> str | None:
        if raw.body_start < 0:
            return None
        expander = self.expander
        where = (raw.body_start, raw.body_end)
        body = expander.text[slice(*where)] if raw.verbatim else expander.body(*where)
        return _TABS.sub("", body) if raw.op == "<<-" else body
