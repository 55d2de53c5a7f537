"""Expander: the source of a word to the words that the shell would see."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from guardtier.analyzers.shell import escapes, globs
from guardtier.analyzers.shell.model import Span, Template, Word
from guardtier.analyzers.shell.parameters import Parameters
from guardtier.analyzers.shell.syntax import Block, RawWord, Region
from guardtier.analyzers.shell.variables import BREAK, OPEN, UNKNOWN, Variables, spread

_PIECE = re.compile(
    r"""(?P<plain>[^\\'"$`<>()]++)|'(?P<single>[^']*+)'|(?P<double>")|\\(?P<escaped>\r\n|.)
    |\$'(?P<ansi>(?>(?:[^'\\]++|\\.)*))'|\$(?P<name>[A-Za-z_]\w*+|[0-9@*\#?$!-])|(?P<region>\$[({]|`|[<>]?\()
    |(?P<translated>\$(?="))|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED_PIECE = re.compile(
    r"""(?P<plain>[^\\"$`]++)|\\(?P<escaped>[\\$`"\n])|(?P<double>")
    |\$(?P<name>[A-Za-z_]\w*+|[0-9@*\#?$!-])|(?P<region>\$[({]|`)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PUA = 0xE000
_QUOTED = {ord(char): chr(_PUA + ord(char)) for char in "{},*?[]"}
_UNQUOTED = {_PUA + ord(char): char for char in "{},*?[]"}
_EXPANDED = {ord(char): chr(_PUA + ord(char)) for char in "{},"}
_PRIVATE = re.compile("[\ue000-\ue0ff]")
_SPECIAL = re.compile(r"[{},*?\[\]]")
_UNESCAPE = re.compile(r"\\([`$\\])")
_INNER = re.compile(r"\$\(|`")
_BLANKS = re.compile(r"[ \t\n]+")

#: What a variable is called that says which build of what to fetch, and from where.
_TELLING = (
    r"(?:\w+_)?(?i:version|ver|v|release|rel|tag|branch|ref|commit|sha|rev|arch|architecture|machine|platform|os|kernel"
    r"|distro|codename|suite|major|minor|target|targetarch|targetos|triple|variant|build|channel|edition|goos|goarch"
    r"|checksum|mirror|repo|repository|owner|org|project|package|pkg|name|file|filename|tarball|archive|host|hostname"
    r"|port|domain|server|ip|addr|address|url|uri|endpoint|region|namespace|env)"
)
_PARAMETER = re.compile(rf"\$(?:({_TELLING})(?!\w)|\{{({_TELLING})(?:[#%/^,][^$`{{}}]*)?\}})")

FED = "/dev/fd/"  #: what ``<(…)`` comes to, before what can't be told
SEARCHED = 1 << 13  #: characters of a text that is searched for where a variable may be set
LONGEST = 1 << 16  #: characters of a word that is taken apart
STEPS = 12_000  #: pieces that are looked at one by one in a text
BRACES = 4_096  #: words that all braces of a text may make
EXPANDED = 1 << 18  #: characters that expansion may make


class Expander:
    """Expands the words of one text. ``run`` reads a substitution and says what it prints, if it can."""

    def __init__(
        self,
        text: str,
        regions: dict[int, Region],
        variables: Variables,
        run: Callable[[Block | str, int], str | None],
        locate: Callable[[int, int], Span],
        *,
        inner: bool = False,
    ) -> None:
        self.text = text
        self.ascii = text.isascii()
        self.regions = regions
        self.variables = variables
        self.run = run
        self.locate = locate
        self.steps = STEPS
        self.braces = BRACES
        self.starts: list[int] = []  # of the regions, in order, once they are needed
        self.budget = EXPANDED + len(text)
        self.parameters = Parameters(self)
        self.hidden = False  # the last word was spelt so as to hide
        self.sliced = False
        self.has_quotes = False  # … and had quotes of its own
        self.cut = False
        self.bare: dict[str, bool] = {}  # by variable: whether its name stands somewhere without a dollar
        self.compared = False  # the word is an operand of test: what it may be changes nothing
        self.nul = UNKNOWN if inner else ""  # in a text that was put together, NUL is what can't be told

    def simple(self, raw: RawWord) -> Word:
        """A word that is its own text."""
        start, end, quoting = raw
        if quoting == 0:
            return Word(self.text[start:end], self.locate(start, end))
        return Word(self.text[start + 1 : end - 1], self.locate(start, end), True, True)

    def words(self, raw: RawWord) -> list[Word]:
        """The words that one word of the source comes to."""
        self.hidden = False
        return [self.simple(raw)] if raw.quoting < 3 else self._mixed(raw.start, raw.end)

    def value(self, start: int, end: int) -> str:
        """As the value of an assignment: not split, no globs."""
        return self._clean(self._expand(start, end, split=False))

    def body(self, start: int, end: int) -> str:
        """As the body of a here-document without quotes around its delimiter."""
        return self._clean(self._expand_quoted(start, end, body=True)[0])

    def _mixed(self, start: int, end: int) -> list[Word]:
        span = self.locate(start, end)
        text = self._expand(start, end, split=True)
        if not text:
            return [Word("", span, True, True)] if self.has_quotes else []
        quoted = self.text[start] in "'\"" and self._one_quote(start, end)
        found: list[Word] = []
        for field in self._fields(text):
            for one in self._braced(field) if "{" in field else (field,):
                for part in self._globbed(one):
                    clean = self._clean(part)
                    clean = "/" + clean.lstrip("/") if clean.startswith("//") else clean  # $d/x where d=/
                    made = Template if UNKNOWN in clean and self._is_template(clean, start, end) else Word
                    found.append(made(clean, span, UNKNOWN not in clean, quoted))
        return found

    def _is_template(self, clean: str, start: int, end: int) -> bool:
        """Whether all that can't be told of an address is variables of a telling name, set elsewhere."""
        source = self.text[start:end] if "/" in clean and len(self.text) < SEARCHED else "'"
        if "'" in source or "\\" in source:
            return False
        names = [bare or braced for bare, braced in _PARAMETER.findall(source)]
        for name in names:
            if name not in self.bare:
                self.bare[name] = _stands_bare(name, self.text)
            if self.bare[name]:
                return False  # read NAME, printf -v NAME: it may be set here after all
        return clean.count(UNKNOWN) == sum(self.variables.get(name) is None for name in names)

    def _fields(self, text: str) -> list[str]:
        """What an expansion that is not quoted splits into."""
        if text.isascii():
            return [text]
        choices = [text]
        if OPEN in text:
            choices, complete = spread(text)
            self.cut = self.cut or not (complete or self.compared)
        return [
            field for choice in choices for field in choice.split(BREAK) if field or BREAK not in choice
        ]

    def _braced(self, field: str) -> list[str]:
        words, complete = globs.braced(field, self.braces)
        self.braces -= len(words)
        self.cut = self.cut or not complete
        return words

    def _globbed(self, field: str) -> tuple[str, ...]:
        if ("?" in field or "[" in field or "*" in field) and field[0] in "/~":
            found = globs.resolved(field.translate(_UNQUOTED)) if UNKNOWN not in field else ()
            if found:
                self.hidden = self.hidden or globs.hides(field)
                return found
        return (field,)

    def _one_quote(self, start: int, end: int) -> bool:
        quote = self.text[start]
        if self.text[end - 1] != quote or end - start < 2:
            return False
        inner = self.text[start + 1 : end - 1]
        return quote not in inner if quote == "'" else re.search(r'(?<!\\)"', inner) is None

    def _clean(self, text: str) -> str:
        if text.isascii() or not _PRIVATE.search(text):
            return text
        return text.replace(BREAK, " ").translate(_UNQUOTED)

    def _expand(self, start: int, end: int, *, split: bool) -> str:
        if end - start > LONGEST or self.steps <= 0:
            return self._coarse(start, end)
        out: list[str] = []
        pos = start
        text = self.text
        has_quotes = False
        while pos < end:
            match = _PIECE.match(text, pos, end)
            if match is None:
                break
            self.steps -= 1
            kind = match.lastgroup
            pos = match.end()
            if kind in ("plain", "other"):
                out.append(match[0].replace("\0", self.nul))
            elif kind == "single":
                has_quotes = True
                out.append(_literal(match[kind]))
            elif kind == "double":
                has_quotes = True
                value, pos = self._expand_quoted(pos, end)
                out.append(_literal(value))
            elif kind == "escaped":
                out.append(_literal(match[kind]) if match[kind] not in "\n\r\n" else "")
            elif kind == "ansi":
                self.hidden = self.hidden or escapes.hides(match[kind])
                out.append(_literal(escapes.unescaped(match[kind]).replace("\0", self.nul)))
            elif kind == "translated":
                continue
            elif kind == "name":
                out.append(self._unquoted(self._named(match[kind], out), split=split))
            else:
                value, pos = self._region(match.start(), pos, end, quoted=False)
                out.append(self._unquoted(value, split=split))
        self.has_quotes = has_quotes
        return "".join(out)

    def _expand_quoted(self, pos: int, end: int, *, body: bool = False) -> tuple[str, int]:
        """The inside of double quotes from ``pos``, and where it ends; a ``body`` ends at ``end``."""
        out: list[str] = []
        text = self.text
        while pos < end:
            if self.steps <= 0:
                return self._coarse(pos, end), end
            match = _QUOTED_PIECE.match(text, pos, end)
            if match is None:
                break
            self.steps -= 1
            kind = match.lastgroup
            pos = match.end()
            if kind == "double" and not body:
                break
            if kind in ("plain", "other", "double"):
                out.append(match[0].replace("\0", self.nul))
            elif kind == "escaped":
                out.append(match[kind] if match[kind] != "\n" else "")
            elif kind == "name":
                out.append(self._bounded(self._named(match[kind], out)))
            else:
                value, pos = self._region(match.start(), pos, end, quoted=True)
                out.append(self._bounded(value))
        return "".join(out), pos

    def _coarse(self, start: int, end: int) -> str:
        """A word too long to take apart: quotes and escapes dropped, substitutions read all the same."""
        self.cut = self.cut or end - start <= LONGEST or self.text.find("$'", start, end) >= 0
        pos = start
        starts = self.starts = self.starts or sorted(self.regions)
        for at in starts[bisect_left(starts, start) : bisect_left(starts, end)]:
            if at >= pos and self.text[at] in "$`<>":
                pos = self._region(at, at + 1, end, quoted=True)[1]
        source = self.text[start:end]
        return source.replace("'", "").replace('"', "").replace("\\", "").replace("\0", self.nul)

    def _unquoted(self, value: str, *, split: bool) -> str:
        """An expansion outside of quotes: split at blanks; its braces mean nothing."""
        value = self._bounded(value)
        if split:
            value = self._blanks().sub(BREAK, value)
        return value.translate(_EXPANDED) if "{" in value or "," in value else value

    def _blanks(self) -> re.Pattern[str]:
        own = self.variables.values.get("IFS")
        return _BLANKS if own is None else re.compile(f"[{re.escape(own[:20])}]+" if own else r"(?!)")

    def _bounded(self, value: str) -> str:
        self.budget -= len(value)
        if self.budget < 0:
            self.cut = True
            return UNKNOWN
        return value

    def _named(self, name: str, before: list[str]) -> str:
        value = self.variables.get(name)
        if value is not None:
            return value
        if name in self.variables.arrays:
            return (self.variables.arrays[name] or [""])[0]
        if name in "@*123456789" and before and (before[-1].endswith(BREAK) or before[-1][-1:].isalnum()):
            self.hidden = True  # c$@at: no arguments, so nothing
            return ""
        return UNKNOWN

    def _region(self, start: int, pos: int, end: int, *, quoted: bool) -> tuple[str, int]:
        """``$(…)``, a backquote, ``<(…)``, ``${…}``, ``$((…))``, ``(…)``: its value, and where it ends."""
        region = self.regions.get(start)
        if region is None or region.end > end:
            return self.text[start:pos], pos
        if region.block is not None or self.text[start] == "`":
            return self._substituted(region, start), region.end
        if self.text.startswith("${", start):
            return self.parameters.value(start + 2, region.end - 1, quoted=quoted), region.end
        self.inner_regions(start + 3, region.end - 2)
        return self._arithmetic(start + 3, region.end - 2), region.end

    def _substituted(self, region: Region, start: int) -> str:
        opening = self.text[start]
        if region.block is not None:
            printed = self.run(region.block, start)
        else:  # a backquote with others inside, escaped
            printed = self.run(_UNESCAPE.sub(r"\1", self.text[start + 1 : region.end - 1]), start)
        if opening in "<>":
            return FED + UNKNOWN
        return UNKNOWN if printed is None or opening == "(" else printed.rstrip("\n")

    def inner_regions(self, start: int, end: int) -> None:
        pos = start
        for match in _INNER.finditer(self.text, start, end):
            if match.start() >= pos:
                pos = self._region(match.start(), match.end(), end, quoted=True)[1]

    def _arithmetic(self, start: int, end: int) -> str:
        source = self.text[start:end].strip()
        return str(int(source)) if source.isdecimal() and source.isascii() and len(source) < 18 else UNKNOWN


def _literal(text: str) -> str:
    """What stood in quotes: no glob, no brace, whatever it looks like."""
    return text.translate(_QUOTED) if _SPECIAL.search(text) else text


def _stands_bare(name: str, text: str) -> bool:
    """Whether a variable's name stands in the text without the dollar before it."""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        before, after = text[max(at - 2, 0) : at], text[end : end + 1]
        inside = before[-1:] in ("$", "_") or before[-1:].isalnum() or before == "${"
        if not inside and after != "_" and not after.isalnum():
            return True
        at = text.find(name, end)
    return False
