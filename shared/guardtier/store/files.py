"""PolicyFiles: the policy file that stands for all fleets of a partition."""

from __future__ import annotations

from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition

_NO_TEXT = "0" * 64  #: by which no text is kept


class PolicyFiles(Scripts):
    """The part of the ledger that policy files move."""

    async def configure_file(
        self,
        delivery: Delivery,
        *,
        replaces: bytes,
        pointer: bytes,
        text: bytes,
        digest: str | None,
        was_digest: str | None,
        version: str,
        was: str,
        approver: str,
        told: str,
        keep_text_ms: int,
    ) -> Transition:
        """Let a policy file take effect that an approver has set, or a reset (no ``digest``).

        ``moved`` where another one stands than ``replaces``. The text that it replaces is kept for
        ``keep_text_ms`` more.
        """
        keys = self._keys
        return await self._run(
            "configure_file",
            [
                keys.policies,
                delivery.stream,
                keys.audit,
                keys.told(told),
                keys.policy_text(digest or _NO_TEXT),
                keys.policy_text(was_digest or _NO_TEXT),
            ],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                replaces,
                pointer,
                version,
                was,
                approver,
                self._keep.reply_ms,
                text,
                keep_text_ms,
                digest or "",
            ],
        )
