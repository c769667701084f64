"""STIX timestamps as UTC microseconds, and back.

Source: STIX 2.1 section 2.16; RFC 3339 with `Z`, any number of sub-second digits.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_SHAPE = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))"
    r"T([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?Z",
    re.ASCII,
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = 1_000_000


# No honest timestamp is longer, and what is cached must stay small.
_LENGTH_LIMIT = 64


def parse(text: str) -> int | None:
    """UTC microseconds since 1970 of a STIX timestamp, negative before; None if it is none.

    Digits beyond the microsecond are dropped. Second 60 counts as the next second.
    """
    return _parse(text) if len(text) <= _LENGTH_LIMIT else None


@lru_cache(maxsize=8192)
def _parse(text: str) -> int | None:
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, second, digits = found.groups()
    try:
        days = date.fromisoformat(day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    seconds = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    return seconds * _US + (int(digits[:6].ljust(6, "0")) if digits else 0)


def is_before(first: str, second: str) -> bool:
    """Whether the timestamp `first` lies before `second`; every sub-second digit counts.

    Both must be timestamps that `parse` accepts.
    """
    one, other = parse(first), parse(second)
    if one is None or other is None or one != other:
        return (one or 0) < (other or 0)
    return _fraction(first) < _fraction(second)


def _fraction(text: str) -> str:
    return text.removesuffix("Z").partition(".")[2].rstrip("0")


def render(us: int) -> str:
    """The STIX timestamp of UTC microseconds since 1970, with three or six sub-second digits.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    text = (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    year, rest = text.split("-", 1)
    return f"{year:0>4}-{rest.removesuffix('000')}Z"
