"""What is sealed can't be changed, taken for another, or made by anybody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier import Outcome
from guardtier.errors import BadSignature, UnknownKey
from guardtier.sealing import VERDICT, Sealer, SigningKeys
from guardtier.verifying import Verifier
from sealed import ACTION, SEAL_LENGTH, KeyFolder, verdict_on


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
