"""`match.hmac`: phone numbers, handles, accounts and meetings, for one recipient.

See `core.match_list` for the lines and for what the list does not protect against. What only
informs (information-manipulation, data-misuse) is named by no indicator that holds, and so is
never here. A line without an end of its own ends `LIFE_DAYS` days after it was last told.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bayanihan.core import match_list, moment
from bayanihan.core.identifiers import identifier
from bayanihan.core.marking import Viewer, house_of, told_origin
from bayanihan.core.observables import Observable
from bayanihan.core.signing import to_text
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger
from bayanihan.readers.active import FOREVER_US, Active, ActiveItem
from bayanihan.readers.feeds.format import EXERCISE_PREFIX
from bayanihan.readers.feeds.press import Press
from bayanihan.readers.feeds.turnstile import Turnstile

NAME = "match.hmac"
PURPOSE = "to find victims and stop fraud; for nothing else"
LIFE_DAYS = 90
ROOM = "match-lookup"
PURPOSE_LIMIT = 500
LISTED = 1_000
# Look-ups in a day: of one member, and of all.
MEMBER_LIMIT = 2_000
DAY_LIMIT = 10_000

_DAY_US = 86_400_000_000
_PAGE = 500


class Question(msgspec.Struct, frozen=True):
    """A look-up of one identifier, with the purpose that its asker states."""

    type: str
    value: str
    purpose: str = ""


class Asked(msgspec.Struct, frozen=True):
    """One look-up, as it is kept: who asked, what for, and which objects answered it."""

    at: str
    member: str
    key: str
    purpose: str
    type: str
    objects: tuple[str, ...]
    origins: tuple[str, ...]


class MatchLists:
    """Makes match lists and answers look-ups. Safe to call from several threads.

    Args:
        ledger: for rights, state and the clock.
        active: who told of an object.
        press: what there is to match.
        secret: the hub's, from which recipients' keys follow.
        lookup_days: after how many days a look-up is forgotten.
    """

    def __init__(
        self,
        ledger: Ledger,
        active: Active,
        press: Press,
        secret: bytes,
        *,
        lookup_days: int = LIFE_DAYS,
    ) -> None:
        self._ledger = ledger
        self._active = active
        self._press = press
        self._secret = secret
        self._lookup_days = lookup_days
        self._turning = threading.Lock()
        self._turnstile = Turnstile(
            "look-ups", each=(MEMBER_LIMIT, _DAY_US), together=(DAY_LIMIT, _DAY_US)
        )

    def keys(self, viewer: Viewer) -> dict[str, Any]:
        """The keys of a viewer's own lists, by epoch."""
        found = match_list.epochs(self._ledger.now_us())
        keys = [match_list.key_of(self._secret, viewer.key, epoch) for epoch in found]
        return {
            "recipient": viewer.key,
            "keys": dict(zip(found, map(to_text, keys), strict=True)),
            "advice": match_list.ADVICE,
        }

    def file(self, viewer: Viewer, *, exercise: bool) -> bytes:
        """The list of one viewer, as they may see it now."""
        now_us = self._ledger.now_us()
        rights = self._ledger.rights(viewer)
        items = self._press.identifiers(rights, now_us, exercise=exercise)
        epochs = match_list.epochs(now_us)
        lines: list[str] = []
        for item in items:
            found = Observable(item.type, item.value)
            named = self._active.named(found, rights, now_us, exercise=exercise)
            if named is None or life_us(named) <= now_us:
                continue
            end, contact = moment.render(life_us(named)), house_of(named.sources[-1].origin)
            for epoch in epochs:
                key = match_list.key_of(self._secret, viewer.key, epoch)
                digest = match_list.digest(key, found)
                lines.append(f"{epoch} {item.type} {digest} {end} {contact} {named.ids[-1]}")
        return written(viewer.key, epochs, sorted(lines), exercise=exercise)

    def answer(self, viewer: Viewer, asked: Question, *, exercise: bool = False) -> dict[str, Any]:
        """Whether an identifier is known. The question is kept before it is answered.

        Raises:
            Refused: `bad-value` for no identifier, or without a purpose.
            Unavailable: `overloaded` after too many in a day.
        """
        purpose = " ".join(asked.purpose.split())
        if not purpose or len(purpose) > PURPOSE_LIMIT or not purpose.isprintable():
            message = "Say what you look this person or account up for, in a sentence"
            raise Refused("bad-value", message, where="purpose")
        found = identifier(asked.type, asked.value)
        with self._turning:
            self._turnstile.enter(viewer.member or "HUB", self._ledger.now_us())
        now_us, rights = self._ledger.now_us(), self._ledger.rights(viewer)
        named = self._active.named(found, rights, now_us, exercise=exercise)
        told = [
            standing
            for object_id in (named.ids if named else ())
            for standing in self._active.items_of(object_id, rights)
            if standing.exercise == exercise and standing.holds(now_us)
        ]
        kept = Asked(
            moment.render(now_us),
            viewer.member or "HUB",
            viewer.key,
            purpose,
            found.type,
            tuple(sorted({each.object_id for each in told})),
            tuple(sorted({each.origin for each in told})),
        )
        name = f"{now_us:017d}-{secrets.token_hex(8)}"
        self._ledger.state.put([Change(ROOM, name, msgspec.json.encode(kept))])
        matches = [
            {
                "id": each.object_id,
                "origin": told_origin(viewer, each.origin),
                "since": moment.render(each.valid_from_us),
            }
            for each in told
        ]
        return {"matches": matches, "advice": match_list.ADVICE}

    def asked(self, viewer: Viewer, after: str = "", limit: int = LISTED) -> list[dict[str, Any]]:
        """The look-ups that a member made, or that met what it told of; the oldest first.

        Args:
            viewer: whose.
            after: the `id` of the last one that was seen.
            limit: so many at most.
        """
        mine = viewer.member or "HUB"
        shown: list[dict[str, Any]] = []
        while len(shown) < limit:
            documents = self._ledger.state.list(ROOM, after=after, limit=_PAGE)
            if not documents:
                break
            after = documents[-1].key
            for document in documents:
                each = msgspec.json.decode(document.value, type=Asked)
                if each.member == mine or mine in {_state(origin) for origin in each.origins}:
                    key = each.key if each.member == mine else ""
                    origins = sorted({told_origin(viewer, origin) for origin in each.origins})
                    told = {**msgspec.to_builtins(each), "origins": origins, "key": key}
                    shown.append({"id": document.key, **told})
        return shown[:limit]

    def forget_old(self) -> None:
        """Drop the look-ups that are older than the settings say."""
        before = f"{self._ledger.now_us() - self._lookup_days * _DAY_US:017d}"
        while True:
            found = self._ledger.state.list(ROOM, limit=_PAGE)
            old = [Change(ROOM, each.key, None) for each in found if each.key < before]
            if not old:
                return
            self._ledger.state.put(old)

    def row(self, viewer: Viewer, *, exercise: bool) -> dict[str, Any]:
        """What `feed --list` says of the list, in the shape of `Press.listing`."""
        lines = self.file(viewer, exercise=exercise)
        told = [line for line in lines.split(b"\n") if line and not line.startswith(b"#")]
        return {
            "feed": f"{EXERCISE_PREFIX if exercise else ''}{NAME}",
            "engine": "bayanihan feed --match",
            "verified": False,
            "checked": "not verified: its recipient matches it on their own machine",
            # Each identifier has a line in each epoch that holds now.
            "items": len(told) // len(match_list.epochs(self._ledger.now_us())),
            "size_bytes": len(lines),
            "held": [],
            "held_total": 0,
            "not_expressed": [],
            "not_expressed_total": 0,
        }


def written(
    recipient: str, epochs: Sequence[str], lines: Iterable[str], *, exercise: bool
) -> bytes:
    """The file of some lines."""
    feed = f"{EXERCISE_PREFIX if exercise else ''}{NAME}"
    head = [f"Bayanihan feed: {feed}"]
    if exercise:
        head.append("EXERCISE EXERCISE EXERCISE: nothing in this file is a real threat.")
    head += [
        f"recipient: {recipient}; epochs: {', '.join(epochs)}",
        f"purpose: {PURPOSE}",
        match_list.ADVICE,
        "Whoever holds the key can try every number: keep key and list as personal data.",
        "Fields: epoch, type, digest, end, contact, object. Errors: tell the contact.",
    ]
    return "".join([*(f"# {line}\n" for line in head), *(f"{line}\n" for line in lines)]).encode()


def life_us(named: ActiveItem) -> int:
    """When a line ends: at its author's own end, or `LIFE_DAYS` days after it was last told."""
    if named.valid_until_us != FOREVER_US:
        return named.valid_until_us
    return max(each.stamp_us for each in named.sources) + LIFE_DAYS * _DAY_US


def _state(origin: str) -> str:
    return origin.partition("/")[0]
