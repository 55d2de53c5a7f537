"""One finding of doctor: how bad it is, what it is about, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the report."""

    grade: Grade
    what: str
    says: str
