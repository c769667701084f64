"""Ed25519 and canonical JSON against the published vectors, and what must not pass."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.signing import SigningKey, canonical, fingerprint, from_text, to_text, verify
from bayanihan.errors import Refused

# RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
            "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
            "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]
KEY = SigningKey(bytes(32))


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_published_vectors(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey(bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public, bytes.fromhex(message), bytes.fromhex(signature))


@given(st.binary(max_size=50), st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_message_or_key(message: bytes, at: int, change: int) -> None:
    signature = KEY.sign(message)
    wrong = bytearray(signature)
    wrong[at] ^= change
    assert verify(KEY.public, message, signature)
    assert not verify(KEY.public, message, bytes(wrong))
    assert not verify(KEY.public, message + b"x", signature)
    assert not verify(SigningKey(bytes([1] * 32)).public, message, signature)


@pytest.mark.parametrize("public", [b"", b"x", bytes(33), b"\xff" * 32])
def test_what_is_no_key_verifies_nothing(public: bytes) -> None:
    assert not verify(public, b"m", KEY.sign(b"m"))
    assert not verify(KEY.public, b"m", b"")


@given(st.binary(min_size=32, max_size=32))
def test_text(data: bytes) -> None:
    assert from_text(to_text(data), size_bytes=32, where="$.key") == data


@pytest.mark.parametrize("text", ["", "AAAA", "é", "A" * 43, "!" * 44, "A" * 42 + "=\n", "-_" * 22])
def test_text_that_is_not_so_long(text: str) -> None:
    with pytest.raises(Refused) as caught:
        from_text(text, size_bytes=32, where="$.key")
    assert (caught.value.code, caught.value.where) == ("bad-value", "$.key")


def test_fingerprints() -> None:
    assert fingerprint(b"") == "e3b0c44298fc1c14"
    assert fingerprint(KEY.public) != fingerprint(SigningKey(bytes([1] * 32)).public)


def test_canonical() -> None:
    """RFC 8785 section 3.2.2 and 3.2.3: numbers, escapes, and keys in UTF-16 order."""
    document = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(document) == (
        b'{"literals":[null,true,false],'
        b'"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(canonical(keys)).values()) == [2, 4, 6, 7, 1, 5, 3]


def deep() -> object:
    document: object = 1
    for _ in range(100_000):
        document = [document]
    return document


@pytest.mark.parametrize(
    "document", [float("nan"), float("inf"), 2**60, {1: 2}, object(), "\ud800"]
)
def test_what_has_no_canonical_spelling(document: object) -> None:
    with pytest.raises(Refused) as caught:
        canonical(document)
    assert caught.value.code == "bad-value"


def test_what_is_too_deep_has_none() -> None:
    with pytest.raises(Refused):
        canonical(deep())
