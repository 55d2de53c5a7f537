"""The keys: rotated, retired, broken, another's, for everybody's eyes."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from guardtier.errors import ConfigError, UnknownKey
from guardtier.keyfile import Key, public_json
from guardtier.sealing import Sealer, SigningKeys
from guardtier.verifying import Verifier
from sealed import ACTION, KeyFolder, ago, verdict_on

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


def test_public_files_hold_no_private_key(folder: KeyFolder) -> None:
    assert orjson.loads(public_json(folder.keys))["keys"][0].keys() == {"id", "public"}


def test_what_a_key_has_signed_that_was_just_added_is_known_at_once(folder: KeyFolder) -> None:
    """Another worker may see first that the file was rotated."""
    slower = SigningKeys(folder.private)
    assert slower.id == folder.keys[0].id  # it has looked, and looks again in a second
    folder.keys.append(Key.new())
    folder.write()
    seal = SigningKeys(folder.private).sign(b"purpose", b"body").decode()

    assert slower.has_signed(b"purpose", b"body", seal)
    assert not slower.has_signed(b"purpose", b"other", seal)
