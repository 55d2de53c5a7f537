"""Joining: the terms of an action that several rules park. It is never easier to approve than each says."""

from __future__ import annotations

from collections.abc import Sequence

from guardtier.policy.terms import Terms

_SEVERITY = {"wait": 0, "reject": 1, "halt": 2}


def joined(terms: Sequence[Terms]) -> Terms:
    """One set of terms from those of the rules, which come in the order of the file.

    The most approvals, the fewest rejections, the shortest time limit, the longest block of a retry, the
    hardest end; a reason where one asks for it, no edit and no grant where one forbids it; notices to all
    channels. Who may answer: those with a role that all the rules with roles have in common; where there is
    none, the roles of the first of them. Reminders and escalation are those of the first that has them.
    """
    if len(terms) == 1:
        return terms[0]
    limits = [one.time_limit for one in terms if one.time_limit is not None]
    limit = min(limits, default=None)
    steps = next((one.escalate for one in terms if one.escalate), ())
    return Terms(
        time_limit=limit,
        on_timeout=max((one.on_timeout for one in terms), key=_SEVERITY.__getitem__),
        roles=_roles([one.roles for one in terms if one.roles]),
        approve=max(one.approve for one in terms),
        reject=min(one.reject for one in terms),
        reason_required=any(one.reason_required for one in terms),
        may_edit=all(one.may_edit for one in terms),
        may_remember=all(one.may_remember for one in terms),
        retry=max(one.retry for one in terms),
        notify=tuple(dict.fromkeys(channel for one in terms for channel in one.notify)),
        remind_every=next((one.remind_every for one in terms if one.remind_every is not None), None),
        escalate=tuple(step for step in steps if limit is None or step.after < limit),
    )


def _roles(groups: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not groups:
        return ()
    common = tuple(role for role in groups[0] if all(role in group for group in groups))
    return common or groups[0]
