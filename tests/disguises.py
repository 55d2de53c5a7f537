"""Ways to spell a shell command that keep what it does. Each is a function of the command's text."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable

Disguise = Callable[[str], str]


def _first(change: Callable[[str], str]) -> Disguise:
    """Changes the name of the first command."""

    def disguise(text: str) -> str:
        name, space, rest = text.partition(" ")
        return change(name) + space + rest

    return disguise


def _last(change: Callable[[str], str]) -> Disguise:
    """Changes the last word, where it stands outside quotes and is no glob or home."""

    def disguise(text: str) -> str:
        head, space, last = text.rpartition(" ")
        plain = last.replace("/", "").replace(".", "").replace("-", "").replace("_", "").isalnum()
        return head + space + change(last) if space and plain and not last.startswith("-") else text

    return disguise


def _wrapped(before: str) -> Disguise:
    return lambda text: f"{before} {text}"


def _in_quotes(before: str) -> Disguise:
    return lambda text: f"{before} {shlex.quote(text)}"


def _between(before: str, after: str) -> Disguise:
    return lambda text: before + text + after


def _spread(by: str) -> Disguise:
    """Other white space between the words, where nothing is quoted."""
    return lambda text: text if set(text) & set("'\"\\") else text.replace(" ", by)


def _hex(word: str) -> str:
    return "$'" + "".join(f"\\x{ord(char):02x}" for char in word) + "'"


def _octal(word: str) -> str:
    return "$'" + "".join(f"\\{ord(char):03o}" for char in word) + "'"


def _absolute(name: str) -> str:
    return name if "/" in name else f"/usr/bin/{name}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _hidden(char: str) -> Callable[[str], str]:
    return lambda name: name[:1] + char + name[1:]


#: For one program with its arguments, that a wrapper can run.
ON_PROGRAMS: dict[str, Disguise] = {
    "sudo": _wrapped("sudo"),
    "sudo with options": _wrapped("sudo -n -u root --"),
    "doas": _wrapped("doas"),
    "env": _wrapped("env"),
    "env with variables": _wrapped("env -i PATH=/bin LANG=C"),
    "prefix": _wrapped("LANG=C A=1"),
    "nohup": _wrapped("nohup"),
    "nice": _wrapped("nice -n 10"),
    "ionice": _wrapped("ionice -c3"),
    "timeout": _wrapped("timeout -k 5 10s"),
    "time": _wrapped("time"),
    "command": _wrapped("command"),
    "exec": _wrapped("exec"),
    "setsid": _wrapped("setsid"),
    "stdbuf": _wrapped("stdbuf -oL"),
    "strace": _wrapped("strace -f"),
    "busybox sh": _in_quotes("busybox sh -c"),
    "xargs": lambda text: f"echo . | xargs -I{{}} {text}",
    "absolute path": _first(_absolute),
    "many wrappers": _wrapped("sudo env A=1 nohup nice -n 5 timeout 9 command"),
    "flock": _wrapped("flock /tmp/lock"),
    "chroot": _wrapped("chroot /"),
    "watch": _in_quotes("watch -n 60"),
    "find -exec": lambda text: f"find . -maxdepth 0 -exec {text} \\;",
}

#: For any text.
ON_ALL: dict[str, Disguise] = {
    "sh -c": _in_quotes("sh -c"),
    "bash -lc": _in_quotes("bash -lc"),
    "sudo bash -c": _in_quotes("sudo bash -c"),
    "su -c": _in_quotes("su root -c"),
    "eval": _in_quotes("eval"),
    "sh -c twice": lambda text: f"sh -c {shlex.quote('sh -c ' + shlex.quote(text))}",
    "here-document": lambda text: f"bash <<'EOF'\n{text}\nEOF",
    "here-string": _in_quotes("bash <<<"),
    "echo to sh": lambda text: f"echo {shlex.quote(text)} | sh",
    "printf to bash": lambda text: f"printf '%s' {shlex.quote(text)} | bash",
    "base64": lambda text: f"echo {_base64(text)} | base64 -d | sh",
    "base64 in a here-string": lambda text: f"base64 --decode <<< {_base64(text)} | bash",
    "base64 in a substitution": lambda text: f'bash -c "$(echo {_base64(text)} | base64 -d)"',
    "hex": lambda text: f"echo {text.encode().hex()} | xxd -r -p | sh",
    "reversed": lambda text: f"echo {shlex.quote(text[::-1])} | rev | sh",
    "subshell": _between("( ", " )"),
    "group": _between("{ ", "; }"),
    "behind true": _between("true && ", ""),
    "behind a line": _between("cd src\n", ""),
    "before echo": _between("", "; echo done"),
    "in the background": _between("", " &"),
    "if": _between("if true; then ", "; fi"),
    "loop": _between("for i in 1 2; do ", "; done"),
    "while": _between("while :; do ", "; break; done"),
    "function": lambda text: f"f() {{ {text}\n}}; f",
    "substitution": lambda text: f'echo "$( {text} )"',
    "backquotes": lambda text: f"x=`{text}`" if "`" not in text and "\\" not in text else text,
    "comment": _between("", "  # tidy up"),
    "errors hidden": _between("", " 2>/dev/null || true"),
    "tabs": _spread("\t"),
    "many spaces": _spread("   "),
    "line continuation": _spread(" \\\n  "),
    "leading blanks": _between("  \n\t ", ""),
    "zero-width space in front": _between("\u200b", ""),
    "python": lambda text: f"python3 -c {shlex.quote(f'import os; os.system({text!r})')}",
    "perl": lambda text: "perl -e " + shlex.quote(f"system(q~{text}~)") if "~" not in text else text,
    "ssh": _in_quotes("ssh host"),
    "trap": lambda text: f"trap {shlex.quote(text)} EXIT",
    "variable with sh": lambda text: f'c={shlex.quote(text)}; sh -c "$c"',
    "variable with eval": lambda text: f'c={shlex.quote(text)}; eval "$c"',
}


def _in_braces(text: str) -> str:
    if " " not in text or set(text) & set("'\"\\{},~*|;&<>$()"):
        return text
    return "{" + text.replace(" ", ",") + "}"


def _by_variable(text: str) -> str:
    head, space, last = text.rpartition(" ")
    if not space or set(last) & set("'\"\\|;&<>()*~{}$`"):
        return text
    return f"t={last}; {head} $t"


#: For a text whose first word is the name of a program.
ON_NAMES: dict[str, Disguise] = {
    "quoted name": _first(lambda name: f'"{name}"'),
    "single quotes": _first(lambda name: f"'{name}'"),
    "empty quotes inside": _first(lambda name: name[:1] + "''" + name[1:]),
    "quotes inside": _first(lambda name: name[:1] + f'"{name[1:]}"'),
    "backslash in front": _first(lambda name: "\\" + name),
    "backslash inside": _first(lambda name: name[:1] + "\\" + name[1:]),
    "hex name": _first(_hex),
    "octal name": _first(_octal),
    "variable name": lambda text: f"c={text.partition(' ')[0]}; $c {text.partition(' ')[2]}",
    "two variables": lambda text: (
        f"a={text[:1]}; b={text.partition(' ')[0][1:]}; $a$b {text.partition(' ')[2]}"
    ),
    "default value": _first(lambda name: f"${{none:-{name}}}"),
    "name by echo": _first(lambda name: f"$(echo {name})"),
    "name by printf": _first(lambda name: f"$(printf {name})"),
    "brace expansion": _in_braces,
    "IFS": lambda text: text if set(text) & set("'\"\\|;&<>()") else text.replace(" ", "${IFS}"),
    "zero-width inside the name": _first(_hidden("\u200b")),
    "word joiner inside the name": _first(_hidden("\u2060")),
    "last word quoted": _last(lambda word: f'"{word}"'),
    "last word in pieces": _last(lambda word: word[:1] + "''" + word[1:]),
    "last word escaped": _last(lambda word: "\\" + word),
    "last word in hex": _last(_hex),
    "last word by variable": _by_variable,
}

#: What the name comes to is only known when it runs: UNKNOWN is the answer then, and as good as HIGH.
THAT_COMPUTE: dict[str, Disguise] = {
    "empty variable inside": _first(lambda name: name[:1] + "${none}" + name[1:]),
    "empty substitution inside": _first(lambda name: name[:1] + "$()" + name[1:]),
    "variable of the environment inside": _first(lambda name: name[:1] + "${EMPTY:-}" + name[1:]),
    "name out of a file": lambda text: f"$(cat name.txt) {text.partition(' ')[2]}",
    "name by an argument": lambda text: f'"$1" {text.partition(" ")[2]}',
}
