from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.json_bytes import DEPTH_LIMIT, decode, strict
from bayanihan.errors import Refused

REFUSED = [
    (b'"\xff"', "bad-text", "byte 1"),
    (b'{"a":"\xed\xa0\x80"}', "bad-text", "byte 6"),
    (b'"\xc0\x80"', "bad-text", "byte 1"),
    (b'{"a":["x","\\ud800y"]}', "bad-text", "$.a[1]"),
    (b'{"a":"\\udc00\\ud800"}', "bad-text", "$.a"),
    (b'{"a":{"\\ud800":1}}', "bad-text", "$.a"),
    (b'{"a":[1,1e999]}', "bad-number", "$.a[1]"),
    (b'{"a":-1e999}', "bad-number", "$.a"),
    (b'{"a":NaN}', "bad-number", "byte 5"),
    (b'{"a": Infinity}', "bad-number", "byte 6"),
    (b"-Infinity", "bad-number", "byte 1"),
    (b"[" + b"9" * 5000 + b"]", "bad-number", "$"),
    (b'{"a":1,"a":1}', "duplicate-key", "$.a"),
    (b'{"a":1,"\\u0061":2}', "duplicate-key", "$.a"),
    (b'{"a":{"b":[0,{"c d":1, "c d":2}]}}', "duplicate-key", '$.a.b[1]["c d"]'),
    (b'{"object_marking_refs":["x"],"object_marking_refs":[]}', "duplicate-key", None),
    (b"[" * 65 + b"]" * 65, "too-deep", "$"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, "too-deep", "$"),
    (b"[" * 500 + b"]" * 500, "too-deep", "$"),
    (b"[" * 1_000_000, "too-deep", "$"),
    (b'{"a":' * 200_000, "too-deep", "$"),
    (b"", "not-json", "byte 0"),
    (b" ", "not-json", "byte 1"),
    (b'{"a":1', "not-json", "byte 6"),
    (b'{"a":1,}', "not-json", "byte 7"),
    (b'{"a":1}x', "not-json", None),
    (b"{'a':1}", "not-json", "byte 1"),
    (b"\xef\xbb\xbf{}", "not-json", "byte 0"),
    (b'"a\x00b"', "not-json", "byte 2"),
    (b'"a\nb"', "not-json", "byte 2"),
    (b"01", "not-json", None),
    (b'"\\x"', "not-json", None),
]


@pytest.mark.parametrize(("raw", "code", "where"), REFUSED)
def test_each_fault_has_its_code_and_place(raw: bytes, code: str, where: str | None) -> None:
    with pytest.raises(Refused) as caught:
        strict(raw)
    assert caught.value.code == code
    if where is not None:
        assert caught.value.where == where


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT, None),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{ "a" : 1.50,\n "b" : "\\/" }', {"a": 1.5, "b": "/"}),
        (b"9007199254740993", 9007199254740993),
        (b"12345678901234567890123", 12345678901234567890123),
        (b"-0", 0),
        (b"1E2", 100.0),
        (b"0.1e-400", 0.0),
        (b'"\\u0000"', "\0"),
        (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'["[[[[","{{{{"]', ["[[[[", "{{{{"]),
    ],
)
def test_what_readers_agree_on_passes(raw: bytes, value: object) -> None:
    found = decode(raw)
    if value is not None:
        assert found == value


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.sampled_from([None, 0, 2]))
def test_every_spelling_of_a_value_passes(value: object, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert decode(text.encode()) == value


def _pairs_text(value: Any, repeat: bool) -> str:
    """JSON in which the first object with a key gives that key twice, if `repeat`."""
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()]
        return "{" + ", ".join(items + items[:1] * repeat) + "}"
    return json.dumps(value)


@given(
    st.dictionaries(TEXT, JSON, min_size=1, max_size=4),
    st.lists(st.sampled_from(["list", "dict"]), max_size=6),
)
def test_a_key_twice_is_found_at_any_depth(value: dict[str, Any], around: list[str]) -> None:
    inner, path = _pairs_text(value, repeat=True), ""
    for shape in around:
        inner = f"[0, {inner}]" if shape == "list" else f'{{"k": {inner}}}'
        path = ("[1]" if shape == "list" else ".k") + path
    with pytest.raises(Refused) as caught:
        strict(inner.encode())
    assert caught.value.code == "duplicate-key"
    assert caught.value.where.startswith("$" + path)


@given(st.binary(max_size=40) | st.text(st.sampled_from('{}[]",:\\u0d8e1.-+ntf'), max_size=24))
def test_any_bytes_are_read_or_refused(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode()
    try:
        value = decode(raw)
    except Refused:
        return
    assert value == json.loads(raw)
