"""Disputes: a site's owner says without an account that a block is wrong.

Each is a small document of state, and a notice to whoever told of the value. The answer is
the same whether anybody did. A dispute by itself changes no feed: people decide.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger, apply_changes
from bayanihan.readers.feeds.hearing import Hearing, valued
from bayanihan.readers.feeds.turnstile import Turnstile

ROOM = "disputes"
TEXT_LIMIT = 1_000
ADDRESS_LIMIT = 5
DAY_LIMIT = 500
KEPT_DAYS = 90
LISTED = 100

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


class Complaint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a site's owner sends: the value, why the block is wrong, and how to reach them."""

    value: str
    reason: str
    contact: str = ""


class Dispute(msgspec.Struct, frozen=True):
    """A complaint as it is kept."""

    id: str
    at: str
    type: str
    value: str
    reason: str
    contact: str


class Disputes:
    """Takes disputes and lists them.

    Args:
        ledger: the record, with its state.
        hearing: tells the origins.
        entropy: random bytes for ids.
    """

    def __init__(
        self,
        ledger: Ledger,
        hearing: Hearing,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._ledger = ledger
        self._hearing = hearing
        self._entropy = entropy
        self._turnstile = Turnstile(
            "disputes", each=(ADDRESS_LIMIT, _HOUR_US), together=(DAY_LIMIT, _DAY_US)
        )

    async def take(self, complaint: Complaint, address: str) -> dict[str, str]:
        """Keep a complaint and tell who told of the value.

        Raises:
            Refused: `bad-value`.
            Unavailable: `overloaded` after too many.
        """
        observable = valued(complaint.value)
        reason = _text(complaint.reason, "reason")
        if not reason:
            raise Refused("bad-value", "Say why the block is wrong", where="reason")
        contact = _text(complaint.contact, "contact")
        now_us = self._ledger.now_us()
        self._turnstile.enter(address, now_us)
        name = f"{now_us:017d}-{self._entropy(8).hex()}"
        kept = Dispute(
            name, moment.render(now_us), observable.type, observable.value, reason, contact
        )
        change = Change(ROOM, name, msgspec.json.encode(kept))
        await self._ledger.change_soon(lambda db: apply_changes(db, [change]))
        drafts = await self._hearing.notices("dispute", "a site's owner", observable)
        if drafts:
            await self._ledger.append_soon(drafts)
        return {"id": name, "state": "received"}

    def listed(self, limit: int = LISTED) -> Sequence[dict[str, Any]]:
        """The disputes that are open, the oldest first."""
        found = self._ledger.state.list(ROOM, limit=limit)
        return [msgspec.json.decode(document.value) for document in found]

    def close(self, name: str) -> None:
        """Somebody settled it. Raises `Refused("not-found")`."""
        if self._ledger.state.get(ROOM, name) is None:
            raise Refused("not-found", "There is no such dispute", where="id")
        self._ledger.state.put([Change(ROOM, name, None)])

    def forget_old(self) -> None:
        """Drop what nobody settled for `KEPT_DAYS` days."""
        before = f"{self._ledger.now_us() - KEPT_DAYS * _DAY_US:017d}"
        while True:
            found = self._ledger.state.list(ROOM, limit=LISTED)
            old = [Change(ROOM, each.key, None) for each in found if each.key < before]
            if not old:
                return
            self._ledger.state.put(old)


def _text(text: str, where: str) -> str:
    """A text of some lines. Raises `Refused("bad-value")`."""
    plain = text.replace("\r\n", "\n").strip()
    printable = plain.replace("\n", " ").replace("\t", " ").isprintable()
    if plain and (len(plain) > TEXT_LIMIT or not printable):
        message = f"Plain text, {TEXT_LIMIT} characters at most"
        raise Refused("bad-value", message, where=where)
    return plain
