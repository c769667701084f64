"""Two texts that say the same, and two that do not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.same import same_content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":[2]}', ' { "b" : [ 2 ], "a" : 1 } '),
        ('{"t":"2026-01-01T00:00:00Z"}', '{"t":"2026-01-01T00:00:00.000Z"}'),
        ('["2026-01-01T00:00:00.120Z"]', '["2026-01-01T00:00:00.12Z"]'),
        ('"\\u00e9"', '"é"'),
        ("1", "1.0"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert same_content(one.encode(), other.encode())
    assert same_content(other.encode(), one.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1}', '{"a":2}'),
        ('{"a":1}', '{"a":1,"b":null}'),
        ("[1,2]", "[2,1]"),
        ("1", "true"),
        ("[0]", "[false]"),
        ('"1"', "1"),
        ('["2026-01-01T00:00:00.1Z"]', '["2026-01-01T00:00:00.01Z"]'),
        ('["2026-01-01T00:00:00Z"]', '["2026-01-01T00:00:00.001Z"]'),
        ('["2026-01-01T00:00:00Z"]', '["2026-01-01T00:00:00+00:00"]'),
        ('["2026-13-01T00:00:00Z"]', '["2026-13-01T00:00:00.0Z"]'),
        ('"é"', '"e\u0301"'),
        ("not json", "not json"),
        ("", ""),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert not same_content(one.encode(), other.encode())


def test_depth_is_no_crash() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert not same_content(deep, deep)


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def strict(value: object) -> str:
    return json.dumps(value, sort_keys=True)


@given(documents, documents)
def test_agrees_with_sorted_json(one: object, other: object) -> None:
    for left, right in ((one, other), (one, one)):
        found = same_content(json.dumps(left, indent=1).encode(), json.dumps(right).encode())
        assert found == (strict(left) == strict(right))
