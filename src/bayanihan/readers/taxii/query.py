"""What a request asks for: filters, limit and where to go on, read strictly.

A parameter that is not known is refused and never ignored: an ignored filter answers with
more than was asked for. Times are read generously, as clients write them in many ways.

`added_after` and `next` both say "after this place", so where both are given the later of
the two counts: a client that mixes or drops them misses nothing and sees nothing twice. A
`next` carries its collection and its filters, for clients that send it without them.

Source: TAXII 2.1 sections 3.4 (filtering), 3.4.1 (match), 3.5 (pagination); RFC 3339.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qsl

import msgspec

from bayanihan.core import moment
from bayanihan.errors import Refused
from bayanihan.readers.taxii.versions import ALL, FIRST, LAST, Wanted

PAGE_LIMIT = 1_000
VALUES_LIMIT = 100
_FIELDS_LIMIT = 16
_TEXT_LIMIT = 16_384
SPEC_VERSION = "2.1"

PAGING = frozenset({"added_after", "limit", "next"})
MATCHING = frozenset({"match[id]", "match[type]", "match[version]", "match[spec_version]"})
OBJECT = frozenset({"match[version]", "match[spec_version]"})

_TYPE = re.compile(r"[a-z0-9][a-z0-9-]{0,249}")
_ID = re.compile(r"[a-z0-9-]{1,250}--[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_SPEC = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,40})?(?:[Zz]|([+ -])(\d\d):(\d\d))", re.ASCII
)
_MINUTE_US = 60_000_000


class Filters(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """The `match` filters; an empty one asks nothing. Sorted, each value once."""

    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    times_us: tuple[int, ...] = ()
    spec_versions: tuple[str, ...] = ()

    @property
    def wanted(self) -> Wanted:
        """The versions asked for; the last ones when none are named."""
        if not self.words and not self.times_us:
            return Wanted()
        return Wanted(frozenset(self.words), frozenset(self.times_us))

    @property
    def nothing(self) -> bool:
        """Whether no object can match: all of ours are STIX 2.1."""
        return bool(self.spec_versions) and SPEC_VERSION not in self.spec_versions


class Asked(msgspec.Struct, frozen=True):
    """A request's parameters. `after` is the token of `next`, "" where there is none."""

    filters: Filters = Filters()
    limit: int = PAGE_LIMIT
    added_after_us: int | None = None
    after: str = ""


def timestamp_us(text: str) -> int | None:
    """UTC microseconds of an RFC 3339 time, further digits dropped; None if it is none.

    A `+` that became a space in a URL is read as the `+` that was meant.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, sign, hours, minutes = found.groups()
    us = moment.parse(f"{day}T{clock}{fraction or ''}Z")
    if us is None or sign is None:
        return us
    if int(hours) > 23 or int(minutes) > 59:
        return None
    away_us = (int(hours) * 60 + int(minutes)) * _MINUTE_US
    return us + away_us if sign == "-" else us - away_us


def fields_of(query: bytes, allowed: Collection[str]) -> dict[str, str]:
    """A query string as name -> value.

    Raises:
        Refused: `bad-parameter` for a name that is not allowed or comes twice, and for
            what is no query string in UTF-8.
    """
    message = "The query string cannot be read"
    if len(query) > _TEXT_LIMIT:
        raise Refused("bad-parameter", "The query string is too long")
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_LIMIT,
        )
    except ValueError:
        raise Refused("bad-parameter", message) from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            message = f"This address knows no parameter of that name; it knows: {known}"
            raise Refused("bad-parameter", message, where=name[:60])
        if name in found:
            raise Refused("bad-parameter", "This parameter is given twice", where=name)
        found[name] = value
    return found


def asked_of(fields: Mapping[str, str]) -> Asked:
    """The parameters of a request. Raises `Refused("bad-parameter")`, naming the one at fault."""
    return Asked(
        filters=_filters(fields),
        limit=_limit(fields.get("limit")),
        added_after_us=_added_after(fields.get("added_after", "")),
        after=fields.get("next", ""),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE_LIMIT
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) or int(text) < 1:
        raise Refused("bad-parameter", "A limit is a whole number, 1 or more", where="limit")
    return min(int(text), PAGE_LIMIT)


def _added_after(text: str) -> int | None:
    if not text:
        return None
    us = timestamp_us(text)
    if us is None:
        message = "This is no RFC 3339 time, such as 2026-11-22T08:00:00.000000Z"
        raise Refused("bad-parameter", message, where="added_after")
    return us


def _filters(fields: Mapping[str, str]) -> Filters:
    words, times_us = set[str](), set[int]()
    for value in _values(fields, "match[version]", lambda text: True, "a version"):
        us = None if value in (LAST, FIRST, ALL) else timestamp_us(value)
        if us is not None:
            times_us.add(us)
        elif value in (LAST, FIRST, ALL):
            words.add(value)
        else:
            message = "A version is last, first, all, or an RFC 3339 time"
            raise Refused("bad-parameter", message, where="match[version]")
    return Filters(
        ids=_values(fields, "match[id]", _ID.fullmatch, "a STIX identifier"),
        types=_values(fields, "match[type]", _TYPE.fullmatch, "a type of object"),
        words=tuple(sorted(words)),
        times_us=tuple(sorted(times_us)),
        spec_versions=_values(
            fields, "match[spec_version]", _SPEC.fullmatch, "a version of the specification"
        ),
    )


def _values(
    fields: Mapping[str, str], name: str, is_one: Callable[[str], object], what: str
) -> tuple[str, ...]:
    text = fields.get(name)
    if text is None:
        return ()
    values = [value.strip() for value in text.split(",")]
    if len(values) > VALUES_LIMIT:
        message = f"A filter takes {VALUES_LIMIT} values at most"
        raise Refused("bad-parameter", message, where=name)
    if not all(value and is_one(value) for value in values):
        raise Refused("bad-parameter", f"A value of this filter is not {what}", where=name)
    return tuple(sorted(set(values)))


class Onward(msgspec.Struct, frozen=True, array_like=True):
    """What a `next` carries beside its place: the collection it is of, and the filters."""

    collection: str
    filters: Filters = Filters()


_read_onward = msgspec.json.Decoder(Onward, strict=True).decode


def sealed(cursor: str, onward: Onward) -> str:
    """The `next` of a page: a cursor, a dot, and what goes with it; safe in a URL."""
    text = base64.urlsafe_b64encode(msgspec.json.encode(onward)).rstrip(b"=").decode()
    return f"{cursor}.{text}"


def opened(token: str) -> tuple[str, Onward]:
    """The cursor of a `next`, unchecked, and what it carries.

    Raises:
        Refused: `bad-cursor` for what `sealed` never wrote.
    """
    cursor, _, text = token.partition(".")
    try:
        padded = text + "=" * (-len(text) % 4)
        onward = _read_onward(base64.b64decode(padded, b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _foreign() from None
    if not cursor or sealed(cursor, onward) != token:
        raise _foreign()
    return cursor, onward


def _foreign() -> Refused:
    return Refused("bad-cursor", "This `next` is not of this hub", where="next")


def continued(asked: Asked, collection: str) -> tuple[str, Filters]:
    """Where a request goes on, as a cursor ("" at the beginning), and with which filters.

    Raises:
        Refused: `bad-cursor` for a `next` of another collection, `bad-parameter` for
            filters that are not those with which it began.
    """
    if not asked.after:
        return "", asked.filters
    cursor, onward = opened(asked.after)
    if onward.collection != collection:
        raise Refused("bad-cursor", "This `next` is of another collection", where="next")
    if asked.filters not in (Filters(), onward.filters):
        message = "A `next` goes with the filters of the request that it came from"
        raise Refused("bad-parameter", message, where="next")
    return cursor, onward.filters
