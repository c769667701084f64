"""What the console shows a viewer: the newest entries, and one object in full.

Rights are the ledger's: positions are sought among the viewer's own audiences, and each
entry and body is read through the door, which checks again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from bayanihan.core.marking import REGION, Audience, Viewer, voice_of
from bayanihan.core.observables import Observable
from bayanihan.core.pattern import Rest
from bayanihan.errors import Refused
from bayanihan.ledger import Entry, Ledger, Where
from bayanihan.readers.active import FOREVER_US, Active, Standing
from bayanihan.readers.feeds import EXERCISE_PREFIX, Disputes, Press
from bayanihan.registry import Registry
from bayanihan.web.facts import Facts, facts_of, name_in
from bayanihan.web.render import pretty
from bayanihan.web.tiles import Shown, Totals, shown_of, totals_of

PAGE = 25
BODY_LIMIT_BYTES = 1024 * 1024
_RAW_LIMIT = 65_536
_BLOCKS_LIMIT = 200

_OUT = {
    "withdrawn": "Withdrawn by its author: it has left the feeds.",
    "revoked": "Revoked by its author: it has left the feeds.",
    "informs": "It informs people and never blocks anything.",
    "unread": "Its pattern could not be read, so it blocks nothing.",
}
# Any feed of the real world, or behind its prefix of exercises.
_ANY_FEED = "indicators.csv"
_RED = "RED is for the persons named and enters no feed."
_NOTHING = "No feed here can say it yet, so nothing of it is blocked."
_KINDS = {
    "domain": "Domain",
    "url": "URL",
    "ipv4": "IPv4 address",
    "ipv6": "IPv6 address",
    "email": "Mail address",
}

Board = Callable[[Viewer, str], dict[str, Any]]
"""Who is protected against an object, as `/api/protection/{id}` answers this viewer."""


class Block(msgspec.Struct, frozen=True):
    """One observable: its kind in words, its spellings, and what becomes of it.

    `feeds` are those that carry it. `mode` is "" where these block it, else `alert`, `shadow`
    or `held`. `held` is why it does not block, `unexpressed` why no feed can say it; "" where
    neither is so.
    """

    kind: str
    value: str
    unicode: str
    feeds: tuple[str, ...]
    held: str = ""
    unexpressed: str = ""
    mode: str = ""


class Row(msgspec.Struct, frozen=True):
    """One entry of the list. `note` is why nothing of it is (or is any longer) in a feed."""

    position: int
    object_id: str
    facts: Facts
    level: str
    groups: tuple[str, ...]
    origin: str
    stamp_us: int
    exercise: bool
    note: str = ""
    withdrawn: bool = False
    blocks: tuple[Block, ...] = ()
    rest: tuple[Rest, ...] = ()
    shown: Shown | None = None


class Latest(msgspec.Struct, frozen=True):
    """A page of entries, newest first; `older` is the cursor of the page after, or ""."""

    rows: tuple[Row, ...]
    totals: Totals
    older: str
    exercise: bool


class Full(msgspec.Struct, frozen=True):
    """One object: the row of its latest version, and everything else that is known."""

    row: Row
    entry: Entry
    until_us: int | None
    raw: str
    versions: int


_TAKEN_AT_ONCE = 100


class Sight(NamedTuple):
    """All that decides what a viewer is shown, so that equals may share a page.

    `side` is whose eyes these are: a member's own, a constituent's (`SG/`), the operator's
    (`HUB`) or the public's (``). `rights` are the audiences seen, with the person where RED
    is among them.
    """

    side: str
    rights: tuple[tuple[int, ...], str]


class Console:
    """Reads what pages show. Its calls block: they belong on a worker thread.

    Args:
        ledger, registry, active: the record and its projections.
        press: makes the feeds, and says what each does with a value.
        board: who is protected against an object, for a viewer.
        disputes: what sites' owners complain about, where they can.
    """

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        active: Active,
        press: Press,
        board: Board,
        disputes: Disputes | None = None,
    ) -> None:
        self._disputes = disputes
        self._ledger = ledger
        self._registry = registry
        self._active = active
        self._press = press
        self._board = board
        self._looked_to = ledger.length

    def something_taken_back(self) -> bool:
        """Whether anything was withdrawn or erased since this was last asked."""
        found = self._ledger.scan(self._looked_to, _TAKEN_AT_ONCE, ("withdrawn", "erased"))
        if found:
            self._looked_to = found[-1][0].position
        return bool(found)

    def sight(self, viewer: Viewer) -> Sight:
        """What a viewer has in common with all who are shown the same."""
        side = f"{viewer.member}/" if viewer.constituent else viewer.origin
        return Sight(side, self._ledger.sharing(viewer))

    def latest(self, viewer: Viewer, before: str = "", limit: int = PAGE) -> Latest:
        """The newest entries that a viewer may see, before a cursor where one is given.

        Raises:
            Refused: `bad-cursor` or `reset`.
        """
        start = self._ledger.cursors.open(before, where="before") if before else None
        positions = newest(self._ledger, viewer, start, limit + 1)
        rows = tuple(filter(None, (self._row(viewer, at) for at in positions[:limit])))
        more = len(positions) > limit
        return Latest(
            rows,
            totals_of(len(rows), [row.shown for row in rows if row.shown]),
            self._ledger.cursors.seal(positions[limit - 1]) if more else "",
            any(row.exercise for row in rows),
        )

    def full(self, viewer: Viewer, object_id: str) -> Full:
        """The latest version of an object that a viewer may see.

        Raises:
            Refused: `not-found`.
        """
        found = self._ledger.newest_about(viewer, object_id)
        if not found:
            raise Refused("not-found", "There is no such entry", where=object_id)
        entry = max(found, key=lambda one: (one.version_us, one.position))
        body = self._ledger.body(viewer, entry.position)
        row = self._described(viewer, entry, body)
        standing = self._standing(viewer, entry)
        until_us = standing.valid_until_us if standing else FOREVER_US
        return Full(
            row,
            entry,
            until_us if until_us != FOREVER_US else None,
            pretty(body, _RAW_LIMIT),
            len(found),
        )

    def feeds(self, viewer: Viewer) -> list[dict[str, Any]]:
        """Every feed as a viewer may see it, as `/api/feeds` answers."""
        return self._press.listing(
            self._ledger.rights(viewer), self._ledger.now_us(), self._press.whose(viewer)
        )

    def sees(self, observable: Observable, viewer: Viewer, exercise: bool) -> bool:
        """Whether a viewer's feeds may tell of a value now."""
        rights, now_us = self._ledger.rights(viewer), self._ledger.now_us()
        return self._press.sees(observable, rights, now_us, exercise=exercise)

    def becomes(
        self, observable: Observable, viewer: Viewer, exercise: bool
    ) -> tuple[str, str] | None:
        """The mode of a value in a viewer's feeds and why; None where these tell nothing of it."""
        if not self.sees(observable, viewer, exercise):
            return None
        feed = f"{EXERCISE_PREFIX if exercise else ''}{_ANY_FEED}"
        rights, whose = self._ledger.rights(viewer), self._press.whose(viewer)
        item = self._press.judged(feed, observable, rights, self._ledger.now_us(), whose)
        return self._press.treats(feed, item) or (item.mode, item.why)

    def disputes(self, viewer: Viewer) -> Sequence[dict[str, Any]]:
        """The open disputes, for members' own staff and the operator; for others none."""
        if self._disputes is None or not viewer.key or viewer.constituent:
            return []
        return self._disputes.listed()

    def _row(self, viewer: Viewer, position: int) -> Row | None:
        """One row; None when the entry was erased since its position was found."""
        try:
            entry = self._ledger.entry(viewer, position)
            large = entry.size_bytes > BODY_LIMIT_BYTES
            body = None if large else self._ledger.body(viewer, position)
        except Refused:
            return None
        return self._described(viewer, entry, body)

    def _described(self, viewer: Viewer, entry: Entry, body: bytes | None) -> Row:
        audience = self._ledger.store.audiences()[entry.header.audience - 1]
        row = Row(
            position=entry.position,
            object_id=entry.object_id,
            facts=facts_of(entry.object_id, body, lambda ref: self._name(viewer, ref)),
            level=audience.level,
            groups=_groups(audience),
            origin=self._origin(viewer, entry),
            stamp_us=entry.stamp_us,
            exercise=entry.header.exercise,
            withdrawn=self._withdrawn(viewer, entry),
        )
        standing = self._standing(viewer, entry)
        if standing is None:
            note = _OUT["withdrawn"] if row.withdrawn else ""
            return msgspec.structs.replace(row, note=note)
        return self._defended(viewer, row, standing)

    def _defended(self, viewer: Viewer, row: Row, standing: Standing) -> Row:
        """A row of an indicator, with what it blocks and who is protected."""
        blocks = tuple(self._block(viewer, item, row) for item in standing.items[:_BLOCKS_LIMIT])
        note = _note(row, standing, blocks, self._ledger.now_us())
        in_force = not note and any(block.feeds for block in blocks)
        board = self._board(viewer, row.object_id) if in_force else None
        return msgspec.structs.replace(
            row,
            note=note,
            blocks=blocks,
            rest=standing.rest[:_BLOCKS_LIMIT],
            shown=shown_of(board, self._members()) if board and board["feeds"] else None,
        )

    def _block(self, viewer: Viewer, item: Observable, row: Row) -> Block:
        feeds: list[str] = []
        left: dict[str, str] = {}
        judged = self._press.judged(
            EXERCISE_PREFIX + _ANY_FEED if row.exercise else _ANY_FEED,
            item,
            self._ledger.rights(viewer),
            self._ledger.now_us(),
            self._press.whose(viewer),
        )
        for feed in self._press.feeds:
            if feed.startswith(EXERCISE_PREFIX) != row.exercise:
                continue
            if row.level == "red":
                left["not-expressed"] = _RED
                continue
            refusal = self._press.treats(feed, judged)
            if refusal is None:
                feeds.append(feed)
            else:
                left.setdefault(*refusal)
        mode = "" if judged.mode == "block" else judged.mode
        return Block(
            _KINDS.get(item.type) or item.type.upper(),
            item.value,
            item.unicode,
            tuple(feeds),
            left.get("held", "") or left.get(mode, ""),
            "" if feeds or mode or "held" in left else left.get("not-expressed", ""),
            mode,
        )

    def _standing(self, viewer: Viewer, entry: Entry) -> Standing | None:
        for standing in self._active.items_of(entry.object_id, self._ledger.rights(viewer)):
            same = standing.origin == entry.origin and standing.exercise == entry.header.exercise
            if same:
                return standing
        return None

    def _withdrawn(self, viewer: Viewer, entry: Entry) -> bool:
        told = self._ledger.newest_about(
            viewer, entry.object_id, ("withdrawn",), origin=entry.origin
        )
        return any(
            each.position > entry.position and each.header.audience == entry.header.audience
            for each in told
        )

    def _name(self, viewer: Viewer, ref: str) -> str:
        """What an object is called, as far as the viewer may see it; else its id."""
        page = self._ledger.read(viewer, 0, 1, Where(object_id=ref)) if ref else None
        return (name_in(page.items[0].body) if page and page.items else "") or ref

    def _members(self) -> dict[str, tuple[str, bool]]:
        return {
            code: (member.name, not member.cert) for code, member in self._registry.members.items()
        }

    def _named(self, code: str) -> str:
        member = self._registry.members.get(code)
        return member.name if member else code

    def _origin(self, viewer: Viewer, entry: Entry) -> str:
        """An origin in words: the member's name, and to its own staff the constituent's.

        What a named proxy entered is told with both names.
        """
        origin, proxy = entry.origin, voice_of(entry.origin, entry.author).partition(" for ")
        if origin == "HUB":
            return "the regional hub"
        if proxy[2]:
            return f"{self._named(proxy[0])} for {self._named(proxy[2])}"
        code, _, constituent = origin.partition("/")
        name = self._named(code)
        own = viewer.member == code and not viewer.constituent
        if not constituent or not own:
            return name
        known = self._registry.constituents.get((code, constituent))
        return f"{(known.title if known else '') or constituent}, {name}"


def _note(row: Row, standing: Standing, blocks: Sequence[Block], now_us: int) -> str:
    """Why nothing of an indicator's entry is in a feed; "" where something is, or is held."""
    if standing.out:
        return _OUT[standing.out]
    if standing.position != row.position:
        return "There is a later version, which counts in its place."
    if standing.valid_until_us <= now_us:
        return "Its time has passed: it has left the feeds."
    if standing.valid_from_us > now_us:
        return "Its time has not come yet: it is in no feed."
    if row.level == "red":
        return _RED
    return "" if any(block.feeds or block.held for block in blocks) else _NOTHING


def _groups(audience: Audience) -> tuple[str, ...]:
    return tuple(group.name for group in audience.groups if group.name != REGION)


def newest(ledger: Ledger, viewer: Viewer, before: int | None, limit: int) -> list[int]:
    """Positions of the newest objects that a viewer may see, newest first.

    Each of the viewer's audiences is asked for its own newest `limit` from the index, so
    the cost is theirs times the page and does not grow with what is stored.
    """
    end = before if before is not None else ledger.length + 1
    found = {
        position
        for audience in ledger.rights(viewer)
        for exercise in (0, 1)
        for position in ledger.store.paging.newest_seen((audience, 0, exercise), end, limit)
    }
    return sorted(found, reverse=True)[:limit]
