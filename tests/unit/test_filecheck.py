"""What a policy file is refused for that wants more people than there are."""

from __future__ import annotations

import pytest

from guardtier.answer import key_of
from guardtier.errors import ConfigError
from guardtier_workers.approvers import Approver, Right
from guardtier_workers.filecheck import check_quorums
from rulings import compiled

TWO = '[[rule]]\nname = "two"\noutcome = "park"\n{}\nterms = {{ roles = ["dba"], approve = 2 }}\n'


def dba(name: str, *fleets: str, may: Right = Right.ANSWER) -> Approver:
    return Approver(
        name=name,
        principal=name,
        key=key_of(name).hex(),
        fleets=frozenset(fleets or ("*",)),
        may=frozenset({may}),
        roles=frozenset({"dba"}),
    )


@pytest.mark.parametrize(
    ("matcher", "where"),
    [
        ('fleet = "web"', " in fleet web"),
        ('fleet = ["ops-*", "web"]', " in fleet web"),
        ('fleet = "we*"', " in fleet we*"),
    ],
)
def test_people_of_another_fleet_are_not_counted(matcher: str, where: str) -> None:
    people = [dba("ann", "web", "ops-1"), dba("bob", "ops-1"), dba("eve", "web", may=Right.CONFIGURE)]

    with pytest.raises(ConfigError, match="wants 2 to approve, and the approvers file has 1") as told:
        check_quorums(compiled(TWO.format(matcher)), people, "p.toml")

    assert f"with the role dba{where}: nothing" in told.value.message
    assert (told.value.field, told.value.limit) == ("rule.two.terms.approve", 1)


@pytest.mark.parametrize("matcher", ["", 'fleet = "ops-1"', 'fleet = ["ops-*"]', 'fleet = "*"'])
def test_those_who_may_answer_there_are_counted(matcher: str) -> None:
    people = [dba("ann", "web", "ops-1"), dba("bob")]

    check_quorums(compiled(TWO.format(matcher)), people, "p.toml")


def test_a_fleets_own_terms_count_its_people() -> None:
    policy = compiled("[fleet.web]\nterms = { approve = 2 }\n")

    with pytest.raises(ConfigError, match=r"fleet\.web wants 2 .* has 1 who may answer in fleet web"):
        check_quorums(policy, [dba("ann"), dba("bob", "ops")], "p.toml")
