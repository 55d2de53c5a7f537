"""Reads shell text: what would run, with quoting and expansion resolved and wrappers taken off.

``model.py`` is what comes out (and all that other folders need to know), ``reader.py`` the way in.
"""

from guardtier.analyzers.shell.model import Code, Command, Context, Redirect, Script, Word
from guardtier.analyzers.shell.reader import read

__all__ = ["Code", "Command", "Context", "Redirect", "Script", "Word", "read"]
