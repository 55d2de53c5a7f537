"""AlwaysConfirm, NeverConfirm, ConfirmRisky: names and meaning as in the OpenHands SDK."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from guardtier.risk import SecurityRisk


class ConfirmationPolicy(BaseModel):
    """Says whether an action of this risk must wait for a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    def should_confirm(self, risk: SecurityRisk = SecurityRisk.UNKNOWN) -> bool:
        raise NotImplementedError

    @property
    def version(self) -> str:
        """What a decision records of the policy that it was made under."""
        return self.kind


class AlwaysConfirm(ConfirmationPolicy):
    """Every action waits."""

    kind: Literal["always_confirm"] = "always_confirm"

    def should_confirm(self, risk: SecurityRisk = SecurityRisk.UNKNOWN) -> bool:
        return True


class NeverConfirm(ConfirmationPolicy):
    """No action waits, but for those that the tier could not analyze."""

    kind: Literal["never_confirm"] = "never_confirm"

    def should_confirm(self, risk: SecurityRisk = SecurityRisk.UNKNOWN) -> bool:
        return False


class ConfirmRisky(ConfirmationPolicy):
    """Actions at ``threshold`` or above wait; of UNKNOWN risk where ``confirm_unknown``."""

    kind: Literal["confirm_risky"] = "confirm_risky"
    threshold: SecurityRisk = SecurityRisk.HIGH
    confirm_unknown: bool = True

    @field_validator("threshold")
    @classmethod
    def _is_a_level(cls, threshold: SecurityRisk) -> SecurityRisk:
        if threshold is SecurityRisk.UNKNOWN:
            raise ValueError("the threshold can't be UNKNOWN: use confirm_unknown")
        return threshold

    def should_confirm(self, risk: SecurityRisk = SecurityRisk.UNKNOWN) -> bool:
        if risk is SecurityRisk.UNKNOWN:
            return self.confirm_unknown
        return risk.is_riskier(self.threshold)

    @property
    def version(self) -> str:
        return f"{self.kind}:{self.threshold}{'+unknown' if self.confirm_unknown else ''}"


#: What a settings file may name, told apart by ``kind``.
Policy = Annotated[AlwaysConfirm | NeverConfirm | ConfirmRisky, Field(discriminator="kind")]
