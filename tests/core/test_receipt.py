"""A receipt comes back as it was signed, and nothing in it can be changed unseen."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core import moment, signing
from bayanihan.core.receipt import DOMAIN, STATES, Receipt, opened, sign
from bayanihan.errors import Refused

KEY = signing.SigningKey(bytes(range(32)))
OTHER = signing.SigningKey(bytes(32))
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    """Any receipt within the limits."""
    state = draw(st.sampled_from(STATES))
    return Receipt(
        feed=draw(st.sampled_from(["rpz.zone", "domains.txt", "exercise-rpz.zone"])),
        cursor=draw(TEXT.filter(bool)),
        digest=draw(st.binary(min_size=32, max_size=32)).hex(),
        state=state,  # type: ignore[arg-type]
        at=moment.render(draw(st.integers(0, 4_000_000_000_000_000))),
        except_=tuple(draw(st.lists(TEXT.filter(bool), max_size=4))),
        detail=draw(TEXT),
        in_force=draw(TEXT) if state == "failed" else "",
    )


def sample(**changes: Any) -> Receipt:
    base = Receipt(
        feed="rpz.zone",
        cursor="abc",
        digest="0" * 64,
        state="probed",
        at="2026-11-23T01:02:03.000004Z",
    )
    return msgspec.structs.replace(base, **changes)


@given(receipts())
def test_comes_back_through_json(receipt: Receipt) -> None:
    document = json.loads(json.dumps(sign(receipt, KEY)))
    assert opened(document) == (receipt, KEY.public)


def test_property_is_named_except() -> None:
    assert sign(sample(except_=("a.example",)), KEY)["receipt"]["except"] == ["a.example"]


@given(receipts(), st.sampled_from(["feed", "cursor", "digest", "state", "at", "detail"]), TEXT)
def test_no_change_goes_unseen(receipt: Receipt, name: str, value: str) -> None:
    document = sign(receipt, KEY)
    if document["receipt"][name] == value:
        return
    document["receipt"][name] = value
    with pytest.raises(Refused) as caught:
        opened(document)
    assert caught.value.code in {"bad-signature", "bad-value"}


@given(receipts(), st.integers(0, 63), st.integers(1, 255))
def test_no_bent_signature_passes(receipt: Receipt, at: int, flip: int) -> None:
    document = sign(receipt, KEY)
    raw = bytearray(signing.from_text(document["signature"], size_bytes=64, where=""))
    raw[at] ^= flip
    document["signature"] = signing.to_text(bytes(raw))
    with pytest.raises(Refused, match="not that of this receipt"):
        opened(document)


def test_anothers_key_does_not_pass() -> None:
    document = sign(sample(), KEY) | {"public_key": signing.to_text(OTHER.public)}
    with pytest.raises(Refused) as caught:
        opened(document)
    assert (caught.value.code, caught.value.where) == ("bad-signature", "$.signature")


def test_signature_is_bound_to_receipts() -> None:
    document = sign(sample(), KEY)
    bare = KEY.sign(signing.canonical(document["receipt"]))
    document["signature"] = signing.to_text(bare)
    with pytest.raises(Refused):
        opened(document)


def test_an_unknown_property_is_signed_too() -> None:
    body = {**sign(sample(), KEY)["receipt"], "engine": "bind"}
    document = {
        "receipt": body,
        "public_key": signing.to_text(KEY.public),
        "signature": signing.to_text(KEY.sign(DOMAIN + signing.canonical(body))),
    }
    assert opened(document)[0] == sample()
    body["engine"] = "unbound"
    with pytest.raises(Refused):
        opened(document)


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("state", "done", "$.receipt.state"),
        ("state", 3, "$.receipt.state"),
        ("feed", "../etc", "$.receipt.feed"),
        ("feed", "f" * 65, "$.receipt.feed"),
        ("feed", "rpz.zone\n", "$.receipt.feed"),
        ("digest", "A" * 64, "$.receipt.digest"),
        ("cursor", "", "$.receipt.cursor"),
        ("cursor", "c" * 513, "$.receipt.cursor"),
        ("at", "yesterday", "$.receipt.at"),
        ("except", ["a", ""], "$.receipt.except[1]"),
        ("except", "a", "$.receipt.except"),
        ("except", ["a"] * 10_001, "$.receipt.except"),
        ("detail", "d" * 1_001, "$.receipt.detail"),
        ("in_force", "abc", "$.receipt.in_force"),
        ("note", 1e999, "$.receipt"),
        ("note", 2**60, "$.receipt"),
        ("\ud800", 1, "$.receipt"),
    ],
)
def test_what_breaks_a_limit_is_named(name: str, value: Any, where: str) -> None:
    document = sign(sample(), KEY)
    document["receipt"][name] = value
    with pytest.raises(Refused) as caught:
        opened(document)
    assert (caught.value.code, caught.value.where) == ("bad-value", where)


@pytest.mark.parametrize(
    ("document", "code", "where"),
    [
        (None, "bad-value", "$"),
        ([], "bad-value", "$"),
        ({}, "missing-property", "$"),
        ({"receipt": {}, "public_key": "", "signature": ""}, "bad-value", "$.public_key"),
        ({"receipt": [], "public_key": "", "signature": ""}, "bad-value", "$.receipt"),
    ],
)
def test_what_is_no_document_is_named(document: Any, code: str, where: str) -> None:
    with pytest.raises(Refused) as caught:
        opened(document)
    assert (caught.value.code, caught.value.where) == (code, where)


def test_what_could_not_be_opened_is_not_signed() -> None:
    with pytest.raises(Refused, match="cursor"):
        sign(sample(cursor=""), KEY)
