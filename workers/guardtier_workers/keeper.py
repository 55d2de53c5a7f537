"""Keeper: what a worker takes secrets out of texts with, once it knows the tier's key for fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import GuardtierError, UnusableEntry
from guardtier.redacted import Fingerprinter, Kept, has_marks
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis
from guardtier.store.delivery import Delivery
from guardtier.store.histories import fingerprint_key
from guardtier_workers.lane import Lane

if TYPE_CHECKING:
    from guardtier.analyzers.text.gitleaks import SecretRules
    from guardtier.analyzers.text.keeping import Keeping

#: Bytes of a payload that are searched for a dead letter, which keeps fewer (refuse.lua): a secret that is
#: cut off here is not in it.
_BEGINNING = 128 * 1024


class Keeper:
    """One for each worker. ``rules`` gives those of its analyzer; without, they are loaded when needed."""

    def __init__(
        self, settings: Settings, redis: AnyRedis, rules: Callable[[], SecretRules] | None = None
    ) -> None:
        self._settings, self._redis = settings, redis
        self._rules = rules or (lambda: _rules_of(settings))
        self._keeping: Keeping | None = None

    async def ready(self) -> Keeping | None:
        """None where the settings say that secrets are kept. Raises what Redis raises.

        To be called before an action is rated: what is looked for in it then includes secrets.
        """
        if self._keeping is None and self._settings.redact:
            from guardtier.analyzers.text.keeping import (
                Keeping,  # 5 MB, which most policy workers never need
            )

            given = self._settings.history_key
            key = given.get_secret_value().encode() if given else await fingerprint_key(self._redis)
            if self._keeping is None:  # nobody else came first
                self._keeping = Keeping(self._rules(), Fingerprinter(key))
        return self._keeping

    async def kept(self, delivery: Delivery, action: ActionEvent, assessment: Assessment) -> Kept:
        """What is kept of an action that came by this delivery."""
        keeping = self._keeping or await self.ready()
        event = delivery.fields[b"payload"]
        return keeping.of(action, event, assessment) if keeping else Kept(event, assessment)

    async def rated(
        self, lane: Lane, delivery: Delivery, action: ActionEvent, assessment: Assessment
    ) -> None:
        """Hand on the rating of an edited action, with what is kept of it."""
        kept = await self.kept(delivery, action, assessment)
        done = await lane.ledger.rated(delivery, action, kept.assessment, event=_edited(kept, action))
        if done.what == "gone":
            raise UnusableEntry(f"no action {delivery.id[:80]!r} is there to be edited", field="id")

    async def refused(self, delivery: Delivery, error: GuardtierError) -> GuardtierError:
        """What may be said of what can't be served: the error may quote it, by its field too."""
        keeping = await self.ready()
        if keeping is None:
            return error
        text = partial(keeping.text, delivery.fleet or "")
        return error.saying(text(error.message), field=text(error.field) if error.field else None)

    async def buried(self, delivery: Delivery) -> bytes:
        """What a dead letter keeps of what can't be read: its beginning."""
        keeping, payload = await self.ready(), delivery.fields.get(b"payload", b"")[:_BEGINNING]
        if keeping is None or not payload:
            return payload
        return keeping.text(delivery.fleet or "", payload.decode("utf-8", "replace")).encode()

    async def words(self, fleet: str, text: str) -> str:
        """What a person wrote, without secrets."""
        if not text.strip():
            return text
        keeping = await self.ready()
        return keeping.text(fleet, text) if keeping else text


def _edited(kept: Kept, action: ActionEvent) -> bytes | None:
    """What is kept of an edited action, where that is not all of it. What stands for secrets in what its
    agent said stands there already, and no edit has brought it.
    """
    if not kept.marks:
        return None
    said = {"summary": action.summary, "thought": action.thought}
    marked = {name: text for name, text in said.items() if text and has_marks(text)}
    return ActionEvent.from_json(kept.event).model_copy(update=marked).to_json()


def _rules_of(settings: Settings) -> SecretRules:
    """The configured rules for secrets, or the package's."""
    from guardtier.analyzers.text.secrets import package_rules, secret_rules

    own = settings.analyzer.get("secrets")
    file = own.options.get("file") if own else None
    return secret_rules(file) if file is not None else package_rules()
