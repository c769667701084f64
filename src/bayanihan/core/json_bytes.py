r"""Bytes that every JSON reader understands alike.

What is stored is what was sent, byte for byte, so two readers of it must never see two
different objects. JSON leaves room for that: keys given twice, lone surrogates, numbers
that overflow. `decode` accepts only texts that leave no room.

The quick road is a comparison: decoding and encoding again gives the same bytes only when
no key came twice and no number or text was bent. White space is first taken out token by
token and `\uXXXX` escapes are tried in the spelling of the standard library; what still
differs is read exactly, pair by pair.

Source: RFC 8259; RFC 7493 (I-JSON) sections 2.1 to 2.3.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from bayanihan.errors import Refused

DEPTH_LIMIT = 64
# A hostile key may be as long as the submission; an answer quotes only so much of it.
_KEY_SHOWN = 250
BOM = b"\xef\xbb\xbf"

REPEATED = "The key is given twice in one JSON object."

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

_BYTE = re.compile(r"\(byte (\d+)\)")
_NO_NUMBER = re.compile(rb"-?(?:NaN|Infinity)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class _Fault:
    """Stands in the parsed tree where something is at fault."""

    __slots__ = ("code", "message")

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message


def strict(raw: bytes) -> None:
    """Refuse `raw` unless every JSON reader sees the same value in it.

    Args:
        raw: one JSON text in UTF-8, without a byte order mark.

    Raises:
        Refused: `not-json`, `bad-text` (invalid UTF-8, lone surrogate), `duplicate-key`,
            `bad-number` (NaN, Infinity, overflow), `too-deep`. `where` is a JSON path, or
            a byte offset where the text has no structure yet.
    """
    decode(raw)


def decode(raw: bytes) -> Any:
    """The value of `raw`, with everything that `strict` promises."""
    value = decode_any_depth(raw)
    limit_depth(raw, value)
    return value


def limit_depth(raw: bytes, value: Any) -> None:
    """Refuse `value`, decoded from `raw`, as `too-deep`; without brackets nothing is deep."""
    if raw.count(b"[") + raw.count(b"{") > DEPTH_LIMIT:
        check_depth(value)


def decode_any_depth(raw: bytes) -> Any:
    """As `decode`, for a caller who knows from the shape of the value that it is not deep.

    Even so no value comes out that is deep enough to exhaust the interpreter's stack.
    """
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_malformed(raw, error)
    encoded = _encode(value)
    if encoded != raw:
        _compare_closely(raw, encoded, value)
    return value


def _compare_closely(raw: bytes, encoded: bytes, value: Any) -> None:
    """Pass `raw` when it differs from `encoded` in spelling alone."""
    compact = msgspec.json.format(raw, indent=-1)
    if compact == encoded or compact == _encode_ascii(value).encode():
        return
    _read_exactly(raw)


def _read_exactly(raw: bytes) -> None:
    """Parse pair by pair and refuse the first fault, with its path."""
    faults: list[_Fault] = []

    def pairs(items: list[tuple[str, Any]]) -> Any:
        mapping = dict(items)
        if len(mapping) != len(items):
            name = _first_repeated(items)
            faults.append(_Fault("duplicate-key", REPEATED))
            mapping[name] = faults[-1]
        return mapping

    def number(text: str) -> Any:
        value = float(text)
        if not math.isfinite(value):
            faults.append(_Fault("bad-number", f"The number {text[:40]} is out of range."))
            return faults[-1]
        return value

    try:
        tree = json.loads(raw.decode(), object_pairs_hook=pairs, parse_float=number)
    except RecursionError:
        raise _too_deep("$") from None
    except ValueError as error:
        raise Refused("bad-number", "A number has too many digits.", where="$") from error
    if faults or _SURROGATE_ESCAPE.search(raw):
        for path, node in walk(tree):
            _refuse_node(path, node)


def _first_repeated(items: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in items:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("called only when a key is repeated")


def _refuse_node(path: str, node: Any) -> None:
    if isinstance(node, _Fault):
        raise Refused(node.code, node.message, where=path)
    texts = (node, *node) if isinstance(node, dict) else (node,)
    if any(isinstance(text, str) and _SURROGATE.search(text) for text in texts):
        raise Refused("bad-text", "The text holds half of a surrogate pair.", where=path)


def refuse_malformed(raw: bytes, error: Exception) -> NoReturn:
    """Say why msgspec could not read `raw`: always raises `Refused`."""
    if isinstance(error, RecursionError):
        raise _too_deep("$") from None
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        where = f"byte {fault.start}"
        raise Refused("bad-text", "The text is not valid UTF-8.", where=where) from None
    if "out of range" in str(error):
        raise Refused("bad-number", "A number is out of range.", where=_number_path(raw)) from None
    if _SURROGATE_ESCAPE.search(raw):
        _refuse_surrogate(raw)
    found = _BYTE.search(str(error))
    offset = int(found[1]) if found else len(raw)
    if any(_NO_NUMBER.match(raw, start) for start in (offset, max(offset - 1, 0))):
        message = "NaN and Infinity are not numbers in JSON."
        raise Refused("bad-number", message, where=f"byte {offset}") from None
    reason = str(error).removeprefix("JSON is malformed: ").split(" (byte")[0]
    if not found:
        reason = "it ends too early"
    raise Refused("not-json", f"The text is not JSON: {reason}.", where=f"byte {offset}") from None


def _refuse_surrogate(raw: bytes) -> None:
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return
    for path, node in walk(tree):
        _refuse_node(path, node)


def _number_path(raw: bytes) -> str:
    """Where the number lies that does not fit, "$" when it cannot be told."""
    try:
        tree = json.loads(raw, parse_float=lambda text: _finite(float(text)))
    except (ValueError, RecursionError):
        return "$"
    return next((path for path, node in walk(tree) if isinstance(node, _Fault)), "$")


def _finite(value: float) -> Any:
    return value if math.isfinite(value) else _Fault("bad-number", "")


def check_depth(value: Any, limit: int = DEPTH_LIMIT, path: str = "$") -> None:
    """Refuse a decoded value that nests more than `limit` arrays and objects.

    Raises:
        Refused: `too-deep`, with `path` as `where`.
    """
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise _too_deep(path)


def _too_deep(path: str) -> Refused:
    message = f"Arrays and objects are nested more than {DEPTH_LIMIT} levels deep."
    return Refused("too-deep", message, where=path)


def walk(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Every node of a decoded value with its JSON path, in the order of the text."""
    stack = [(path, value)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, dict):
            stack.extend((step(here, key), node[key]) for key in reversed(node))
        elif isinstance(node, list):
            stack.extend((f"{here}[{i}]", node[i]) for i in reversed(range(len(node))))


def step(path: str, key: str) -> str:
    """`path` extended by an object's key: quoted where it is no plain name, cut where long."""
    if len(key) > _KEY_SHOWN:
        key = f"{key[:_KEY_SHOWN]}..."
    if _PLAIN_NAME.fullmatch(key):
        return f"{path}.{key}"
    return f"{path}[{json.dumps(key)}]"
