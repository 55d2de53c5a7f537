"""What is sealed can't be changed, taken for another, or made by anybody else: without a tier."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest

from guardtier import ActionEvent, GuardClient, Outcome, Verdict
from guardtier.errors import BadSignature, ConfigError, StaleVerdict, UnknownKey
from guardtier.keyfile import Key, public_json
from guardtier.sealing import VERDICT, Sealer, SigningKeys, message
from guardtier.verifying import ENV, Verifier
from sealed import HOUR_MS, KeyFolder, ago, clock, now_ms, verdict_on
from tier import low

ACTION = low("ls").placed_in(0)
SEAL_LENGTH = len(',"seal":"') + 16 + 1 + 86 + len('"}')


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path)


@pytest.fixture
def sealer(folder: KeyFolder) -> Sealer:
    return folder.sealer()


@pytest.fixture
def verifier(folder: KeyFolder) -> Verifier:
    return Verifier(file=folder.public)


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


# -- forged and changed ------------------------------------------------------------------------


def test_an_unsigned_verdict_is_refused(verifier: Verifier) -> None:
    for outcome in Outcome:
        with pytest.raises(BadSignature, match="not signed"):
            verifier.read(verdict_on(ACTION, outcome).to_json())


def test_a_verdict_signed_by_another_key_is_refused(verifier: Verifier, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    forged = KeyFolder(tmp_path / "other").sealer()(verdict_on(ACTION))

    with pytest.raises(UnknownKey, match="was not given"):
        verifier.read(forged)


def test_another_key_under_the_name_of_a_known_one_is_refused(
    folder: KeyFolder, verifier: Verifier, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = KeyFolder(tmp_path / "other")
    forged = other.sealer()(verdict_on(ACTION))
    renamed = forged.replace(other.keys[0].id.encode(), folder.keys[0].id.encode())

    with pytest.raises(BadSignature, match="wrong"):
        verifier.read(renamed)


def test_no_byte_of_it_can_be_changed(sealer: Sealer, verifier: Verifier) -> None:
    raw = sealer(verdict_on(ACTION, reason="fine"))
    verifier.read(raw)

    for place in range(len(raw)):
        for other in {raw[place] ^ 1, raw[place] ^ 0x20, 0x00, 0x22, 0xFF} - {raw[place]}:
            changed = raw[:place] + bytes([other]) + raw[place + 1 :]
            with pytest.raises(BadSignature):
                verifier.read(changed)


def test_no_byte_can_be_left_out_or_put_in(sealer: Sealer, verifier: Verifier) -> None:
    raw = sealer(verdict_on(ACTION))

    for place in range(len(raw) + 1):
        with pytest.raises(BadSignature):
            verifier.read(raw[:place] + b" " + raw[place:])
        if place < len(raw):
            with pytest.raises(BadSignature):
                verifier.read(raw[:place] + raw[place + 1 :])
            with pytest.raises(BadSignature):
                verifier.read(raw[:place])


def test_a_no_can_not_be_made_a_yes(sealer: Sealer, verifier: Verifier) -> None:
    raw = sealer(verdict_on(ACTION, Outcome.REJECTED))

    with pytest.raises(BadSignature):
        verifier.read(raw.replace(b'"rejected"', b'"released"'))


def test_a_second_seal_and_one_that_is_not_last_are_refused(sealer: Sealer, verifier: Verifier) -> None:
    raw = sealer(verdict_on(ACTION))
    seal = raw[-SEAL_LENGTH:-1]
    body = raw[:-SEAL_LENGTH]

    for forged in (
        body + seal + seal + b"}",
        raw[:-1] + b',"reason":"more"}',
        raw[:-1] + b',"seal":""}',
        b"{" + seal[1:] + b"," + body[1:] + b"}",
        body.replace(b'"outcome"', seal[1:] + b',"outcome"') + b"}",
        body + b',"reason":"' + seal[2:] + b"}",
        raw + b"\n",
        b" " + raw,
        raw + raw,
    ):
        with pytest.raises(BadSignature):
            verifier.read(forged)


def test_what_a_key_signed_with_a_member_twice_is_refused(folder: KeyFolder, verifier: Verifier) -> None:
    keys = SigningKeys(folder.private)
    body = verdict_on(ACTION).to_json()[:-1] + b',"outcome":"approved"}'
    raw = body[:-1] + b',"seal":"' + keys.sign(VERDICT, body) + b'"}'

    with pytest.raises(BadSignature, match="can't be read"):
        verifier.read(raw)


@pytest.mark.parametrize(
    "seal",
    [
        b"",
        b".",
        b"0" * 16 + b".",
        b"0" * 16 + b"." + b"A" * 85,
        b"0" * 16 + b"." + b"A" * 87,
        b"0" * 15 + b"." + b"A" * 86,
        b"0" * 16 + b":" + b"A" * 86,
        b"0" * 16 + b"." + b"+" * 85 + b"A",
        b"0" * 16 + b"." + b"A" * 85 + b"B",
        b"G" * 16 + b"." + b"A" * 86,
        "٠".encode() * 8 + b"." + b"A" * 86,
        ("Ａ" * 28).encode() + b"." + b"A" * 18,
        b"0" * 16 + b"\\u002e" + b"A" * 81,
        b"0" * 16 + b"." + b"\\u0041" * 14 + b"AA",
    ],
)
def test_only_one_spelling_is_a_seal(verifier: Verifier, seal: bytes) -> None:
    body = verdict_on(ACTION).to_json()

    with pytest.raises(BadSignature):
        verifier.read(body[:-1] + b',"seal":"' + seal + b'"}')
    with pytest.raises(BadSignature):
        verifier.check(VERDICT, body, seal)


def test_a_signature_has_one_spelling(sealer: Sealer, verifier: Verifier) -> None:
    """86 characters hold 516 bits, a signature has 512: four ends would mean the same."""
    raw = sealer(verdict_on(ACTION))
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    for end in alphabet.replace(raw[-3:-2], b""):
        with pytest.raises(BadSignature):
            verifier.read(raw[:-3] + bytes([end]) + raw[-2:])


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b"x" * 114, b"{" + b" " * 500]
)
def test_what_is_no_verdict_at_all_is_refused(verifier: Verifier, raw: bytes) -> None:
    with pytest.raises(BadSignature):
        verifier.read(raw)


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


# -- keys --------------------------------------------------------------------------------------


def test_a_retired_key_is_refused(tmp_path: Path) -> None:
    old = Key.new(since=ago(hours=3), until=ago(hours=-1))
    folder = KeyFolder(tmp_path, old)
    raw = folder.sealer()(verdict_on(ACTION))
    retired = old.model_copy(update={"until": ago(hours=1)})

    with pytest.raises(UnknownKey, match="was retired at"):
        Verifier([retired]).read(raw)


def test_a_key_that_is_not_valid_yet_is_refused(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    raw = folder.sealer()(verdict_on(ACTION))
    later = folder.keys[0].model_copy(update={"since": ago(hours=-1)})

    with pytest.raises(UnknownKey, match="counts from"):
        Verifier([later.alone]).read(raw)


def test_the_newest_valid_key_signs(tmp_path: Path) -> None:
    keys = [
        Key.new(since=ago(hours=5)),
        Key.new(since=ago(hours=1)),
        Key.new(since=ago(hours=-1)),
        Key.new(since=ago(hours=9), until=ago(hours=8)),
    ]
    folder = KeyFolder(tmp_path, *keys)

    assert SigningKeys(folder.private).id == keys[1].id


def test_a_rotation_is_seen_without_a_restart(folder: KeyFolder) -> None:
    signing, verifier = SigningKeys(folder.private), Verifier(file=folder.public)
    sealer = Sealer(signing)
    before = sealer(verdict_on(ACTION))
    folder.keys.append(Key.new(since=ago(minutes=1)))
    folder.write()
    signing._look_again_at = 0.0  # a second later

    after = sealer(verdict_on(ACTION))

    assert signing.id == folder.keys[1].id
    assert verifier.read(after).allowed, "a key that is not known is looked for at once"
    assert verifier.read(before).allowed
    folder.write(public=folder.keys[1:])
    verifier._look_again_at = 0.0
    with pytest.raises(UnknownKey):
        verifier.read(before)


def test_a_tier_whose_keys_are_all_over_signs_nothing(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path, Key.new(since=ago(hours=2), until=ago(hours=1)))

    with pytest.raises(ConfigError, match="guardtier keys rotate"):
        SigningKeys(folder.private)


def test_a_signing_file_that_is_broken_later_goes_on_and_a_broken_public_one_refuses(
    folder: KeyFolder, sealer: Sealer, verifier: Verifier
) -> None:
    raw = sealer(verdict_on(ACTION))
    folder.private.write_text("{")
    folder.public.write_text("{")
    sealer.keys._look_again_at = verifier._look_again_at = 0.0

    assert sealer(verdict_on(ACTION))
    with pytest.raises(ConfigError, match="can't be read as JSON"):
        verifier.read(raw)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o660, 0o602])
def test_a_signing_file_that_others_may_open_is_refused(folder: KeyFolder, mode: int) -> None:
    folder.private.chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600") as refused:
        SigningKeys(folder.private)
    assert refused.value.field == "signing_key_file"


def test_public_keys_that_everybody_may_write_are_refused(folder: KeyFolder) -> None:
    folder.public.chmod(0o646)

    with pytest.raises(ConfigError, match="chmod o-w"):
        Verifier(file=folder.public)


def test_a_private_key_that_is_another_keys_is_refused(folder: KeyFolder) -> None:
    other = Key.new()
    folder.keys = [folder.keys[0].model_copy(update={"private": other.private})]
    folder.write()

    with pytest.raises(ConfigError, match="not its own"):
        SigningKeys(folder.private)


def test_no_error_shows_a_private_key(folder: KeyFolder) -> None:
    private = folder.keys[0].private
    assert private is not None
    secret = private.get_secret_value()
    wrong = folder.private.read_text().replace('"public"', '"publics"')
    folder.private.write_text(wrong)

    with pytest.raises(ConfigError) as refused:
        SigningKeys(folder.private)
    assert secret not in f"{refused.value!r} {refused.value.__cause__!r} {folder.keys[0]!r}"
    assert secret not in folder.public.read_text()
    assert "private" not in folder.public.read_text()


@pytest.mark.parametrize(
    "text",
    [
        '{"keys": []}',
        "[]",
        "{",
        '{"keys": [{"id": "x", "public": "y"}]}',
        '{"keys": [{"id": "0000000000000000", "public": "' + "A" * 43 + '"}]}',
    ],
)
def test_files_that_hold_no_keys_are_refused(folder: KeyFolder, text: str) -> None:
    folder.public.write_text(text)

    with pytest.raises(ConfigError) as refused:
        Verifier(file=folder.public)
    assert refused.value.field == "verdict_keys"


# -- what a client is given --------------------------------------------------------------------


def test_keys_are_taken_in_every_form(folder: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = folder.sealer()(verdict_on(ACTION))
    key = folder.keys[0]
    forms = [
        folder.public,
        str(folder.public),
        folder.public.read_text(),
        key.public,
        f"{key.public}, {Key.new().public}",
        [key.public],
        Verifier([key.alone]),
    ]
    for given in forms:
        verifier = Verifier.of(given)
        assert verifier is not None
        assert verifier.read(raw).allowed
    for text in (str(folder.public), folder.public.read_text(), key.public):
        monkeypatch.setenv(ENV, text)
        verifier = Verifier.of(None)
        assert verifier is not None
        assert verifier.read(raw).allowed


def test_without_keys_nothing_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV, raising=False)

    assert Verifier.of(None) is None


@pytest.mark.parametrize("given", ["", "  ", "/no/such/file", [], ["x"], "x" * 43, Path("/nowhere")])
def test_keys_that_are_none_are_refused_when_the_client_is_made(given: object) -> None:
    with pytest.raises(ConfigError) as refused:
        GuardClient("redis://127.0.0.1:1", fleet="web", verdict_keys=given)  # type: ignore[arg-type]
    assert refused.value.field == "verdict_keys"


def test_a_variable_that_is_set_and_empty_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "")

    with pytest.raises(ConfigError, match=ENV):
        GuardClient("redis://127.0.0.1:1", fleet="web")


def test_keys_without_the_library_are_refused_when_the_client_is_made(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nacl", None)

    with pytest.raises(ConfigError, match=r"guardtier\[signed\]"):
        GuardClient("redis://127.0.0.1:1", fleet="web", verdict_keys=folder.public)


def test_an_edited_verdict_is_covered_with_its_arguments(sealer: Sealer, verifier: Verifier) -> None:
    asked = ACTION
    edited: ActionEvent = asked.model_copy(
        update={"arguments": {"command": "ls -l", "n": 1e22, "ü": [None]}}
    )
    raw = sealer(verdict_on(edited, Outcome.APPROVED, arguments=edited.arguments, edited_from=asked.digest))

    assert verifier.read(raw).apply(asked) == edited
    with pytest.raises(BadSignature):
        verifier.read(raw.replace(b"ls -l", b"ls -a"))


def test_public_files_hold_no_private_key(folder: KeyFolder) -> None:
    assert orjson.loads(public_json(folder.keys))["keys"][0].keys() == {"id", "public"}


def test_a_yes_without_an_end_is_refused(folder: KeyFolder, verifier: Verifier) -> None:
    body = verdict_on(ACTION).to_json()
    raw = body[:-1] + b',"seal":"' + SigningKeys(folder.private).sign(VERDICT, body) + b'"}'

    with pytest.raises(StaleVerdict):
        verifier.read(raw)


def test_what_a_key_has_signed_that_was_just_added_is_known_at_once(folder: KeyFolder) -> None:
    """Another worker may see first that the file was rotated."""
    slower = SigningKeys(folder.private)
    assert slower.id == folder.keys[0].id  # it has looked, and looks again in a second
    folder.keys.append(Key.new())
    folder.write()
    seal = SigningKeys(folder.private).sign(b"purpose", b"body").decode()

    assert slower.has_signed(b"purpose", b"body", seal)
    assert not slower.has_signed(b"purpose", b"other", seal)


def test_the_keys_are_those_of_the_file_that_was_named_wherever_the_process_goes(
    folder: KeyFolder, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent's process may go where its model writes: another file of that name is not the tier's."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    forger = KeyFolder(workspace)
    monkeypatch.chdir(tmp_path)
    verifier = Verifier(file=Path(folder.public.name))

    monkeypatch.chdir(workspace)

    with pytest.raises(UnknownKey):
        verifier.read(forger.sealer()(verdict_on(ACTION)))
    assert verifier.read(sealer(verdict_on(ACTION))).allowed
