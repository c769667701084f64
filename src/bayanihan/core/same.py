"""Whether two JSON texts say the same, with times written differently."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


def _normal(value: Any) -> Any:
    if isinstance(value, str) and _TIME.fullmatch(value):
        whole, _, fraction = value[:-1].partition(".")
        with_fraction = f"{whole}.{fraction.rstrip('0')}" if fraction.rstrip("0") else whole
        try:
            dt.datetime.fromisoformat(whole)
        except ValueError:
            return value
        return with_fraction
    if isinstance(value, dict):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_normal(inner) for inner in value]
    if isinstance(value, bool):
        return ("bool", value)  # Python holds True equal to 1, JSON does not
    return value


def same_content(one: bytes, other: bytes) -> bool:
    """Whether two JSON texts parse to the same document once times are normalised.

    `2026-01-01T00:00:00Z` and `2026-01-01T00:00:00.000Z` are one instant (STIX 2.1
    section 2.16 allows any sub-second length). Text that is no JSON is never the same.
    """
    try:
        return bool(_normal(msgspec.json.decode(one)) == _normal(msgspec.json.decode(other)))
    except (msgspec.DecodeError, RecursionError):
        return False
