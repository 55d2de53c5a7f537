"""Code inside commands and files in languages that no parser of ours reads."""

from __future__ import annotations

from collections.abc import Callable

from guardtier.analyzers.gate import GATE
from guardtier.analyzers.parts import CodePart
from guardtier.analyzers.text.fields import Text, Texts
from guardtier.analyzers.text.parts import Part, Parts, Path
from guardtier.analyzers.text.places import Place
from guardtier.analyzers.view import view_of
from guardtier.assessment import Finding

_LANGUAGES = ("node", "php", "perl", "ruby", "powershell", "applescript", "compiled", "other")
#: One of these is in every command that runs or writes such code; where none is, the parser stays unasked.
_NAMED = GATE.admit(["node|php|perl|ruby|[.]js|[.]rb|[.]pl|deno|bun|osascript|pwsh|owershell|lua|#!"])
_CODE = Path("code")


def found_in_foreign(texts: Texts, search: Callable[[Text], list[Finding]]) -> list[Finding]:
    """What the search finds in ``php -r``, ``node -e``, a page that ``cat > x.php`` writes …"""
    if texts.foreign is None:
        texts.foreign = _foreign(texts)
    return [_in_the_field(found, code) for code in texts.foreign for found in search(_text_of(code))]


def _foreign(texts: Texts) -> tuple[CodePart, ...]:
    view = view_of(texts.action)
    if view.kind != "python" and not texts.runs.concerns(_NAMED):
        return ()
    if view.kind == "file-write":  # its content is searched as it is
        return ()
    return tuple(code for language in _LANGUAGES for code in view.code(language))


def _text_of(code: CodePart) -> Text:
    return Text([code.text], lambda: Parts(Part(_CODE, code.text, Place.CODE)))


def _in_the_field(finding: Finding, code: CodePart) -> Finding:
    span = code.place(*finding.span) if finding.span else None
    return finding.model_copy(update={"field": code.field.path, "span": span})
