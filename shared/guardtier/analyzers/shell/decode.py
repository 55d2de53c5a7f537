"""What a command prints, where that can be told without running it: echo, printf, base64 -d and so on."""

from __future__ import annotations

import lzma
import zlib

from guardtier.analyzers.shell import decoders, utilities
from guardtier.analyzers.shell.model import Command
from guardtier.analyzers.shell.output import LARGEST, Output, Printer


def printed(command: Command, stdin: Output | None) -> Output | None:
    """The standard output of a command; None where it can't be told, or where it is longer than LARGEST."""
    if any(
        redirect.kind in ("write", "append") and redirect.fd in (None, 1) for redirect in command.redirects
    ):
        return Output(b"")
    printer = _PRINTERS.get(command.program)
    if printer is None:
        return None
    args = [word.text for word in command.args]
    try:
        found = printer(args, stdin)
    except (ValueError, EOFError, OSError, lzma.LZMAError, zlib.error):
        return None
    return found if found is not None and len(found.data) <= LARGEST else None


def prints(command: Command) -> bool:
    """True where it may be told what a command prints; never wrongly False."""
    program = command.program
    return bool(command.redirects) or (program in _PRINTERS and not (program == "cat" and command.args))


_PRINTERS: dict[str, Printer] = {
    "echo": decoders.echo,
    "printf": decoders.printf,
    "cat": decoders.cat,
    "tee": decoders.tee,
    "base64": decoders.base64,
    "gbase64": decoders.base64,
    "base32": decoders.base32,
    "openssl": decoders.openssl,
    "xxd": decoders.xxd,
    "gunzip": decoders.gunzip,
    "zcat": decoders.gunzip,
    "gzcat": decoders.gunzip,
    "gzip": decoders.gzip,
    "pigz": decoders.gzip,
    "bzcat": decoders.bunzip,
    "bunzip2": decoders.bunzip,
    "bzip2": decoders.only_with_d(decoders.bunzip),
    "xzcat": decoders.unxz,
    "unxz": decoders.unxz,
    "xz": decoders.only_with_d(decoders.unxz),
    "rev": decoders.rev,
    "tac": decoders.tac,
    "tr": decoders.tr,
    "rot13": decoders.rot13,
    "python": decoders.python,
    "python2": decoders.python,
    "python3": decoders.python,
    "which": utilities.which,
    "command": utilities.command,
    "type": utilities.type_,
    "pwd": utilities.fixed("."),
    "uname": utilities.uname,
    "arch": utilities.fixed("x86_64"),
    "nproc": utilities.fixed("4"),
    "dpkg": utilities.for_args("--print-architecture", "amd64"),
    "lsb_release": utilities.for_args("-cs", "stable"),
    "dirname": utilities.dirname,
    "basename": utilities.basename,
    "realpath": utilities.same,
    "readlink": utilities.same,
    "git": utilities.git,
    "mktemp": utilities.mktemp,
    "ssh-agent": utilities.settings("-s", "-c", "-t"),
    "direnv": utilities.settings("hook", "export"),
    "brew": utilities.settings("shellenv"),
    "pyenv": utilities.settings("init", "virtualenv-init"),
    "rbenv": utilities.settings("init"),
    "nodenv": utilities.settings("init"),
    "goenv": utilities.settings("init"),
    "jenv": utilities.settings("init"),
    "fnm": utilities.settings("env"),
    "mise": utilities.settings("activate", "env", "hook-env"),
    "zoxide": utilities.settings("init"),
    "starship": utilities.settings("init"),
    "minikube": utilities.settings("docker-env", "podman-env"),
    "docker-machine": utilities.settings("env"),
    "opam": utilities.settings("env"),
    "conda": utilities.settings("shell.bash", "shell.zsh", "shell.posix"),
    "micromamba": utilities.settings("shell hook"),
    "mamba": utilities.settings("shell hook"),
    "luarocks": utilities.settings("path"),
    "dircolors": utilities.settings("-b", "-c"),
}
