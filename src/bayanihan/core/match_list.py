"""A match list: keyed digests of identifiers, for one recipient and one epoch.

The list is made with a key that only its recipient has, so a list that turns up elsewhere
says whose it was. It hides nothing from the recipient: whoever holds the key can try every
number there is. It is personal data, with a purpose, an end and a contact for each line, and
a match is a reason to look, never to freeze anything by itself.

A line has six fields: epoch, type, digest, end of the line's life, contact, id of the object.
The digest is HMAC-SHA-256 over `type:value` in canonical spelling, under the epoch's key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bayanihan.core import moment
from bayanihan.core.identifiers import identifier
from bayanihan.core.observables import Observable
from bayanihan.errors import Refused

ADVICE = "A match is a reason to look, never to freeze, block or accuse by itself."
KEY_BYTES = 32
OVERLAP_DAYS = 7

_DAY_US = 86_400_000_000


class Match(msgspec.Struct, frozen=True):
    """One value of ours that stands on a list."""

    type: str
    value: str
    until: str
    contact: str
    id: str


def epochs(now_us: int) -> tuple[str, ...]:
    """The epochs that hold at a moment, the present month first.

    For `OVERLAP_DAYS` days the month before holds as well.
    """
    present = moment.render(now_us)[:7]
    before = moment.render(now_us - OVERLAP_DAYS * _DAY_US)[:7]
    return (present,) if before == present else (present, before)


def key_of(secret: bytes, recipient: str, epoch: str) -> bytes:
    """The key of a recipient in an epoch, from the hub's secret."""
    return hmac.digest(secret, f"bayanihan match 1\n{recipient}\n{epoch}".encode(), "sha256")


def digest(key: bytes, found: Observable) -> str:
    """The digest of an identifier, in hexadecimal."""
    return hmac.digest(key, f"{found.type}:{found.value}".encode(), "sha256").hex()


def matches(
    text: str, keys: Mapping[str, bytes], ours: Iterable[tuple[str, str]], now_us: int
) -> Iterator[Match]:
    """Which of our values stand on a list. Nothing leaves the machine.

    Args:
        text: of the list.
        keys: by epoch.
        ours: (type, text) of each value.
        now_us: lines whose end has passed do not count.

    Raises:
        Refused: `bad-value` for a line that is none, for a list whose epochs have no key
            here, and for a value that has no one spelling.
    """
    listed: dict[str, tuple[str, str, str]] = {}
    used: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split(" ")
        end_us = moment.parse(fields[3]) if len(fields) == 6 else None
        if end_us is None:
            raise Refused("bad-value", "This is no line of a match list", where=f"line {number}")
        used.add(fields[0])
        if end_us > now_us:
            listed[fields[2]] = (fields[3], fields[4], fields[5])
    known = used & keys.keys()
    if used and not known:
        message = f"The list is of {', '.join(sorted(used))}, and no key for that is here"
        raise Refused("bad-value", message, where="keys")
    for type_, written in ours:
        found = identifier(type_, written)
        for epoch in sorted(known, reverse=True):
            row = listed.get(digest(keys[epoch], found))
            if row is not None:
                yield Match(found.type, found.value, *row)
                break
