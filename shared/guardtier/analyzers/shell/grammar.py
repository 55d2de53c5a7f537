"""Grammar: what keywords, operators and parentheses do to the block of commands that is being read."""

from __future__ import annotations

import re

from guardtier.analyzers.shell.lexer import Frame, Lexer
from guardtier.analyzers.shell.syntax import Block, Open, Quoting, Raw, RawWord, Region

_BETWEEN = re.compile(r"[\s()<>|&]*+")
_CASE_PATTERN = re.compile(r"""(?>(?:[^()'"\\$`;&<>]++|'[^']*+'|"[^"]*+"|\\.|\$(?!\())*)\)""", re.DOTALL)
_CASE_START = re.compile(r"[ \t\r\n]*+(?>(?:#[^\n]*+\n[ \t\r\n]*+)*)(esac\b)?\(?")
_PATTERN_MAX = 4096  #: characters of a case's pattern; a longer one counts as broken
_EMPTY_PARENTHESES = re.compile(r"[ \t]*\)")
_ARITH_COMMAND = re.compile(
    r"\(\((?>(?:[^()`$;&|]|\$\w|&&|\|\||;(?! )|; (?=[\w\s<>=+\-*/!]*[;)])|\([^()`$]*+\))*)\)\)"
)
_PASSED_OVER = frozenset({"if", "then", "else", "elif", "do", "!", "while", "until"})
_OPENING = {"if": "if", "while": "loop", "until": "loop", "{": "{"}
_CLOSING = {"fi": "if", "done": "loop", "}": "{", "esac": "case"}
RESERVED = (
    _PASSED_OVER | _OPENING.keys() | _CLOSING.keys() | {"for", "select", "case", "function", "[[", "coproc"}
)
_ENDS = frozenset("&|(")
_OUTERMOST = Open("", 0, None, each=False, maybe=False, function="")


class Grammar(Lexer):
    """The steps between words."""

    def _keyword(self, text: str, word: RawWord) -> bool:
        block = self.block
        if block.cur.redirects or (self.frames and self.frames[-1].kind == "array"):
            return False
        if text in _OPENING:
            self._open(_OPENING[text])
        elif text in _CLOSING:
            self._close(_CLOSING[text])
        elif text in ("for", "select", "case", "function"):
            block.state = text
            block.cur.start = word.start
        elif text == "[[":
            return self._test(word)
        return True

    def _after_keyword(self, word: RawWord) -> None:
        """The words of ``for x in …``, ``case x in``, ``function f``."""
        block = self.block
        text = self.text[word.start : word.end]
        if block.state in ("for", "select"):
            self._open("loop")
            block.cur = Raw(word.start)
            block.cur.loop = text
            block.state = "in"
        elif block.state == "in":
            block.state = "" if text in ("in", "do") else "in"
            if text == "do":
                self._finish(block)
        elif block.state == "case":
            block.state = "case in"
            self._open("case")
        elif block.state == "case in":
            block.state = ""
            self._pattern()
        else:  # function NAME
            block.state = ""
            block.function = text

    def _test(self, word: RawWord) -> bool:
        """``[[ … ]]`` is a command of its own, whose operators are arguments."""
        cur = self.block.cur
        cur.start = word.start
        cur.end = word.end
        cur.words.append(word)
        self.frames.append(Frame("[[", word.start, self.block, -1))
        return True

    def _in_test(self) -> bool:
        if self.word >= 0:
            return self._in_word()
        match = _BETWEEN.match(self.text, self.pos, self.end)
        assert match is not None  # noqa: S101 - it matches nothing, too
        self.pos = self.word = match.end()
        gap = match[0]
        if (
            self.pos < self.end
            and self.text[self.pos] != ";"
            and ("\n" not in gap or not _ENDS.isdisjoint(gap))
        ):
            return True
        self.word = -1
        self.broken = True  # the test does not end: what follows is commands again
        self.frames.pop()
        self.pos = match.start() if "\n" in gap else self.pos
        return self.pos < self.end

    def _end_test_word(self, start: int) -> None:
        cur = self.block.cur
        cur.end = self.pos
        if self.pos > start:
            cur.words.append(RawWord(start, self.pos, Quoting.MIXED))
            if self.text.startswith("]]", start) and self.pos == start + 2:
                self.frames.pop()

    def _open(self, kind: str) -> None:
        block = self.block
        self._finish(block)
        outer = block.opens[-1] if block.opens else _OUTERMOST
        feeds = outer.feeds if block.feeds is None else block.feeds
        maybe = outer.maybe or block.maybe or kind in ("if", "case", "loop")
        each = outer.each or kind == "loop"
        block.opens.append(Open(kind, len(block.raws), feeds, each, maybe, block.function))
        block.function = ""
        block.feeds = None
        block.closed = None

    def _close(self, kind: str) -> None:
        block = self.block
        self._finish(block)
        opens = block.opens
        if opens and opens[-1].kind == kind:
            first, function = opens[-1].first, opens[-1].function
            opens.pop()
            block.closed = (first, len(block.raws))
            block.feeds = None
            if function:
                raw = Raw(self.pos)
                raw.function = function
                raw.words = [RawWord(first, len(block.raws), 0)]
                block.raws.append(raw)
        else:
            self.broken = True

    def _pattern(self) -> None:
        """Skip the pattern of a case, up to its ``)``."""
        match = _CASE_START.match(self.text, self.pos, self.end)
        assert match is not None  # noqa: S101
        if match.group(1):
            return
        start = match.end()  # a thousand cases without an end would each look through the rest of the text
        found = _CASE_PATTERN.match(self.text, start, min(self.end, start + _PATTERN_MAX))
        if found is not None:
            self.pos = found.end()
        else:
            self.broken = True

    def _operator(self, op: str) -> bool:
        block = self.block
        if op == "(":
            return self._parenthesis()
        if op == "((":
            return self._arith_command()
        if op == ")":
            return self._close_parenthesis()
        if op in ("|", "|&"):
            self._pipe(block)
            return True
        self._finish(block)
        block.feeds = None
        block.closed = None
        block.maybe = op in ("&&", "||")
        if op in (";;", ";&", ";;&"):
            if block.opens and block.opens[-1].kind == "case":
                self._pattern()
            else:
                self.broken = True
        return True

    def _pipe(self, block: Block) -> None:
        before = len(block.raws)
        closed = block.closed
        self._finish(block)
        if closed is not None:
            block.feeds = closed
        elif len(block.raws) > before:
            block.feeds = (before, before + 1)
        block.closed = None

    def _parenthesis(self) -> bool:
        block = self.block
        cur = block.cur
        if (
            cur.words or block.state == "function"
        ):  # NAME () {: a function; otherwise not the shell's grammar
            found = _EMPTY_PARENTHESES.match(self.text, self.pos, self.end)
            if found is not None:
                self.pos = found.end()
                if cur.words:
                    block.function = self.text[cur.words[0].start : cur.words[0].end]
                block.cur = Raw(self.pos)
                block.state = ""
                return True
            self.broken = True
        if block.state == "in":  # for ((…
            block.state = ""
        self._open("(")
        return True

    def _arith_command(self) -> bool:
        """``((i++))`` and ``for ((…))``; anything that is no arithmetic is two subshells."""
        start = self.pos - 2
        found = _ARITH_COMMAND.match(self.text, start, self.end)
        if found is None:
            self.pos -= 1
            return self._parenthesis()
        self.pos = found.end()
        block = self.block
        if block.state in ("for", "select"):
            self._open("loop")
            block.state = ""
        return True

    def _close_parenthesis(self) -> bool:
        block = self.block
        if block.opens and block.opens[-1].kind == "(":
            self._close("(")
            return True
        if self.frames and self.frames[-1].kind in ("$(", "<(", "array"):
            self.broken = self.broken or bool(block.opens)
            self._finish(block)
            _, start, outer, word = self.frames.pop()
            self.regions[start] = Region(self.pos, block)
            self.block = outer
            self.word = word
            return True
        self.broken = True
        self._finish(block)
        return True

    def _finish(self, block: Block) -> None:
        """The command that was being read is complete."""
        cur = block.cur
        if block.redirect is not None:  # > without a file
            block.redirect = None
            self.broken = True
        if not cur.words and not cur.redirects and not cur.loop:
            block.state = "" if block.state == "in" else block.state
            return
        feeds = block.feeds
        opens = block.opens
        if opens:
            feeds = opens[-1].feeds if feeds is None else feeds
            cur.each = opens[-1].each
            cur.maybe = opens[-1].maybe
        if block.maybe:
            cur.maybe = True
        cur.feeds = feeds
        block.feeds = None
        block.raws.append(cur)
        block.cur = Raw(self.pos)
        if block.state == "in":
            block.state = ""
