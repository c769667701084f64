"""YAML that jurists write is read; YAML that attacks or deceives is refused with its line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bayanihan.errors import Refused
from bayanihan.rulebook.reader import ITEM_LIMIT, SIZE_LIMIT_BYTES, Mapping, read

BOMB = (
    "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
    "c: [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
)


def test_words_stay_words_and_numbers_keep_their_digits() -> None:
    data = read("a: no\nb: NO\nc: on\nd: 1e25\ne: 10000000000000000000000001\nf: '1'\n", "f.yaml")
    assert data == {
        "a": "no", "b": "NO", "c": "on", "d": Decimal("1e25"), "e": 10**25 + 1, "f": "1",
    }  # fmt: skip


def test_days_are_text_and_empty_is_nothing() -> None:
    assert read("a: 2026-08-02\nb:\nc: null\nd: true\n", "f.yaml") == {
        "a": "2026-08-02", "b": None, "c": None, "d": True,
    }  # fmt: skip


def test_every_key_knows_its_line() -> None:
    data = read("a: 1\nb:\n  c: 2\n  d: 3\n", "law.yaml")
    assert isinstance(data["b"], Mapping)
    assert data["b"].place("d") == "law.yaml:4"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (BOMB, "bad-value", 1),
        ("a: 1\nb: *missing\n", "bad-value", 2),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "bad-value", 2),
        ("!local {a: 1}\n", "bad-value", 1),
        ("a: !!str 1\n", "bad-value", 1),
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3),
        ("a:\n  <<: {b: 1}\n", "bad-value", 2),
        ("a: [1, 2\n", "bad-value", 2),
        ("a: 1\n---\nb: 2\n", "bad-value", 2),
        ("? [1, 2]\n: 3\n", "bad-value", 1),
        ("a: " + "[" * 40 + "]" * 40 + "\n", "too-deep", 1),
        ("a: \x00\n", "bad-value", 1),
        ("\ta: 1\n", "bad-value", 1),
    ],
)
def test_the_harmful_part_is_refused_with_its_line(text: str, code: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        read(text, "law.yaml")
    assert caught.value.code == code
    assert caught.value.where == f"law.yaml:{line}"


def test_size_and_number_are_bounded() -> None:
    with pytest.raises(Refused) as caught:
        read("a: " + "x" * SIZE_LIMIT_BYTES, "law.yaml")
    assert caught.value.code == "too-large"
    with pytest.raises(Refused) as caught:
        read("[" + "1," * (ITEM_LIMIT + 1) + "]", "law.yaml")
    assert caught.value.code == "too-large"
