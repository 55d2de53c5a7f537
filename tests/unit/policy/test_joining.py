"""Several rules park one action: it is never easier to approve than each of them says."""

from __future__ import annotations

from guardtier.policy.joining import joined
from guardtier.policy.terms import Step, Terms


def test_one_alone_is_itself():
    terms = Terms(approve=2)

    assert joined([terms]) is terms


def test_the_stricter_of_each_counts():
    found = joined(
        [
            Terms(time_limit=60, approve=2, reject=2, retry=10, notify=("desk",), may_remember=False),
            Terms(on_timeout="halt", reason_required=True, may_edit=False, notify=("oncall", "desk")),
        ]
    )

    assert found == Terms(
        time_limit=60,
        on_timeout="halt",
        approve=2,
        reject=1,
        reason_required=True,
        may_edit=False,
        may_remember=False,
        retry=600,
        notify=("desk", "oncall"),
    )


def test_who_may_answer_has_a_role_that_all_ask_for():
    two, three = Terms(roles=("dba", "sre")), Terms(roles=("sre", "lead"))

    assert joined([Terms(), two, three]).roles == ("sre",)
    assert joined([Terms(roles=("dba",)), three]).roles == ("dba",)


def test_a_step_behind_the_shorter_time_limit_is_left_out():
    steps = (Step(after=60, notify=("desk",)), Step(after=600, notify=("oncall",)))

    assert joined([Terms(escalate=steps), Terms(time_limit=300)]).escalate == steps[:1]
