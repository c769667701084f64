"""Checkpoints: signed, opened, and refused when anything about them was changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.checkpoint import Checkpoint, opened, public_of, sign, verifier_key
from bayanihan.core.signing import SigningKey
from bayanihan.errors import Refused

KEY = SigningKey(b"k" * 32)
OTHER = SigningKey(b"o" * 32)
NAME = "hub.example"


def checkpoint(size: int = 5) -> Checkpoint:
    return Checkpoint(NAME, size, b"r" * 32, b"epoch-id")


@given(
    st.integers(0, 2**63), st.binary(min_size=32, max_size=32), st.binary(min_size=8, max_size=8)
)
def test_what_is_signed_is_what_is_opened(size: int, root: bytes, epoch: bytes) -> None:
    said = Checkpoint(NAME, size, root, epoch)
    assert opened(sign(said, KEY), NAME, KEY.public) == said


def test_the_form_is_that_of_c2sp() -> None:
    lines = sign(checkpoint(), KEY).split("\n")
    assert lines[:2] == [NAME, "5"]
    assert lines[3] == f"epoch {b'epoch-id'.hex()}"
    assert lines[4] == ""
    assert lines[5].startswith(f"\N{EM DASH} {NAME} ")
    assert lines[6:] == [""]


@given(st.data())
def test_a_changed_character_of_what_is_said_is_refused(data: st.DataObject) -> None:
    note = sign(checkpoint(), KEY)
    at = data.draw(st.integers(0, note.index("\n\n")))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != note[at]))
    with pytest.raises(Refused) as refused:
        opened(note[:at] + other + note[at + 1 :], NAME, KEY.public)
    assert refused.value.code == "bad-signature"


@pytest.mark.parametrize(("name", "public"), [(NAME, OTHER.public), ("another", KEY.public)])
def test_another_key_or_name_does_not_open_it(name: str, public: bytes) -> None:
    with pytest.raises(Refused) as refused:
        opened(sign(checkpoint(), KEY), name, public)
    assert refused.value.code == "bad-signature"


def test_a_verifier_key_is_read_back_whatever_bytes_it_holds() -> None:
    for number in range(200):
        public = SigningKey(number.to_bytes(32, "big")).public
        assert public_of(verifier_key(NAME, public)) == (NAME, public)


@pytest.mark.parametrize("line", ["", "a+b", "a+00000000+AAAA", verifier_key(NAME, b"x" * 31)])
def test_what_is_no_verifier_key_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        public_of(line)
