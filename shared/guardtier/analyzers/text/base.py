"""TextAnalyzer: what the analyzers of text have in common."""

from __future__ import annotations

from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import ABSTAINS, SecurityAnalyzer
from guardtier.analyzers.text.fields import Texts, texts_of
from guardtier.analyzers.view import view_of
from guardtier.assessment import Assessment, Finding


class TextAnalyzer(SecurityAnalyzer):
    """Looks for things and votes the worst one that it finds; abstains where it finds none.

    It raises a rating and clears nothing: what others can't tell stays UNKNOWN beside a MEDIUM of its
    own (:meth:`View.vote`), which anybody can provoke.
    """

    cheap: ClassVar[bool] = True

    def assess(self, action: ActionEvent) -> Assessment:
        findings = self.findings(texts_of(action))
        return view_of(action).vote(findings) if findings else ABSTAINS

    def findings(self, texts: Texts) -> list[Finding]:
        """What is found in the texts of one action."""
        raise NotImplementedError
