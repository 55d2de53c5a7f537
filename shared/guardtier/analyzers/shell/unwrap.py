"""What a wrapper runs: words, shell text or code, found by its entry in wrappers.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice, pairwise, takewhile
from typing import Any

import re2

from guardtier.analyzers.shell.model import Language, Word
from guardtier.analyzers.shell.wordlists import word_lists
from guardtier.analyzers.shell.wrappers import CommandWords, Program

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
MAX_TEXTS = 2_000  #: that are looked at in one piece of code
SHORT = 1_000  #: characters of a text that a backtracking regex may look at


@dataclass(frozen=True, slots=True)
class Inner:
    """A command in ``words``; or ``text`` in ``language`` (None: the shell), found in ``source``.

    ``given`` are the text's ``$0``, ``$1`` …
    """

    words: tuple[Word, ...] = ()
    text: str | None = None
    source: tuple[Word, ...] = ()
    language: Language | None = None
    sets: tuple[str, ...] = ()
    takes_input: bool = False
    given: tuple[Word, ...] = ()


def inners(program: Program, args: tuple[Word, ...]) -> Iterator[Inner]:
    """All that a command of this program runs by its arguments."""
    if program.text:
        yield from _options(program.text, args, None, program.text_sets)
    if program.code:
        yield from _options(
            program.code,
            _leading(args, program.code, program.consoles) if program.leading else args,
            program.language,
            (),
        )
    if program.code_modules:
        yield from _lines_of_code(program, args)
    if program.cluster or program.cluster_code:
        yield from _clustered(program, args)
    if program.positional and len(args) >= program.positional:
        yield _text((args[program.positional - 1],))
    if program.code_positional:
        yield from _positional(program, args)
    if program.patterns:
        yield from _matches(program.patterns, args)
    if program.pairs:
        yield from _pairs(program.pairs, args)
    if program.segments is not None:
        yield from _segments(program, args)
    if program.command is not None:
        yield from _command(program.command, args)


def entered(program: Program, args: tuple[Word, ...]) -> Word | None:
    """The directory in which the command that it holds is run; None: where it is run itself."""
    spec = program.command
    start = _start(spec, args) if spec is not None and spec.chdir else None
    if spec is None or start is None:
        return None
    found: Word | None = None
    for index, word in enumerate(args[:start]):
        name, equals, value = word.text.partition("=")
        if equals and name in spec.chdir:
            found = replace(word, text=value)
        elif word.text[:2] in spec.chdir and len(word.text) > 2:
            found = replace(word, text=word.text[2:])
        elif word.text in spec.chdir or (
            "-" + word.text[-1:] in spec.chdir and _has_value(spec, word.text)
        ):
            found = args[index + 1] if index + 1 < start else found
    return found


def runs_any(program: Program, args: tuple[Word, ...]) -> bool:
    """Whether a command of this program runs anything by its arguments; quick where it mostly does not."""
    if program.only_patterns:
        search = compiled(program.patterns)[0].search
        for word in args:  # noqa: SIM110 - a generator would take half as long again
            if len(word.text) > SHORT or search(word.text) is not None:
                return True
        return False
    return next(inners(program, args), None) is not None


def _text(source: tuple[Word, ...], language: Language | None = None, sets: tuple[str, ...] = ()) -> Inner:
    return Inner(text=" ".join([word.text for word in source]), source=source, language=language, sets=sets)


def _options(
    options: frozenset[str], args: Sequence[Word], language: Language | None, sets: tuple[str, ...]
) -> Iterator[Inner]:
    """``-c TEXT``, ``--command=TEXT``, ``-cTEXT``."""
    for index, word in enumerate(args):
        text = word.text
        if text in options:
            if index + 1 < len(args):
                yield _text((args[index + 1],), language, sets)
            continue
        if not text.startswith("-") or len(text) < 2:
            continue
        name, equals, value = text.partition("=")
        if equals and name in options:
            yield Inner(text=value, source=(word,), language=language, sets=sets)
        elif text[1] != "-" and text[:2] in options:
            yield Inner(text=text[2:], source=(word,), language=language, sets=sets)
        elif language is None and len(text) < 6 and "-" + text[-1] in options and text[1:].isalpha():
            yield from (_text((args[index + 1],), language, sets) for _ in args[index + 1 : index + 2])


def _clustered(program: Program, args: Sequence[Word]) -> Iterator[Inner]:
    """``bash -lc TEXT``, ``perl -ne TEXT``: a letter among others in one option."""
    letters = program.cluster or program.cluster_code
    language = program.language if program.cluster_code else None
    for index, word in enumerate(args):
        text = word.text
        if text[:1] not in ("-", "+") or text == "-":
            if not (
                index and args[index - 1].text in ("-o", "+o", "-O", "--rcfile", "--init-file", "-W", "-X")
            ):
                return
        elif text[1:2] != "-" and text[-1:] in letters and (not program.code or text not in program.code):
            yield from _first_plain(args[index + 1 :], language, skip_options=not program.cluster_code)
            return
        elif program.cluster and text[1:2] != "-" and "c" in text and text[1:].isalpha():
            yield from _first_plain(args[index + 1 :], language, skip_options=True)
            return


def _first_plain(args: Sequence[Word], language: Language | None, *, skip_options: bool) -> Iterator[Inner]:
    for index, word in enumerate(args):
        if not skip_options or word.quoted or word.text[:1] not in ("-", "+"):
            found = _text((word,), language)
            given = tuple(args[index + 1 :]) if language is None else ()
            yield replace(found, given=given) if given else found
            return


def _lines_of_code(program: Program, args: tuple[Word, ...]) -> Iterator[Inner]:
    """``python -m timeit -s SETUP STATEMENT``."""
    for index, word in enumerate(args[:8]):
        if word.text in program.code_modules and args[index - 1].text == "-m":
            lines = tuple(one for one in args[index + 1 :] if one.text[:1] != "-")
            if lines:
                code = "\n".join([one.text for one in lines])
                yield Inner(text=code, source=lines, language=program.language)
            return


def _positional(program: Program, args: Sequence[Word]) -> Iterator[Inner]:
    plain = [word for word in args if not word.text.startswith("-")]
    for word in plain[program.code_positional - 1 :]:
        yield _text((word,), program.language)


def _leading(args: tuple[Word, ...], options: frozenset[str], consoles: frozenset[str]) -> tuple[Word, ...]:
    """The options before the script, with the values of those that hold code."""
    index = 0
    while index < len(args):
        text = args[index].text
        if not text.startswith("-") or text == "-m":
            script = " ".join(
                [text.rpartition("/")[2], *(word.text for word in args[index + 1 : index + 2])]
            )
            if script in consoles:
                return args
            break
        index += 2 if text in options else 1
    return args[:index]


def _matches(patterns: tuple[str, ...], args: Sequence[Word]) -> Iterator[Inner]:
    for word in args:
        for text in _found(patterns, word.text):
            yield Inner(text=text, source=(word,))


def code_texts(program: Program, code: str) -> tuple[list[str], bool]:
    """The different shell texts that stand in code of this program's language, in their order; and whether
    there are more, which are not told: a megabyte of them took half a second."""
    found = chain(_found(program.shell_in_code, code), word_lists(code))
    told = dict.fromkeys(islice(found, MAX_TEXTS))
    return list(told), next(found, None) is not None


def _found(patterns: tuple[str, ...], text: str) -> Iterator[str]:
    """What the patterns find; without the escapes of the string it stood in."""
    short, long = compiled(patterns)
    if len(text) <= SHORT:
        matches: Iterator[re.Match[str]] = short.finditer(text)
    else:
        matches = long.finditer(text.encode("utf-8", "replace").decode())
    for match in matches:
        group = match.lastindex or 1
        found = match[group]
        if "\\" in found and match.string[match.start(group) - 1 : match.start(group)] == '"':
            found = _ESCAPED.sub(r"\1", found)
        yield found


_ESCAPED = re.compile(r'\\(["\\])')


@lru_cache(maxsize=256)
def compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], Any]:
    """The patterns as one, twice: quick for short texts, and linear (RE2) for long ones."""
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(joined, re.DOTALL), re2.compile(f"(?s){joined}")


def _pairs(patterns: tuple[str, ...], args: Sequence[Word]) -> Iterator[Inner]:
    """``git config core.pager COMMAND``, ``git rebase -x COMMAND``: a name, then the value."""
    for name, value in pairwise(args):
        if "." in name.text[:100] or name.text[:1] == "-":
            for text in _found(patterns, f"{name.text} {value.text}"):
                yield Inner(text=text, source=(value,))


def _segments(program: Program, args: tuple[Word, ...]) -> Iterator[Inner]:
    """``find … -exec COMMAND ;``."""
    segments = program.segments
    assert segments is not None  # noqa: S101 - asked before
    index = 0
    while index < len(args):
        if args[index].text in segments.starts:
            start = index + 1
            index = start
            while index < len(args) and args[index].text not in segments.ends:
                index += 1
            if index > start:
                yield Inner(words=args[start:index], sets=("each",))
        index += 1


def _command(spec: CommandWords, args: tuple[Word, ...]) -> Iterator[Inner]:
    if spec.unless and not spec.unless.isdisjoint(_leading_options(args)):
        return
    start = _start(spec, args)
    if start is None or (start >= len(args) and not spec.prefix):
        return
    words = args[start:]
    if words and words[0].text == "-":  # uv run - <<E: the input is the program
        return
    if spec.until:
        words = tuple([word for word in words if word.text not in spec.until])  # parallel rm ::: a b
    if spec.prefix:
        words = (*_prefix(spec.prefix, args[:start]), *words)
    if words and (spec.joined or (spec.single and len(words) == 1)):
        yield _text(words, sets=spec.sets)
    elif words:
        yield Inner(words=words, sets=spec.sets, takes_input=spec.input)


def _leading_options(args: tuple[Word, ...]) -> list[str]:
    return [word.text for word in takewhile(lambda word: word.text.startswith("-"), args)]


def _prefix(option: str, args: tuple[Word, ...]) -> Iterator[Word]:
    for index, word in enumerate(args):
        if word.text == option:
            yield from args[index + 1 : index + 2]
        elif word.text.startswith(option + "="):
            yield replace(word, text=word.text[len(option) + 1 :])


def _start(spec: CommandWords, args: tuple[Word, ...]) -> int | None:
    """Where the command starts: after a separator; or a subcommand, options and what is to be skipped."""
    if spec.separator:
        separator = next((index for index, word in enumerate(args) if word.text == spec.separator), None)
        if separator is not None:
            return separator + 1
        if spec.required:
            return None
    index = _after(spec, args) if spec.after else 0
    return _first(spec, args, index) if index >= 0 else None


def _first(spec: CommandWords, args: tuple[Word, ...], index: int) -> int | None:
    skip = spec.skip
    while index < len(args):
        text = args[index].text
        if text == "--" and not skip:
            return index + 1
        if text.startswith("-") and len(text) > 1 and (skip or not spec.prefix):
            index += 2 if _has_value(spec, text) else 1
        elif (spec.assignments and _ASSIGNMENT.match(text)) or (not spec.after and text in spec.through):
            index += 1
        elif skip:
            skip -= 1
            index += 1
        else:
            return index
    return None


def _has_value(spec: CommandWords, text: str) -> bool:
    """``-u root``, and ``-iu root``; not ``-n1``."""
    if text in spec.values:
        return text not in spec.valueless
    return (
        len(text) > 2 and text[1] != "-" and text[:2] not in spec.values and "-" + text[-1] in spec.values
    )


def _after(spec: CommandWords, args: tuple[Word, ...]) -> int:
    """Where the subcommand ends that runs something; -1 where another one comes first."""
    index = 0
    while index < len(args):
        text = args[index].text
        if text in spec.after:
            return index + 1
        if text.startswith("-"):
            index += 2 if _has_value(spec, text) else 1
        elif text in spec.through:
            index += 1
        else:
            return -1
    return -1
