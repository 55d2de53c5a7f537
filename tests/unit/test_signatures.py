"""Ed25519 as RFC 8032 has it, and as another library does: a signature is the same whoever makes it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from guardtier.signatures import from_text, new_private, public_of, signer, to_text, verifier

#: RFC 8032, 7.1, tests 1 to 3: private key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("private", "public", "message", "signature"), VECTORS, ids=["1", "2", "3"])
def test_the_vectors_of_the_rfc(private: str, public: str, message: str, signature: str) -> None:
    secret = to_text(bytes.fromhex(private))

    assert from_text(public_of(secret)).hex() == public
    assert signer(secret)(bytes.fromhex(message)).hex() == signature
    assert verifier(public_of(secret))(bytes.fromhex(signature), bytes.fromhex(message))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=400))
def test_openssl_signs_and_verifies_the_same(seed: bytes, message: bytes) -> None:
    other, private = Ed25519PrivateKey.from_private_bytes(seed), to_text(seed)

    signature = signer(private)(message)

    assert signature == other.sign(message)
    assert from_text(public_of(private)) == other.public_key().public_bytes_raw()
    assert verifier(public_of(private))(signature, message)


@given(st.integers(0, 511), st.binary(max_size=40))
def test_one_bit_makes_it_another_signature(bit: int, message: bytes) -> None:
    private = new_private()
    signature = bytearray(signer(private)(message))
    signature[bit // 8] ^= 1 << bit % 8

    assert not verifier(public_of(private))(bytes(signature), message)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 96])
def test_what_has_another_length_is_no_signature(length: int) -> None:
    assert not verifier(public_of(new_private()))(bytes(length), b"said")


def test_the_order_added_to_a_signature_does_not_spell_it_anew() -> None:
    order = 2**252 + 27742317777372353535851937790883648493  # RFC 8032, 5.1: of the base point
    private = new_private()
    signature = signer(private)(b"said")
    scalar = int.from_bytes(signature[32:], "little") + order

    assert not verifier(public_of(private))(signature[:32] + scalar.to_bytes(32, "little"), b"said")


def test_a_key_of_small_order_fits_nothing() -> None:
    """The neutral element as key and as R, with S = 0: by the equation alone it signs every message."""
    neutral = (1).to_bytes(32, "little")

    assert not verifier(to_text(neutral))(neutral + bytes(32), b"said")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_what_has_another_length_is_no_key(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signer(to_text(bytes(length)))
    with pytest.raises(ValueError, match="32 bytes"):
        verifier(to_text(bytes(length)))
