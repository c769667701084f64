"""A real ledger with its catalogue, and a slow model of what each viewer is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from bayanihan.core.ai import EXTENSION_ID
from bayanihan.core.marking import PUBLIC, Audience, Group, Viewer
from bayanihan.ledger import Draft, Item, Ledger, Where, check_ledger, check_projection
from bayanihan.readers.taxii.catalogue import Catalogue
from bayanihan.readers.taxii.facts import facts_of
from bayanihan.readers.taxii.pages import Shelves
from bayanihan.readers.taxii.query import Filters
from bayanihan.readers.taxii.question import Question
from bayanihan.readers.taxii.rows import row_of
from bayanihan.readers.taxii.versions import Held, shown

START_US = 1_793_000_000_000_000
REGION = (Group("region", 1, ("SG", "TH")),)
AUDIENCES = (
    Audience("clear"),
    Audience("green"),
    Audience("amber", REGION),
    Audience("amber+strict", (Group("pair", 1, ("SG",)),)),
)
SCOPES = frozenset({"read", "report"})
SG = Viewer(key="k1", person="SG/anna", member="SG", scopes=SCOPES)
TH = Viewer(key="k2", person="TH/boon", member="TH", scopes=SCOPES)
BANK = Viewer(key="k3", person="b", member="TH", constituent="bank", scopes=SCOPES)
HUB = Viewer(key="k0", person="op", scopes=SCOPES)
VIEWERS = (PUBLIC, SG, TH, BANK, HUB)
BY_ORIGIN = {viewer.origin: viewer for viewer in (SG, TH, HUB)}

PATTERNS = (
    "[domain-name:value = 'a.example']",
    "[file:name = 'x' AND email-addr:value = 'a@example.org']",
    "[ipv4-addr:value = '198.51.100.7']",
)
IDS = (
    "indicator--11111111-1111-4111-8111-111111111111",
    "indicator--22222222-2222-4222-8222-222222222222",
    "domain-name--33333333-3333-4333-8333-333333333333",
    "report--44444444-4444-4444-8444-444444444444",
    "marking-definition--55555555-5555-4555-8555-555555555555",
)
UNVERSIONED = ("domain-name", "marking-definition")


class Said(NamedTuple):
    """One version of an object that an origin tells an audience."""

    object_id: str
    origin: str
    audience: int
    version: int
    variant: int = 0
    vector: str = ""
    revoked: bool = False
    exercise: bool = False
    home: str = ""

    @property
    def body(self) -> bytes:
        document: dict[str, Any] = {"id": self.object_id, "note": self.variant}
        kind = self.object_id.partition("--")[0]
        if kind == "indicator":
            document |= {"pattern": PATTERNS[self.variant % 3], "pattern_type": "stix"}
        if kind == "marking-definition":
            document["created"] = "2026-01-01T00:00:00.000Z"
        if kind not in UNVERSIONED:
            document["modified"] = f"2026-01-0{self.version}T00:00:00.000Z"
            document["revoked"] = self.revoked
        if self.vector:
            extension = {"extension_type": "property-extension", "vector": self.vector}
            document["extensions"] = {EXTENSION_ID: extension}
        return json.dumps(document).encode()

    @property
    def draft(self) -> Draft:
        own = self.object_id.partition("--")[0] not in UNVERSIONED
        return Draft(
            "object",
            AUDIENCES[self.audience],
            author="anna",
            origin=self.origin,
            object_id=self.object_id,
            body=self.body,
            version_us=self.version if own else None,
            exercise=self.exercise,
            collection=self.home,
        )


class Shelved:
    """One record and its catalogue in a folder. Its clock moves a little at each step."""

    def __init__(self, folder: Path) -> None:
        self.now_us = START_US
        self.ledger = Ledger(folder, now_us=lambda: self.now_us)
        self.catalogue = Catalogue(folder / "projections", self.ledger.epoch, self.ledger.length)
        self.shelves = Shelves(self.ledger, self.catalogue, folded_within_s=0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.catalogue.close()
        self.ledger.close()

    def say(self, *said: Said) -> None:
        self.now_us += 1_000
        self.ledger.append([each.draft for each in said])

    def withdraw(
        self, object_id: str, origin: str, audience: int, *, exercise: bool = False
    ) -> None:
        body = json.dumps({"id": object_id}).encode()
        told = Draft(
            *("withdrawn", AUDIENCES[audience], "anna", origin, object_id, body),
            exercise=exercise,
        )
        self.ledger.append([told])

    def erase(self, object_id: str, origin: str) -> None:
        viewer = BY_ORIGIN[origin]
        allowed = self.ledger.rights(viewer)
        own = [entry for entry in self._entries(object_id) if entry.origin == origin]
        if any(entry.header.audience in allowed for entry in own):
            self.ledger.erase(viewer, object_id, "asked to")

    def retain(self, object_id: str, origin: str) -> None:
        """Erase the oldest entry alone, as retention does."""
        own = [entry for entry in self._entries(object_id) if entry.origin == origin]
        if own:
            self.ledger.erase_entries(own[:1], person="retention", reason="old")

    def _entries(self, object_id: str) -> list[Any]:
        found = self.ledger.scan(0, 10_000, ("object",))
        return [entry for entry, body in found if body and entry.object_id == object_id]

    def fold(self, limit: int = 256) -> None:
        while self.catalogue.catch_up(self.ledger.scan, self.ledger.length, limit):
            pass

    def check(self) -> None:
        """The record is whole and the catalogue equals one that is folded anew."""
        report = check_ledger(self.ledger.store)
        check_projection(
            self.catalogue,
            lambda: Catalogue(None, self.ledger.epoch, self.ledger.length),
            self.ledger.store,
            report,
        )
        assert report.faults == []

    # reading

    async def read(
        self, viewer: Viewer, question: Question, filters: Filters, limit: int
    ) -> list[bytes]:
        """Everything, page by page; each page as long as asked but the last."""
        found: list[bytes] = []
        after, more = 0, True
        while more:
            page = await self.shelves.bodies(viewer, question, filters, after, limit)
            assert len(page.bodies) <= limit
            assert len(page.bodies) == limit or not page.more
            assert page.stamps_us == sorted(page.stamps_us)
            items = await self.shelves.items(viewer, question, filters, after, limit)
            assert [item.body for item in items.items] == page.bodies
            assert (items.last, items.more) == (page.last, page.more)
            found += page.bodies
            after, more = page.last, page.more
        return found

    def model(self, viewer: Viewer, question: Question, filters: Filters) -> list[bytes]:
        """The same, by reading all that the viewer may see and thinking about each."""
        page = self.ledger.read(viewer, 0, 10_000, Where(("object", "withdrawn")))
        standing = _standing(page.items)
        objects: dict[str, dict[int, Item]] = {}
        for item in standing:
            if self._asked(item, question, filters):
                by_position = objects.setdefault(item.entry.object_id, {})
                by_position[item.entry.position] = item
        found = [
            by_position[held.position]
            for by_position in objects.values()
            for held in shown(map(_held, by_position.values()), filters.wanted)
        ]
        return [item.body for item in sorted(found, key=lambda item: item.entry.position)]

    @staticmethod
    def _asked(item: Item, question: Question, filters: Filters) -> bool:
        facts = facts_of(item.entry.object_id, item.body)
        return (
            item.entry.header.exercise == question.exercise
            and question.asks(facts.type, facts.vector, facts.consumers, item.entry.collection)
            and (not filters.types or facts.type in filters.types)
            and (not filters.ids or item.entry.object_id in filters.ids)
            and not filters.nothing
        )


def _standing(items: Iterable[Item]) -> list[Item]:
    held: list[Item] = []
    for item in items:
        if item.entry.header.kind == "object":
            held.append(item)
            continue
        place = (item.entry.object_id, item.entry.origin)
        header = item.entry.header
        held = [
            other
            for other in held
            if (other.entry.object_id, other.entry.origin) != place
            or other.entry.header.audience != header.audience
            or other.entry.header.exercise != header.exercise
            or facts_of(other.entry.object_id, other.body).revoked
        ]
    return held


def _held(item: Item) -> Held:
    row = row_of(item.entry, facts_of(item.entry.object_id, item.body))
    return Held(row.position, row.origin, row.version_us, row.digest)
