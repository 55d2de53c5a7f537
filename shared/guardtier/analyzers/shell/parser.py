"""Parser: shell text to raw commands, in one pass, without recursion; what does not parse is scanned.

Not tree-sitter-bash: that takes time quadratic in its input on some texts (measured with 0.25: 0.9 s for
16 KiB of ``x=(``, 4 s for 64 KiB of ``<<a``), and this has to be linear. The tests compare the two.
"""

from __future__ import annotations

import re

from guardtier.analyzers.shell import crude, heredocs
from guardtier.analyzers.shell.grammar import RESERVED, Grammar
from guardtier.analyzers.shell.lexer import Frame
from guardtier.analyzers.shell.syntax import Block, Parsed, Raw, RawRedirect, RawWord

_TOKEN = re.compile(
    r"""[ \t]*+(?>(?:(?:\\\r?\n|\r(?=\n|\Z))[ \t]*+)*)(?:
      (?P<bare>[\w./:,@%+=^~\-]++)(?=[ \t\r\n;|&)]|\Z)
    | '(?P<single>[^']*+)'(?=[ \t\r\n;|&)]|\Z)
    | "(?P<double>[^"\\$`]*+)"(?=[ \t\r\n;|&)]|\Z)
    | (?P<line>\n(?>(?:[ \t\n]++|\r(?=\n|\Z))*))
    | (?P<redirect>(?:\d++|\{\w++\})?(?:<<<|<<-|<<|<>|<&|>&|>>|>\||<(?!\()|>(?!\()|&>>|&>))
    | (?P<op>&&|\|\||;;&|;;|;&|;|\|&|\||&|\(\(|\(|\))
    | (?P<comment>\#[^\n]*+)
    | (?P<mixed>(?=.))
    | (?P<stop>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BARE, _SINGLE, _DOUBLE, _LINE, _REDIRECT, _OP, _COMMENT, _MIXED, _STOP = range(1, 10)

#: As much of a word as needs no look at what is inside.


class Parser(Grammar):
    """Takes a text token by token; :meth:`parse` is the way in."""

    def parse(self) -> Parsed:
        self._loop()
        return self._parsed()

    def parse_body(self) -> Parsed:
        """As the body of a here-document: only what stands in substitutions is read."""
        self.frames.append(Frame("body", self.pos, self.block, -1))
        self._loop()
        return self._parsed()

    def _loop(self) -> None:
        inside = {**self.inside, "[[": self._in_test}
        command = self._command
        budget = self.budget
        while budget.tokens > 0:
            budget.tokens -= 1
            frames = self.frames
            step = inside.get(frames[-1].kind, command) if frames else command
            if not step():
                return
        self.cut = True
        self._crude(self.pos)

    def _parsed(self) -> Parsed:
        outer = self.frames[0].block if self.frames else self.block
        left: list[Block] = []
        for frame in reversed(self.frames):
            self._finish(self.block)
            self.broken = self.broken or frame.kind != "body"
            if self.block is not frame.block:
                left.append(self.block)
            self.block = frame.block
        self._finish(outer)
        for block in left:  # of a substitution that does not end: as if it stood alone
            _append(outer, block)
        self.broken = self.broken or bool(outer.opens)
        return Parsed(outer, self.regions, self.broken, self.cut)

    def _command(self) -> bool:
        if self.word >= 0:
            return self._in_word()
        match = _TOKEN.match(self.text, self.pos, self.end)
        assert match is not None  # noqa: S101 - <mixed> and <stop> match whatever is left
        kind = match.lastindex
        self.pos = match.end()
        if kind == _BARE:
            start = match.start(_BARE)
            self._word(RawWord(start, self.pos, 0))
        elif kind in (_SINGLE, _DOUBLE):
            self._word(RawWord(match.start(kind) - 1, self.pos, kind - 1))
        elif kind == _OP:
            return self._operator(match.group(_OP))
        elif kind == _LINE:
            self._newline(match.start(_LINE))
        elif kind == _REDIRECT:
            self._redirect(match.group(_REDIRECT), match.start(_REDIRECT))
        elif kind == _MIXED:
            self.word = self.pos
        elif kind == _STOP:
            return False
        return True

    def _word(self, word: RawWord) -> None:
        block = self.block
        cur = block.cur
        redirect = block.redirect
        if redirect is not None:
            redirect.target = word
            redirect.end = cur.end = word.end
            block.redirect = None
            return
        if not cur.words:
            if block.state:
                self._after_keyword(word)
                return
            if word.quoting == 0 or word.end - word.start < 3:  # { } ! [[ are no plain characters
                text = self.text[word.start : word.end]
                if text in RESERVED and self._keyword(text, word):
                    return
            if not cur.redirects:
                cur.start = word.start
        cur.words.append(word)
        cur.end = word.end

    def _newline(self, start: int) -> None:
        block = self.block
        if self.frames and self.frames[-1].kind == "array":
            return
        if self.heredocs:
            self.pos = start
            self._bodies()
        cur = block.cur
        if cur.words or cur.redirects or cur.loop:
            self._finish(block)
        block.closed = None
        block.maybe = False

    def _redirect(self, op: str, start: int) -> None:
        digits = op[: len(op) - len(op.lstrip("0123456789"))]
        op = op.lstrip("0123456789")
        if op.startswith("{"):
            op = op.partition("}")[2]
        cur = self.block.cur
        fd = int(digits) if digits and len(digits) < 4 else None
        redirect = RawRedirect(op, fd, start, self.pos)
        if not cur.words and not cur.redirects:
            cur.start = start
        cur.redirects.append(redirect)
        cur.end = self.pos
        self.block.redirect = redirect
        if op in ("<<", "<<-"):
            self.heredocs.append(redirect)

    def _bodies(self) -> None:
        """The bodies of the here-documents that were announced on the line that has just ended."""
        pos = self.pos
        for redirect in self.heredocs:
            pos, found = heredocs.place(redirect, self.text, pos, self.end)
            self.broken = self.broken or not found
            if redirect.body_start >= 0 and not redirect.verbatim:
                self._expanded_body(redirect)
        self.heredocs = []
        self.pos = min(pos, self.end)

    def _expanded_body(self, redirect: RawRedirect) -> None:
        body = (redirect.body_start, redirect.body_end)
        if (
            self.text.find("$(", *body) < 0
            and self.text.find("`", *body) < 0
            and self.text.find("${", *body) < 0
        ):
            return
        inner = Parser(self.text, self.budget, *body)
        parsed = inner.parse_body()
        self.regions.update(parsed.regions)
        self.cut = self.cut or parsed.cut

    def _crude(self, start: int) -> None:
        """Give up on the structure of what is left."""
        self.word = -1
        block = self.block
        block.cur = Raw(start)
        block.redirect = None
        found, cut = crude.scanned(self.text, start, self.end, self.budget.commands)
        self.budget.commands -= len(found)
        block.raws += found
        self.cut = self.cut or cut
        self.pos = self.end


def _append(outer: Block, block: Block) -> None:
    base = len(outer.raws)
    for raw in block.raws:
        if raw.feeds is not None:
            raw.feeds = (raw.feeds[0] + base, raw.feeds[1] + base)
        outer.raws.append(raw)
