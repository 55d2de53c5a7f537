"""Who is told when: the plan of notices, and how a notice is signed."""

from __future__ import annotations

from guardtier.policy.terms import Step, Terms
from guardtier_workers.notices.plan import Notice, planned, posted
from guardtier_workers.notices.signing import is_signed, signature

SECRET = "0123456789abcdef"


def brief(notices: list[Notice]) -> list[tuple[str, str, int, float]]:
    return [(one.channel, one.what, one.number, (one.due - one.at) / 1000) for one in notices]


# -- the plan ----------------------------------------------------------------------------------


def test_terms_that_tell_nobody_leave_nothing_to_be_done():
    assert posted(Terms(), "parked", 5) == ()
    assert posted(Terms(remind_every=60), "parked", 5) == ()
    assert planned("a.0", Terms(), "parked", 5) == []


def test_who_is_told_when_it_is_parked_and_at_each_step_of_the_escalation():
    terms = Terms(
        notify=("chat", "chat"),
        escalate=(Step(after="5m", notify=("oncall", "chat")), Step(after="10m", notify=("boss",))),
    )

    assert brief(planned("a.0", terms, "parked", 1000)) == [
        ("chat", "parked", 0, 0),
        ("oncall", "escalated", 1, 300),
        ("chat", "escalated", 1, 300),
        ("boss", "escalated", 2, 600),
    ]


def test_reminders_of_a_channel_begin_when_it_is_told_first_and_go_on():
    terms = Terms(
        notify=("chat",), remind_every=60, escalate=(Step(after="5m", notify=("oncall", "chat")),)
    )

    reminders = [one for one in planned("a.0", terms, "parked", 1000) if one.what == "reminder"]

    assert brief(reminders) == [("chat", "reminder", 1, 60), ("oncall", "reminder", 1, 360)]
    following = reminders[0].next_reminder(terms)
    assert following is not None
    assert brief([following]) == [("chat", "reminder", 2, 120)]
    assert following.next_reminder(Terms()) is None


def test_reminders_do_not_come_by_the_second():
    terms = Terms(notify=("chat",), remind_every="1ms")

    assert brief(planned("a.0", terms, "parked", 0))[1] == ("chat", "reminder", 1, 10)


def test_everybody_is_told_once_of_an_extension():
    terms = Terms(
        notify=("chat",), remind_every=60, escalate=(Step(after="5m", notify=("oncall", "chat")),)
    )

    assert brief(planned("a.0", terms, "extended", 0)) == [
        ("chat", "extended", 0, 0),
        ("oncall", "extended", 0, 0),
    ]


def test_the_same_notice_has_the_same_id_and_another_one_another():
    terms = Terms(
        notify=("chat", "oncall"),
        remind_every=60,
        escalate=(Step(after=60, notify=("chat",)), Step(after=61, notify=("chat",))),
    )
    notices = planned("a.0", terms, "parked", 1) + planned("a.0", terms, "extended", 2)

    assert len({one.id for one in notices}) == len(notices)
    assert [one.id for one in planned("a.0", terms, "parked", 1)] == [
        one.id for one in planned("a.0", terms, "parked", 1)
    ]


# -- signatures --------------------------------------------------------------------------------


def test_a_signature_proves_the_body_the_secret_and_the_time():
    header = signature(SECRET, b"{}", 1000)

    assert header.startswith("t=1000,v1=")
    assert is_signed(SECRET, header, b"{}", 1200.0)
    for secret, said, body, now in [
        ("another secret!!", header, b"{}", 1000.0),
        (SECRET, header, b"{} ", 1000.0),
        (SECRET, header, b"{}", 1301.0),
        (SECRET, header.replace("t=1000", "t=1100"), b"{}", 1100.0),
        (SECRET, "v1=" + header.partition("v1=")[2], b"{}", 1000.0),
        (SECRET, "", b"{}", 1000.0),
    ]:
        assert not is_signed(secret, said, body, now)
