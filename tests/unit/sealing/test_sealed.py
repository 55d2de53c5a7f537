"""What is sealed, and for how long it is good: without a tier."""

from __future__ import annotations

import orjson
import pytest

from guardtier import ActionEvent, Outcome, Verdict
from guardtier.errors import BadSignature, StaleVerdict
from guardtier.sealing import VERDICT, Sealer, SigningKeys, message
from guardtier.verifying import Verifier
from sealed import ACTION, HOUR_MS, SEAL_LENGTH, KeyFolder, clock, now_ms, verdict_on

# -- what is sealed ----------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", Outcome)
def test_a_sealed_verdict_is_the_same_with_two_more_fields(
    sealer: Sealer, verifier: Verifier, outcome: Outcome
) -> None:
    said = verdict_on(ACTION, outcome, reason='say "yes", \\ über 終', decided_by=("alice",))

    read = verifier.read(sealer(said))

    assert read.model_copy(update={"valid_until": None, "seal": ""}) == said
    assert read.seal.startswith(verifier_id(verifier))
    assert (read.valid_until is not None) is said.allowed


def verifier_id(verifier: Verifier) -> str:
    (key_id,) = verifier._held
    return key_id


def test_the_seal_is_the_last_member_and_covers_all_that_is_before(folder: KeyFolder) -> None:
    raw = folder.sealer()(verdict_on(ACTION))

    assert list(orjson.loads(raw))[-1] == "seal"
    assert raw[-SEAL_LENGTH:].startswith(b',"seal":"')
    body, seal = raw[:-SEAL_LENGTH] + b"}", orjson.loads(raw)["seal"].encode()
    assert Verifier(file=folder.public).check(VERDICT, body, seal) == folder.keys[0].id


def test_every_other_reader_can_read_it(sealer: Sealer) -> None:
    raw = sealer(verdict_on(ACTION))

    assert Verdict.from_json(raw).to_json() == raw


def test_a_release_is_good_for_minutes_and_an_approval_for_as_long_as_its_record(folder: KeyFolder) -> None:
    sealer = folder.sealer(released_ms=300_000, approved_ms=24 * HOUR_MS)
    at = now_ms()
    released = Verdict.from_json(sealer(verdict_on(ACTION, decided_at=at)))
    approved = Verdict.from_json(sealer(verdict_on(ACTION, Outcome.APPROVED, decided_at=at)))

    assert released.valid_until == at + 300_000
    assert approved.valid_until == at + 24 * HOUR_MS


def test_nothing_is_sealed_twice(sealer: Sealer) -> None:
    with pytest.raises(ValueError, match="sealed already"):
        sealer(Verdict.from_json(sealer(verdict_on(ACTION))))


def test_a_seal_for_one_purpose_is_none_for_another(folder: KeyFolder) -> None:
    keys, verifier = SigningKeys(folder.private), Verifier(file=folder.public)
    body = verdict_on(ACTION).to_json()
    seal = keys.sign(b"guardtier.audit.1", body)

    assert verifier.check(b"guardtier.audit.1", body, seal) == keys.id
    with pytest.raises(BadSignature):
        verifier.check(VERDICT, body, seal)
    with pytest.raises(BadSignature):
        verifier.read(body[:-1] + b',"seal":"' + seal + b'"}')
    assert message(b"a", b"b") != message(b"a\0b", b"")


# -- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "field"), [(HOUR_MS, "valid_until"), (-HOUR_MS, "decided_at")])
def test_a_clock_that_is_an_hour_off_is_told_with_the_other(
    folder: KeyFolder, sealer: Sealer, ahead: int, field: str
) -> None:
    raw = sealer(verdict_on(ACTION))

    with pytest.raises(StaleVerdict) as refused:
        Verifier(file=folder.public, clock=clock(ahead)).read(raw)

    assert refused.value.field == field
    assert refused.value.message.count(" UTC") == (3 if ahead > 0 else 2)
    assert "the tier's clock" in refused.value.message
    assert "this machine's clock" in refused.value.message


@pytest.mark.parametrize("ahead", [-50_000, 0, 50_000, 350_000])
def test_clocks_may_differ_by_a_minute(folder: KeyFolder, sealer: Sealer, ahead: int) -> None:
    raw = sealer(verdict_on(ACTION))

    assert Verifier(file=folder.public, clock=clock(ahead)).read(raw).allowed


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.EXPIRED])
@pytest.mark.parametrize("ahead", [-HOUR_MS, HOUR_MS])
def test_a_no_is_believed_at_any_time(
    folder: KeyFolder, sealer: Sealer, ahead: int, outcome: Outcome
) -> None:
    raw = sealer(verdict_on(ACTION, outcome))

    assert Verifier(file=folder.public, clock=clock(ahead)).read(raw).outcome is outcome


def test_an_approval_is_good_hours_later_and_not_for_ever(folder: KeyFolder) -> None:
    raw = folder.sealer(approved_ms=8 * HOUR_MS)(verdict_on(ACTION, Outcome.APPROVED))

    assert Verifier(file=folder.public, clock=clock(7 * HOUR_MS)).read(raw).allowed
    with pytest.raises(StaleVerdict, match="to be used until"):
        Verifier(file=folder.public, clock=clock(9 * HOUR_MS)).read(raw)


@pytest.mark.parametrize("at", [2**62, 10**15, 10**300])
def test_times_that_are_none_are_refused_too(folder: KeyFolder, verifier: Verifier, at: int) -> None:
    keys = SigningKeys(folder.private)
    body = verdict_on(ACTION).to_json().replace(b'"decided_at":', b'"decided_at":%d' % at)
    with pytest.raises((StaleVerdict, BadSignature)):
        verifier.read(body[:-1] + b',"seal":"' + keys.sign(VERDICT, body) + b'"}')


# -- what a client is given --------------------------------------------------------------------


def test_an_edited_verdict_is_covered_with_its_arguments(sealer: Sealer, verifier: Verifier) -> None:
    asked = ACTION
    edited: ActionEvent = asked.model_copy(
        update={"arguments": {"command": "ls -l", "n": 1e22, "ü": [None]}}
    )
    raw = sealer(verdict_on(edited, Outcome.APPROVED, arguments=edited.arguments, edited_from=asked.digest))

    assert verifier.read(raw).apply(asked) == edited
    with pytest.raises(BadSignature):
        verifier.read(raw.replace(b"ls -l", b"ls -a"))


def test_a_yes_without_an_end_is_refused(folder: KeyFolder, verifier: Verifier) -> None:
    body = verdict_on(ACTION).to_json()
    raw = body[:-1] + b',"seal":"' + SigningKeys(folder.private).sign(VERDICT, body) + b'"}'

    with pytest.raises(StaleVerdict):
        verifier.read(raw)
