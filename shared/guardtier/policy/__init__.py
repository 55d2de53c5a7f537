"""What decides whether a rated action waits for a person. ``confirmation.py`` has the policies."""

from guardtier.policy.confirmation import (
    AlwaysConfirm,
    ConfirmationPolicy,
    ConfirmRisky,
    NeverConfirm,
    Policy,
)

__all__ = ["AlwaysConfirm", "ConfirmRisky", "ConfirmationPolicy", "NeverConfirm", "Policy"]
