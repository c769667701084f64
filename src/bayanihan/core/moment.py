"""STIX timestamps as UTC microseconds, and back.

Source: STIX 2.1 section 2.16; RFC 3339 with `Z`, any number of sub-second digits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - everything here is UTC
_WHOLE = len("1970-01-01T00:00:00Z")
_US = 1_000_000


# One object gives the same time several times, and its neighbours give it again. A plain
# dictionary that is emptied when full costs a third of what `lru_cache` does when it misses;
# who asks about many times looks here first, which spares a call for each.
known: dict[str, int] = {}
_KNOWN_LIMIT = 8192

# No honest timestamp is longer, and what is cached must stay small.
LENGTH_LIMIT = 64


def parse(text: str) -> int | None:
    """UTC microseconds since 1970 of a STIX timestamp, negative before; None if it is none.

    Digits beyond the microsecond are dropped. Second 60 counts as the next second.
    """
    return parse_short(text) if len(text) <= LENGTH_LIMIT else None


def parse_short(text: str) -> int | None:
    """As `parse`, for a text that is known to be no longer than `LENGTH_LIMIT`."""
    us = known.get(text)
    if us is None:
        us = _read(text)
        if us is not None:
            if len(known) >= _KNOWN_LIMIT:
                known.clear()
            known[text] = us
    return us


def _read(text: str) -> int | None:
    # The standard reader accepts more shapes than STIX: the marks at their places rule those
    # out. A second 60, which it does not know, goes the long way.
    if text[4:17:3] != "--T::" or text[-1] != "Z":
        return None
    if len(text) != _WHOLE:
        digits = text[20:-1]
        if text[19:20] != "." or not digits.isdigit() or not digits.isascii():
            return None
    try:
        passed = datetime.fromisoformat(text[:-1]) - _EPOCH
    except ValueError:
        return _parse_leap(text)
    return (passed.days * 86_400 + passed.seconds) * _US + passed.microseconds


def _parse_leap(text: str) -> int | None:
    if text[17:19] != "60":
        return None
    whole = parse_short(f"{text[:17]}59{text[19:]}")
    return None if whole is None else whole + _US


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
