"""Dynamic names: whether a Python text may reach something by a name that is put together."""

from __future__ import annotations

import re

from guardtier.analyzers.code.reach import Reach

#: Words by which anything may be reached without its name.
DYNAMIC = frozenset({
    "getattr", "__import__", "import_module", "importlib", "globals", "locals", "vars", "__builtins__",
    "builtins", "__getattribute__", "__subclasses__", "__globals__", "attrgetter", "methodcaller", "posix",
    "_posixsubprocess", "__code__", "__loader__", "load_module", "exec_module", "_socket", "cPickle",
    "_pickle", "run_line_magic", "get_ipython", "urllib2", "httplib", "modules",
    "__dict__", "f_globals", "f_locals", "f_builtins", "cloudpickle", "pydoc", "resolve_name",
    "getattr_static", "__self__",
})  # fmt: skip
#: An attribute or a module that is named in a literal is among the words; so these have plain uses.
_NAMED = frozenset({"getattr", "modules"})

#: They begin with a literal, which re looks for in a third of the time that ``\\b`` takes, and look back.
_LITERAL_ATTRIBUTE = re.compile(r"getattr(?<!\wgetattr)\(\s*[\w.\[\]]+,\s*(?P<q>\\?['\"])\w+(?P=q)\s*[,)]")
_VARIABLE_ATTRIBUTE = re.compile(r"getattr(?<!\wgetattr)\b")
_LITERAL_MODULE = re.compile(
    r"sys(?<!\wsys)\.modules(?:\[|\.get\(|\.pop\()\s*(?P<q>['\"])[\w.]+(?P=q)\s*[\]),]|"
    r"in(?<!\win) sys\.modules\b|sys(?<!\wsys)\.modules\[(?:__name__\]|[^\[\]\n]*\](?:\.\w+)?[ \t]*=(?!=))"
)
_MODULES = re.compile(r"modules(?<!\wmodules)\b")
_SYS = re.compile(r"sys(?<!\wsys)\b")


def is_dynamic(words: frozenset[str], text: str, reach: Reach) -> bool:
    """Whether one of these of :data:`DYNAMIC`, which are in the text, leads to what is not named in it."""
    said = {word for word in words if reach.says(word)}
    if not said:
        return False
    if said <= _NAMED and text.isascii():  # else one of the names may be there in other letters
        return ("getattr" in said and _more(_VARIABLE_ATTRIBUTE, _LITERAL_ATTRIBUTE, text)) or (
            "modules" in said and bool(_SYS.search(text)) and _more(_MODULES, _LITERAL_MODULE, text)
        )
    return True


def _more(every: re.Pattern[str], plain: re.Pattern[str], text: str) -> bool:
    return sum(1 for _ in every.finditer(text)) > sum(1 for _ in plain.finditer(text))
