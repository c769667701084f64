"""Cursors: the same place is the same token; nothing else opens, and nothing can be read."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.cursor import Cursors
from bayanihan.errors import Refused

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
EPOCH, LATER = b"epoch--1", b"epoch--2"
CURSORS = Cursors(KEY, EPOCH)


def refusal(token: str, cursors: Cursors = CURSORS) -> str:
    with pytest.raises(Refused) as caught:
        cursors.open(token, where="next")
    assert caught.value.where == "next"
    return caught.value.code


@given(st.integers(0, 2**63 - 1))
def test_round_trip(position: int) -> None:
    token = CURSORS.seal(position)
    assert CURSORS.open(token) == position
    assert token == Cursors(KEY, EPOCH).seal(position)
    assert len(token) == 43
    assert token.replace("-", "").replace("_", "").isalnum()


def test_the_beginning() -> None:
    assert CURSORS.open("") == 0


@given(st.text(max_size=60))
def test_what_was_never_sealed(token: str) -> None:
    if token:
        assert refusal(token) == "bad-cursor"


@given(st.integers(0, 2**40), st.integers(0, 31), st.integers(1, 255))
def test_a_changed_byte(position: int, at: int, change: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(CURSORS.seal(position) + "="))
    data[at] ^= change
    assert refusal(base64.urlsafe_b64encode(data).decode().rstrip("=")) == "bad-cursor"


def test_of_another_hub_and_of_another_history() -> None:
    token = CURSORS.seal(7)
    assert refusal(token, Cursors(OTHER_KEY, EPOCH)) == "bad-cursor"
    assert refusal(token, Cursors(KEY, LATER)) == "reset"


@given(st.integers(0, 2**40))
def test_neighbours_share_nothing(position: int) -> None:
    """No prefix tells how near two places are, as it would with an encrypted stream."""
    one = base64.urlsafe_b64decode(CURSORS.seal(position) + "=")
    next_one = base64.urlsafe_b64decode(CURSORS.seal(position + 1) + "=")
    assert sum(a == b for a, b in zip(one, next_one, strict=True)) < 8
