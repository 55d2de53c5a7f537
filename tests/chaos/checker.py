"""The history checker: what clients saw and what the tier wrote down, held against what it promises.

Of each action: one terminal verdict, reached by a legal path; no release without an assessment and a
decision of the policy, or answers that suffice, before it; one digest, or a chain of edits; the record,
the audit stream and whatever its clients were told say the same. And each audit stream is complete and
in order. ``audit_model.py`` has the rules of a path; ``order.py``, ``recorded.py``, ``told.py``,
``orders.py`` (what an operator ordered) and ``seals.py`` (what is signed) have the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from audit_model import AuditBroken, AuditModel
from chaos.history import History
from chaos.order import check_order
from chaos.orders import check_orders
from chaos.reading import Written
from chaos.recorded import check_records
from chaos.seals import check_seals
from chaos.told import check_told, unused
from chaos.violation import Violation

#: What a tier that lost its last writes can't know any more. The client was told so, or finds out.
FORGOTTEN = frozenset(
    {
        "record-missing",
        "told-not-recorded",
        "told-unaudited",
        "told-otherwise",
        "told-never-state",
        "ran-unredeemed",
        "answer-lost",
        "told-two",
    }
)


@dataclass
class Report:
    """What came of a check. ``gone``: what a lossy tier forgot; ``unused``: approvals without a run."""

    actions: int
    violations: list[Violation] = field(default_factory=list)
    gone: list[Violation] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self._count("lost")

    @property
    def double(self) -> int:
        return self._count("double")

    @property
    def wrong(self) -> int:
        return self._count("wrong")

    @property
    def kinds(self) -> dict[str, int]:
        """How many violations of each kind."""
        return dict(Counter(violation.kind for violation in self.violations))

    @property
    def ok(self) -> bool:
        return not self.violations

    def _count(self, column: str) -> int:
        return sum(violation.column == column for violation in self.violations)

    def __str__(self) -> str:
        some = [str(violation) for violation in self.violations[:20]]
        return "\n".join([f"{self.actions} actions, {self.kinds}", *some])


def check(
    written: Written,
    history: History,
    *,
    may_fail: frozenset[str] = frozenset(),
    lossy: bool = False,
    silent: bool = False,
    may_lack: frozenset[str] = frozenset(),
) -> Report:
    """Check it all. ``may_fail``: codes of errors that may end an action for its agent, as the fault wants.

    ``lossy``: the Redis may have forgotten its last writes; what it forgot is ``gone``, not lost.
    ``silent``: no agent may see any error, not even one after which it asks again. ``may_lack``: kinds of
    violation that are ``gone`` as well, since older workers wrote beside those of this version.
    """
    model = AuditModel()
    standing: dict[int, set[str]] = {}
    found = [*check_order(written), *_paths(model, written, standing)]
    found += check_records(written, model.stories)
    found += check_told(history, model.stories, written, may_fail)
    found += check_orders(history, model.stories, written, standing)
    found += check_seals(written, history)
    found += [Violation("role-denied", "", denied) for denied in written.denied]
    found += [Violation("error-seen", c.id, f"{c.error}: {c.detail}") for c in history.errors if silent]
    asked = {call.id for call in history}
    report = Report(len(asked | model.stories.keys()), unused=unused(history, model.stories))
    for violation in found:
        forgotten = violation.kind in may_lack or (lossy and violation.kind in FORGOTTEN)
        (report.gone if forgotten else report.violations).append(violation)
    return report


def _paths(model: AuditModel, written: Written, standing: dict[int, set[str]]) -> Iterator[Violation]:
    for partition, lines in written.lines.items():
        model.begin()
        for line in lines:
            try:
                model.take(line)
            except AuditBroken as broken:
                yield Violation(broken.kind, line.get("id", ""), f"{broken}: {line}")
            except (KeyError, ValueError, TypeError) as error:
                yield Violation("unreadable-line", line.get("id", ""), f"{error!r}: {line}")
        standing[partition] = model.standing
