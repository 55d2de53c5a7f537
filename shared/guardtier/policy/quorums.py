"""Quorums: how many must approve what a rule parks, together with the rules that surely park it as well."""

from __future__ import annotations

from collections.abc import Sequence

from guardtier.policy.joining import joined
from guardtier.policy.overlap import Covering
from guardtier.policy.rules import Rule
from guardtier.policy.terms import Terms

#: The roles of which one is needed (none: any approver), and how many different people must approve.
Quorum = tuple[tuple[str, ...], int]


def quorum_of(terms: Terms) -> Quorum:
    return terms.roles, terms.approve


def quorums_of(rules: Sequence[Rule]) -> dict[str, Quorum]:
    """The quorum of each rule with terms, by the rule's name."""
    alike: dict[Quorum, int] = {}
    for number, rule in enumerate(rules):
        if rule.terms is not None:
            quorum = quorum_of(rule.terms)
            alike[quorum] = alike.get(quorum, 0) | 1 << number
    covering = Covering(rules)
    found: dict[str, Quorum] = {}
    for number, rule in enumerate(rules):
        if rule.terms is not None:
            found[rule.name] = _together(alike, covering.of(rule) | 1 << number)
    return found


def _together(alike: dict[Quorum, int], mask: int) -> Quorum:
    """What the quorums of these rules come to. The order is that of the file."""
    first = {quorum: (bits & mask) & -(bits & mask) for quorum, bits in alike.items() if bits & mask}
    ordered = sorted(first, key=first.__getitem__)
    return quorum_of(joined([Terms(roles=roles, approve=approve) for roles, approve in ordered]))
