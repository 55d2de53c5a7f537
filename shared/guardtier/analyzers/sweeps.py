"""unswept(method): Python's garbage collection waits while it runs.

What an assessment makes (syntax trees, words, commands) is freed when it is done, without a collection; one
in the middle of it only goes through all of it in vain. Measured: a tenth of the time of Python that has to
be parsed. Bounded by the assessment, which is bounded by the action's length.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


def unswept(method: Callable[Given, Result]) -> Callable[Given, Result]:
    """Whoever has turned the collection off finds it off afterwards."""

    @wraps(method)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        if not gc.isenabled():
            return method(*args, **kwargs)
        gc.disable()
        try:
            return method(*args, **kwargs)
        finally:
            gc.enable()

    return run
