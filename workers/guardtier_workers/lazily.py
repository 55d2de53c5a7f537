"""Lazily: a module that a library of ours imports, and none of us uses, is loaded by whoever does."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

_loading = RLock()


class _Later(ModuleType):
    """Becomes what it stands for at the first look at something in it.

    Not importlib's ``LazyLoader``: there ``import`` itself is such a look, in Python 3.11 at least.
    """

    def __getattr__(self, name: str) -> Any:
        with _loading:
            spec = self.__spec__
            if self.__class__ is _Later and spec is not None and spec.loader is not None:
                self.__class__ = _Loading
                spec.loader.exec_module(self)
                self.__class__ = ModuleType  # type: ignore[assignment]
        return object.__getattribute__(self, name)


class _Loading(_Later):
    """While it is: other threads wait for the end."""


def put_off(name: str) -> None:
    """Have ``import name`` load it once something in it is used; nothing where it is, or is not there."""
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = _Later
        sys.modules[name] = module
