"""NoOpSecurityAnalyzer: rates nothing."""

from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.risk import SecurityRisk


class NoOpSecurityAnalyzer(SecurityAnalyzer):
    """Always UNKNOWN, so that the policy alone decides."""

    name: ClassVar[str] = "noop"
    cheap: ClassVar[bool] = True

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        return SecurityRisk.UNKNOWN
