"""What the law's handlers share: the rulebook, the record, the clock, and who may see what.

Its calls block: they belong on a worker thread.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from bayanihan.core.marking import REGION, Audience, Group, Viewer, admitting
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Draft, Ledger
from bayanihan.registry import Registry
from bayanihan.rulebook.clocks import WorkingDay, moment_text
from bayanihan.rulebook.law import Rulebook
from bayanihan.web.law.docket import Attested, Docket, Kept
from bayanihan.web.law.people import reader, speaks_for_authority
from bayanihan.web.law.records import Judged, Record, read_record

CLEAR = Audience("clear")
LEVELS = ("clear", "green", "amber", "amber+strict")
TEXT_LIMIT = 4_000
DRAFTS = "law-draft"
DRAFTS_LIMIT = 500
_FOREVER = 2**62


class Desk:
    """Reads and writes the law's record.

    Args:
        ledger, docket, registry: the record and its projections.
        opened: gives the rulebook.
        working_day: the members' calendars.
        entropy: random bytes for new ids.
    """

    def __init__(
        self,
        ledger: Ledger,
        docket: Docket,
        registry: Registry,
        opened: Callable[[], Rulebook],
        working_day: WorkingDay,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._docket = docket
        self._registry = registry
        self._opened = opened
        self._entropy = entropy
        self.working_day = working_day
        self._deciding = threading.Lock()
        self._judged_at = 0

    @property
    def book(self) -> Rulebook:
        """The rulebook."""
        return self._opened()

    def now(self) -> datetime:
        """The hub's clock."""
        return datetime.fromtimestamp(self._ledger.now_us() / 1_000_000, UTC)

    def said_now(self) -> str:
        """The hub's clock as text."""
        return moment_text(self.now()) or ""

    def new_id(self, kind: str) -> str:
        """A new id such as `case--...`."""
        return f"{kind}--{uuid.UUID(bytes=self._entropy(16), version=4)}"

    # who may see

    def among(self, viewer: Viewer, members: Iterable[str]) -> Audience:
        """The staff of these members, as the region is constituted now, and the author."""
        region = self._registry.group(REGION)
        codes = tuple(sorted(set(members) & set(region.members)))
        return admitting(Audience("amber+strict", (Group(REGION, region.version, codes),)), viewer)

    def shared(self, viewer: Viewer, level: str, group: str) -> Audience:
        """The audience that a person chose: a level, and one of their own groups.

        Raises:
            Refused: `bad-value` for no such level, `bad-parameter` for no such group.
        """
        if level not in LEVELS:
            raise Refused("bad-value", f"The level is one of {', '.join(LEVELS)}.", where="$.tlp")
        if level in ("clear", "green"):
            return Audience(level)
        found = self._registry.own_group(viewer, group)
        return admitting(Audience(level, (found,)), viewer)

    def members(self) -> frozenset[str]:
        """The members of the region now."""
        return frozenset(self._registry.members)

    # the record

    @contextlib.contextmanager
    def deciding(self) -> Iterator[None]:
        """What is judged and then entered in here is one step: no two can take the same one.

        Here one waits for the other. Where another node was quicker, `enter` refuses.
        """
        with self._deciding:
            self._catch_up()
            self._judged_at = self._docket.position
            yield

    def _catch_up(self) -> None:
        """Take in what other nodes entered: who moves between nodes goes not back in time."""
        self._ledger.refresh()
        self._fold()

    def _fold(self) -> None:
        while self._docket.catch_up(self._ledger.scan, self._ledger.length):
            pass

    def is_entered(self, record_id: str) -> bool:
        """Whether there is an act about an id, whoever may see it."""
        return bool(self._docket.of(record_id))

    def enter(self, viewer: Viewer, acts: Sequence[tuple[Record, Audience]]) -> None:
        """Append acts, all or none, while `deciding`; they are in the docket when this returns.

        Raises:
            Refused: `conflict` when somebody entered an act about the same id meanwhile.
        """
        drafts = [
            Draft(
                "decision",
                audience,
                author=viewer.person,
                origin=viewer.origin,
                object_id=record.id,
                body=msgspec.json.encode(record),
            )
            for record, audience in acts
        ]
        self._ledger.append(drafts, unless_after=self._judged_at)
        self._fold()

    def history(self, viewer: Viewer, record_id: str) -> list[Kept]:
        """All acts about an id that the viewer may see, oldest first, other nodes' included.

        Raises:
            Refused: `not-found` when there is none for this viewer.
        """
        self._catch_up()
        return self.acts(viewer, record_id)

    def acts(self, viewer: Viewer, record_id: str) -> list[Kept]:
        """As `history`, of what this node knows: for the rows of a list just made."""
        viewer = reader(viewer)
        found = [
            kept
            for position in self._docket.of(record_id)
            if (kept := self._kept(viewer, position)) is not None
        ]
        if not found:
            raise Refused("not-found", "There is no such record here", where=record_id)
        return found

    def _kept(self, viewer: Viewer, position: int) -> Kept | None:
        try:
            entry = self._ledger.entry(viewer, position)
            record = read_record(self._ledger.body(viewer, position))
        except Refused:
            return None  # not theirs to see
        return None if record is None else Kept(entry, record)

    def newest(
        self, viewer: Viewer, genre: str, view: str = "", after: str = "", limit: int = 50
    ) -> tuple[list[Kept], str]:
        """The newest act of each id of a genre that the viewer may see, and the next cursor."""
        self._catch_up()
        viewer = reader(viewer)
        before = self._ledger.cursors.open(after) or _FOREVER
        rights = self._ledger.rights(viewer)
        positions = self._docket.latest(genre, view, rights, before, limit + 1)
        shown = [self._kept(viewer, position) for position in positions[:limit]]
        more = positions[limit - 1] if len(positions) > limit else 0
        found = [kept for kept in shown if kept is not None]
        return found, self._ledger.cursors.seal(more) if more else ""

    def audience_of(self, kept: Kept) -> Audience:
        """The audience that an entry went to: what follows it goes to the same."""
        return self._ledger.store.audiences()[kept.entry.header.audience - 1]

    def audience_at(self, position: int) -> Audience:
        """The audience of the entry at a position."""
        entry = self._ledger.store.entry(position)
        assert entry is not None, "the docket names entries of this record"
        return self._ledger.store.audiences()[entry.header.audience - 1]

    def attested(self, viewer: Viewer, digest: str) -> Attested | None:
        """The attestation with that envelope, where the viewer may see one and it stands."""
        found = self._docket.attested(digest, self._ledger.rights(reader(viewer)))
        return found if found and self.body_at(viewer, found.position) else None

    def withdrawn(self, attested: Attested) -> list[int]:
        """When an attestation's origin withdrew it, in UTC microseconds."""
        return self._docket.withdrawn(attested)

    def judged(self, viewer: Viewer, attestation_id: str) -> list[Judged]:
        """What authorities decided about an attestation, as far as the viewer may see."""
        found = [self._kept(viewer, position) for position in self._docket.of(attestation_id)]
        return [k.record for k in found if k is not None and isinstance(k.record, Judged)]

    def body_at(self, viewer: Viewer, position: int) -> bytes:
        """The bytes at a position; b"" where they were erased."""
        try:
            return self._ledger.body(reader(viewer), position)
        except Refused:
            return b""

    def is_evidence(self, viewer: Viewer, name: str) -> bool:
        """Whether an id names what may count against somebody (safeguard 1).

        Attestations, registrations and filings were made for that; reports, notices and
        receipts were not, and look here like what does not exist.
        """
        kinds = ("attestation", "decision")
        return bool(self._ledger.newest_about(viewer, name, kinds, limit=1))

    # drafts: nobody's word yet, so they are state

    def keep_draft(self, viewer: Viewer, draft_id: str, value: dict[str, Any]) -> None:
        """Keep a draft for its origin.

        Raises:
            Refused: `bad-value` when there are too many.
        """
        if len(self.drafts(viewer)) >= DRAFTS_LIMIT and not self._held(viewer, draft_id):
            raise Refused("bad-value", f"You keep {DRAFTS_LIMIT} drafts: file or drop some first.")
        change = Change(DRAFTS, _place(viewer, draft_id), msgspec.json.encode(value))
        self._ledger.state.put([change])

    def draft(self, viewer: Viewer, draft_id: str) -> dict[str, Any]:
        """A draft of the viewer's own origin. Raises `Refused("not-found")`."""
        value = self._held(viewer, draft_id)
        if value is None:
            raise Refused("not-found", "You keep no such draft", where=draft_id)
        return value

    def has_draft(self, viewer: Viewer, draft_id: str) -> bool:
        """Whether the viewer's own origin keeps such a draft."""
        return self._held(viewer, draft_id) is not None

    def _held(self, viewer: Viewer, draft_id: str) -> dict[str, Any] | None:
        held = self._ledger.state.get(DRAFTS, _place(viewer, draft_id))
        return None if held is None else msgspec.json.decode(held.value, type=dict[str, Any])

    def drafts(self, viewer: Viewer) -> list[dict[str, Any]]:
        """The drafts of the viewer's own origin."""
        held = self._ledger.state.list(DRAFTS, _place(viewer, ""), "", DRAFTS_LIMIT)
        return [msgspec.json.decode(one.value) for one in held]

    def drop_draft(self, viewer: Viewer, draft_id: str) -> None:
        """Drop a draft, or nothing."""
        self._ledger.state.put([Change(DRAFTS, _place(viewer, draft_id), None)])


def _place(viewer: Viewer, draft_id: str) -> str:
    # No origin holds this sign, so `SG` does not begin the places of its constituents.
    return f"{viewer.origin}|{draft_id}"


def sees_all(viewer: Viewer, kept: Kept) -> bool:
    """Whether a viewer who may see an entry reads it in full: an authority, or its origin."""
    own = viewer.origin == kept.entry.origin and "report" in viewer.scopes
    return own or speaks_for_authority(viewer)


def text_of(body: dict[str, Any], name: str, *, needed: bool = False, at: str = "$") -> str:
    """A text of a request's body.

    Raises:
        Refused: `bad-value` for what is none or too long, `missing-property` when needed.
    """
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        message = f"`{name}` is a text of at most {TEXT_LIMIT} characters."
        raise Refused("bad-value", message, where=f"{at}.{name}")
    if needed and not value.strip():
        raise Refused("missing-property", f"Give `{name}`.", where=f"{at}.{name}")
    return value.strip()
