"""Printers of what they are given, decoded or not: echo, printf, base64, xxd, gzip, tr and so on."""

from __future__ import annotations

import binascii
import bz2
import codecs
import lzma
import re
import zlib
from base64 import b32decode, b64decode, b64encode
from collections.abc import Callable

from guardtier.analyzers.shell import escapes
from guardtier.analyzers.shell.output import LARGEST, Output, as_output


def echo(args: list[str], stdin: Output | None) -> Output | None:
    options = 0
    flags = ""
    while options < len(args) and re.fullmatch(r"-[neE]+", args[options]):
        flags += args[options]
        options += 1
    text = " ".join(args[options:])
    if "e" in flags or ("\\" in text and escapes.hides(text)):
        return as_output(escapes.unescaped(text), decoded=escapes.hides(text))
    return as_output(text + "\n" * ("n" not in flags))


def printf(args: list[str], stdin: Output | None) -> Output | None:
    if args[:1] == ["--"]:
        args = args[1:]
    if not args or args[0].startswith("-v"):
        return None
    text = escapes.formatted(args[0], args[1:])
    hidden = escapes.hides(args[0]) or ("%b" in args[0] and any(map(escapes.hides, args[1:])))
    data = (
        None
        if text is None
        else text.encode("latin-1" if hidden and _is_latin(text) else "utf-8", "surrogatepass")
    )
    return None if data is None else Output(data, hidden)


def _is_latin(text: str) -> bool:
    return all(ord(char) < 256 for char in text[:LARGEST])


def cat(args: list[str], stdin: Output | None) -> Output | None:
    return stdin if all(arg in ("-", "-u", "/dev/stdin") for arg in args) else None


def tee(args: list[str], stdin: Output | None) -> Output | None:
    return stdin


def base64(args: list[str], stdin: Output | None) -> Output | None:
    if stdin is None:
        return None
    if not any(re.fullmatch(r"-[di]*[dD][di]*|--d[ecod]*", arg) for arg in args):
        return Output(b64encode(stdin.data) + b"\n")
    return Output(_unbase64(stdin.data), True)


def _unbase64(data: bytes) -> bytes:
    kept = re.sub(rb"[^A-Za-z0-9+/_-]", b"", data[: 2 * LARGEST]).translate(bytes.maketrans(b"-_", b"+/"))
    return b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + b"=" * (-len(kept) % 4))


def base32(args: list[str], stdin: Output | None) -> Output | None:
    if stdin is None or not any(re.fullmatch(r"-[di]+|--decode", arg) for arg in args):
        return None
    kept = re.sub(rb"[^A-Z2-7]", b"", stdin.data.upper())
    return Output(b32decode(kept + b"=" * (-len(kept) % 8)), True)


def openssl(args: list[str], stdin: Output | None) -> Output | None:
    named = "base64" in args or "-base64" in args or "-a" in args
    return Output(_unbase64(stdin.data), True) if stdin is not None and named and "-d" in args else None


def xxd(args: list[str], stdin: Output | None) -> Output | None:
    flags = "".join(arg for arg in args if arg.startswith("-"))
    if stdin is None or "r" not in flags:
        return None
    text = stdin.data
    if "p" not in flags:
        text = b"".join(line.partition(b":")[2].partition(b"  ")[0] for line in text.splitlines())
    digits = re.sub(rb"[^0-9a-fA-F]", b"", re.sub(rb"0x|\\x", b"", text))
    return Output(binascii.unhexlify(digits[: len(digits) // 2 * 2]), True)


def gunzip(args: list[str], stdin: Output | None) -> Output | None:
    if stdin is None:
        return None
    return Output(zlib.decompressobj(wbits=47).decompress(stdin.data, LARGEST), True)


def gzip(args: list[str], stdin: Output | None) -> Output | None:
    decompress = any(re.fullmatch(r"-[a-z0-9]*d[a-z0-9]*|--decompress|--uncompress", arg) for arg in args)
    return gunzip(args, stdin) if decompress else None


def bunzip(args: list[str], stdin: Output | None) -> Output | None:
    return None if stdin is None else Output(bz2.BZ2Decompressor().decompress(stdin.data, LARGEST), True)


def unxz(args: list[str], stdin: Output | None) -> Output | None:
    return None if stdin is None else Output(lzma.LZMADecompressor().decompress(stdin.data, LARGEST), True)


def only_with_d(
    inner: Callable[[list[str], Output | None], Output | None],
) -> Callable[[list[str], Output | None], Output | None]:
    return lambda args, stdin: (
        inner(args, stdin) if any("d" in arg for arg in args if arg.startswith("-")) else None
    )


def rev(args: list[str], stdin: Output | None) -> Output | None:
    if stdin is None:
        return None
    return as_output("\n".join(line[::-1] for line in stdin.text.split("\n")), decoded=True)


def tac(args: list[str], stdin: Output | None) -> Output | None:
    return (
        None
        if stdin is None
        else Output(b"\n".join(reversed(stdin.data.strip(b"\n").split(b"\n"))), stdin.decoded)
    )


def tr(args: list[str], stdin: Output | None) -> Output | None:
    if stdin is None or not args:
        return None
    if args[0] in ("-d", "--delete") and len(args) == 2:
        drop = set(_tr_set(args[1]))
        return as_output("".join(char for char in stdin.text if char not in drop), decoded=True)
    if len(args) != 2 or args[0].startswith("-"):
        return None
    old, new = _tr_set(args[0]), _tr_set(args[1])
    if not new or not old:
        return None
    new += new[-1] * (len(old) - len(new))
    table = {ord(one): other for one, other in zip(old, new, strict=False)}
    # Another case of the same letters is what names of platforms and variables are given.
    hiding = any(
        one.isalnum() and one.lower() != other.lower() for one, other in zip(old, new, strict=False)
    )
    return as_output(stdin.text.translate(table), decoded=stdin.decoded or hiding)


def _tr_set(text: str) -> str:
    text = escapes.unescaped(text[:1_000])
    classes = {
        "[:lower:]": "a-z",
        "[:upper:]": "A-Z",
        "[:digit:]": "0-9",
        "[:space:]": " \t\n",
        "[:alpha:]": "A-Za-z",
    }
    for name, value in classes.items():
        text = text.replace(name, value)
    return re.sub(
        r"([A-Za-z0-9!-/])-([A-Za-z0-9~])",
        lambda match: "".join(map(chr, range(ord(match[1]), ord(match[2]) + 1))),
        text,
    )


def python(args: list[str], stdin: Output | None) -> Output | None:
    """``python3 -c "print(b64decode('…').decode())"`` and its kin."""
    code = " ".join(args)
    found = re.search(r"b64decode\(\s*b?['\"]([A-Za-z0-9+/=_-]*)['\"]", code)
    if found:
        return Output(_unbase64(found[1].encode()), True)
    found = re.search(r"fromhex\(\s*['\"]([0-9a-fA-F\s]*)['\"]", code)
    if found:
        return Output(bytes.fromhex(found[1]), True)
    if "b64decode" in code and "stdin" in code and stdin is not None:
        return Output(_unbase64(stdin.data), True)
    return None


def rot13(args: list[str], stdin: Output | None) -> Output | None:
    return None if stdin is None else as_output(codecs.decode(stdin.text, "rot13"), decoded=True)
