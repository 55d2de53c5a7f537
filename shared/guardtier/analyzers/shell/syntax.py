"""What the parser makes of a text: blocks of raw commands, whose words are still source text."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

#: No person and no agent writes more tokens; the rest is scanned. (A token costs 3 to 6 µs in all.)
TOKENS = 5_000
SCANNED = 1_500  #: different commands that scans may find; what is beyond is cut


class Quoting(IntEnum):
    """How much work a word is: the first three are their own text, without or within quotes."""

    BARE = 0
    SINGLE = 1
    DOUBLE = 2
    MIXED = 3


class RawWord(NamedTuple):
    start: int
    end: int
    quoting: int


class RawRedirect:
    """``>file`` and its kin; for a here-document also where its body stands."""

    __slots__ = ("body_end", "body_start", "end", "fd", "op", "start", "target", "verbatim")

    def __init__(self, op: str, fd: int | None, start: int, end: int) -> None:
        self.op = op
        self.fd = fd
        self.start = start
        self.end = end
        self.target: RawWord | None = None
        self.body_start = -1  # -1: not (yet) a here-document with a body
        self.body_end = -1
        self.verbatim = False  # the delimiter was quoted: nothing in the body is expanded


class Raw:
    """One simple command as it was written. ``feeds`` is the range of commands that are piped into it."""

    __slots__ = ("each", "end", "feeds", "function", "loop", "maybe", "redirects", "start", "words")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.words: list[RawWord] = []
        self.redirects: list[RawRedirect] = []
        self.feeds: tuple[int, int] | None = None
        self.each = False
        self.maybe = False  # in a branch that may not be taken
        self.function = ""  # the name, where a function ends here and words hold the range of its commands
        self.loop = ""  # the variable, where this is the head of a for loop and words are its values


class Block:
    """A list of commands: the whole text, or what stands in one substitution."""

    __slots__ = ("closed", "cur", "feeds", "function", "maybe", "opens", "raws", "redirect", "state")

    def __init__(self, start: int) -> None:
        self.raws: list[Raw] = []
        self.cur = Raw(start)
        self.redirect: RawRedirect | None = None  # waits for its target
        self.feeds: tuple[int, int] | None = None  # what the next command reads from
        self.opens: list[Open] = []
        self.closed: tuple[int, int] | None = None  # the group that has just ended
        self.state = ""  # "for", "in", "case", "function": the words that follow a keyword
        self.maybe = False  # after && or ||
        self.function = ""  # the function whose body comes next


class Open(NamedTuple):
    """A group that is not closed yet, its first command, what is piped into it, and what holds inside."""

    kind: str
    first: int
    feeds: tuple[int, int] | None
    each: bool
    maybe: bool
    function: str


class Region(NamedTuple):
    """Something inside a word: where it ends, and the commands in it (none: arithmetic, ``${…}``)."""

    end: int
    block: Block | None


class Parsed(NamedTuple):
    """``regions`` by where they start: ``$(``, backquote, ``<(``, ``${``, ``$((``, array ``(``."""

    block: Block
    regions: dict[int, Region]
    broken: bool
    cut: bool


class Budget:
    """What reading one text, and all the texts in it, may still cost."""

    __slots__ = ("commands", "tokens")

    def __init__(self) -> None:
        self.tokens = TOKENS
        self.commands = SCANNED
