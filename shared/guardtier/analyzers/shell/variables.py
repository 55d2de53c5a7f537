"""Variables: what a text assigned earlier, what every machine has, and the operators of ``${…}``."""

from __future__ import annotations

import re

UNKNOWN = "\x00"  #: stands for a part of a word that can't be told
BREAK = "\ue0ff"  #: where unquoted expansion splits a word
OPEN, ALTERNATIVE, CLOSE = (
    "\ue0fc",
    "\ue0fd",
    "\ue0fe",
)  #: around and between values that a variable may have
MATCHED = 4_096  #: characters of a value that a pattern is matched with; of a longer one nothing is known
SPARE = 1 << 16  #: characters that values may have beyond the length of the text

#: ``~`` stays ``~``: whose home it is does not matter, that it is one does.
WELL_KNOWN = {
    "0": "bash",
    "HOME": "~",
    "PWD": ".",
    **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), "/tmp"),  # noqa: S108 - what these stand for
    "IFS": " \t\n",
    "SHELL": "/bin/bash",
    "BASH": "/bin/bash",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "XDG_CONFIG_HOME": "~/.config",
    "XDG_DATA_HOME": "~/.local/share",
    "XDG_STATE_HOME": "~/.local/state",
    "XDG_CACHE_HOME": "~/.cache",
    "OSTYPE": "linux-gnu",
    "GITHUB_WORKSPACE": ".",
    "CI_PROJECT_DIR": ".",
    "SHELLOPTS": "braceexpand:emacs:hashall:histexpand:history:interactive-comments:monitor",
    "PS4": "+ ",
    "HISTFILE": "~/.bash_history",
    "ZDOTDIR": "~",
    "CARGO_HOME": "~/.cargo",
    "GOPATH": "~/go",
    "NVM_DIR": "~/.nvm",
    "KUBECONFIG": "~/.kube/config",
    "GNUPGHOME": "~/.gnupg",
}
_SLICED = WELL_KNOWN | {"HOME": "/root", "PWD": "/root", "OLDPWD": "/root"}

_EXPANSION = re.compile(
    r"(?P<indirect>!)?(?P<length>\#(?=[\w@*]))?(?P<name>\w+|[@*#?$!-])(?:\[(?P<index>[^\]]*)\])?"
    r"(?P<op>:?[-=+?]|:|\#\#?|%%?|//?|\^\^?|,,?|@)?",
)
_SLICE = re.compile(r"\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?\Z")


class Variables:
    """Values by name; a value may hold UNKNOWN."""

    def __init__(self, length: int) -> None:
        self.budget = SPARE + length  # characters that values may still have
        self.cut = False
        self.values: dict[str, str] = {}
        self.arrays: dict[str, list[str]] = {}
        self.positional: list[str] = []

    def get(self, name: str) -> str | None:
        found = self.values.get(name)
        return found if found is not None else WELL_KNOWN.get(name)

    def set(self, name: str, value: str, *, append: bool = False, maybe: bool = False) -> None:
        """Assign; ``maybe`` keeps what it was as well: the assignment may not be reached."""
        before = self.values.get(name)
        if append:
            value = (self.get(name) or "") + value
        if maybe and before is not None and before != value:
            self.choose(name, [*before.strip(OPEN + CLOSE).split(ALTERNATIVE), value])
            return
        self.values[name] = self._bounded(value)

    def _bounded(self, value: str) -> str:
        self.budget -= len(value)
        if self.budget >= 0:
            return value
        self.cut = True
        return UNKNOWN

    def arguments(self, values: list[str]) -> list[str]:
        """Set ``$1``, ``$@`` …; what they were."""
        before = self.positional
        self.positional = values
        for index in range(1, 10):
            self.values.pop(str(index), None)
        for index, value in enumerate(values[:9]):
            self.values[str(index + 1)] = value
        for name in "@*":
            self.values.pop(name, None)
            if values:
                self.values[name] = self._bounded(BREAK.join(values))
        return before

    def called(self, given: list[str]) -> list[str]:
        """``sh -c TEXT NAME VALUE …``: set ``$0``, ``$1`` …; what they were."""
        before = [self.values.pop("0", ""), *self.positional]
        self.arguments(given[1:])
        if given[:1] not in ([], [""]):
            self.values["0"] = self._bounded(given[0])
        return before

    def choose(self, name: str, values: list[str]) -> None:
        """The variable of a loop: any of the values."""
        joined = ALTERNATIVE.join(values)
        value = OPEN + joined + CLOSE if len(values) > 1 else joined
        self.values[name] = self._bounded(value) if values else UNKNOWN

    def is_slice_of_known(self, name: str) -> bool:
        """``${PATH:0:1}`` spells a slash; nobody needs it."""
        return name not in self.values and name in _SLICED

    def sliced(self, name: str) -> str | None:
        found = self.values.get(name)
        return found if found is not None else _SLICED.get(name)


class Expansion:
    """The inside of ``${…}``: ``name``, ``op`` and where the operand starts."""

    __slots__ = ("index", "indirect", "length", "name", "op", "operand")

    def __init__(self, source: str, start: int, end: int) -> None:
        match = _EXPANSION.match(source, start, end)
        self.name = match["name"] if match else ""
        self.op = (match["op"] or "") if match else ""
        self.index = match["index"] if match else None
        self.indirect = bool(match and match["indirect"])
        self.length = bool(match and match["length"])
        self.operand = match.end() if match else end


def cut_out(value: str, where: str) -> str:
    """``${x:2:3}``."""
    match = _SLICE.match(where)
    if match is None or UNKNOWN in value:
        return UNKNOWN
    start = int(match[1])
    stop = None if match[2] is None else int(match[2])
    tail = value[start:]
    if stop is None:
        return tail
    return tail[:stop]


def trimmed(value: str, op: str, pattern: str) -> str:
    """``${x#p}``, ``${x%p}`` and their greedy forms."""
    regex = pattern_regex(pattern, lazy=len(op) == 1) if len(value) <= MATCHED else None
    if regex is None or UNKNOWN in value or UNKNOWN in pattern:
        return UNKNOWN
    if op[0] == "#":
        match = re.match(regex, value, re.DOTALL)
        return value[match.end() :] if match else value
    starts = range(len(value), -1, -1) if len(op) == 1 else range(len(value) + 1)
    for start in starts:
        if re.fullmatch(regex, value[start:], re.DOTALL):
            return value[:start]
    return value


def replaced(value: str, op: str, operand: str) -> str:
    """``${x/a/b}`` and ``${x//a/b}``."""
    pattern, _, new = operand.partition("/")
    if UNKNOWN in value or UNKNOWN in pattern:
        return UNKNOWN
    anchor = pattern[:1] if pattern[:1] in ("#", "%") and op == "/" else ""
    regex = pattern_regex(pattern[len(anchor) :], lazy=False) if len(value) <= MATCHED else None
    if regex is None:
        return UNKNOWN
    regex = {"#": r"\A" + regex, "%": regex + r"\Z"}.get(anchor, regex)
    if not pattern:
        return value
    return re.sub(regex, lambda _: new, value, count=0 if op == "//" else 1, flags=re.DOTALL)


def pattern_regex(pattern: str, *, lazy: bool) -> str | None:
    """A shell pattern as a regex; None where matching it could take long."""
    if len(pattern) > 200 or pattern.count("*") > 2:
        return None
    out = []
    for piece in re.findall(r"\\.|\[[^\]]+\]|.", pattern, re.DOTALL):
        if piece == "*":
            out.append(".*?" if lazy else ".*")
        elif piece == "?":
            out.append(".")
        elif len(piece) > 2 and piece[0] == "[":
            inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            out.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
        else:
            out.append(re.escape(piece[-1]))
    return "".join(out)


def cased(value: str, op: str) -> str:
    if op == "^^":
        return value.upper()
    if op == ",,":
        return value.lower()
    return (value[:1].upper() if op == "^" else value[:1].lower()) + value[1:]


_MARKS = re.compile(f"[{OPEN}{ALTERNATIVE}{CLOSE}]")
_CHOICE = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
CHOICES = 128  #: words that the values of loop variables may make of one
LONG = 4_096  #: … if it is no longer than this,
GROUPS = 6  #: and has no more such variables


def spread(word: str) -> tuple[list[str], bool]:
    """A word with values that a variable may have: one word for each; and whether that is all of them."""
    done: list[str] = []
    todo = [word]
    room = CHOICES if len(word) < LONG and word.count(OPEN) <= GROUPS else 0
    complete = True
    while todo:
        one = todo.pop()
        match = _CHOICE.search(one)
        if match is None:
            done.append(one)
            continue
        head, tail = one[: match.start()], one[match.end() :]
        choices = match[1].split(ALTERNATIVE)
        if len(choices) + len(todo) + len(done) > room:
            complete = False
            done.append(_MARKS.sub("", _CHOICE.sub(UNKNOWN, one)))
            continue
        todo += [head + choice + tail for choice in reversed(choices)]
    return done, complete
