"""Encodings that a Python text declares: in some, the same characters are other code to Python.

In ``unicode_escape`` a comment with ``\\n`` in it ends there, in ``utf_7`` all may be spelled without a
word (PEP 263). What is read here is the text as it stands, and not what would run: that is HIGH.
"""

from __future__ import annotations

import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from guardtier.analyzers.code.source import Report
from guardtier.risk import SecurityRisk

_COOKIE = re.compile(
    r"\A(?:[ \t\f]*(?:#[^\n]*)?\r?\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*(?P<name>[-\w.]+)", re.ASCII
)
#: Those of Python 3.14's codecs that decode some ASCII text to another one.
_OTHER = re.compile(
    r"utf_?(?:7|16|32)\w*|u(?:7|16|32)|(?:raw_)?unicode_?escape|punycode|idna|undefined|hz\w*|iso_?2022\w*|"
    r"cp(?:037|1026|1140|273|424|500|864|875)|shift_?jis(?:_2004|x_?0213)"
)


def rate_encoding(report: Report) -> None:
    found = _COOKIE.match(report.text) if "coding" in report.text else None
    if found is None:
        return
    name = normalize_encoding(found["name"]).lower()
    if _OTHER.fullmatch(aliases.get(name, name)):
        message = f"Is read by Python as {name}, in which it is other code than it looks (ATT&CK T1027)."
        report.add("python.obscured.encoding", SecurityRisk.HIGH, message, found.span("name"))
