"""Poll loops as they are written in the field: each gets everything, and nothing twice.

Between two requests more may arrive and be folded or not. What the loops do is what known
clients do: some mix `next` with a moving `added_after`, some drop their filters, some never
let go of an old `next`.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.readers.taxii.answers import date_added
from tests.readers.taxii.served import OBJECTS, client
from tests.readers.taxii.shelved import Said, Shelved

ADDED_LAST = "X-TAXII-Date-Added-Last"
FILTER = {"match[type]": "indicator"}


class Loop(ABC):
    """One client: asks for a page, and keeps what its kind keeps between two requests."""

    def __init__(self, limit: int) -> None:
        self.limit = {"limit": str(limit)}
        self.filter = dict(FILTER)
        self.next = ""
        self.added_after = ""
        self.seen: Counter[str] = Counter()
        self.more = False
        self.now: Callable[[], str] = str

    @abstractmethod
    def params(self) -> dict[str, str]:
        """What it asks with, beside its limit."""

    @abstractmethod
    def keep(self, page: dict[str, Any], last: str) -> None:
        """Remember what the next request needs."""

    async def ask(self, http: httpx.AsyncClient) -> None:
        answer = await http.get(OBJECTS, params=self.limit | self.params())
        assert answer.status_code == 200, answer.text
        page = answer.json()
        self.seen.update(each["id"] + each["modified"] for each in page.get("objects", ()))
        self.more = page.get("more", False)
        self.keep(page, answer.headers.get(ADDED_LAST, ""))


class ByDate(Loop):
    """Goes by the date of the last object alone, and knows no `next`."""

    def params(self) -> dict[str, str]:
        return self.filter | ({"added_after": self.added_after} if self.added_after else {})

    def keep(self, page: dict[str, Any], last: str) -> None:
        self.added_after = last or self.added_after


class ByNext(ByDate):
    """As the specification says: `next` with the same options, then the date."""

    def params(self) -> dict[str, str]:
        return super().params() | ({"next": self.next} if self.next else {})

    def keep(self, page: dict[str, Any], last: str) -> None:
        self.next = page.get("next", "")
        self.last = last or getattr(self, "last", "")
        if not self.next:
            self.added_after = self.last


class Mixing(ByNext):
    """Moves `added_after` with every page, and sends `next` beside it."""

    def keep(self, page: dict[str, Any], last: str) -> None:
        self.next = page.get("next", "")
        self.added_after = last or self.added_after


class Clinging(Mixing):
    """The same, and never lets go of the last `next` that it got."""

    def keep(self, page: dict[str, Any], last: str) -> None:
        self.next = page.get("next", "") or self.next
        self.added_after = last or self.added_after


class Forgetful(ByNext):
    """Sends its filters with the first request of a drain and then `next` alone."""

    def params(self) -> dict[str, str]:
        return {"next": self.next} if self.next else super().params()


class Empty(ByNext):
    """Sends an empty `next` and `added_after` where it has none."""

    def params(self) -> dict[str, str]:
        return self.filter | {"next": self.next, "added_after": self.added_after}


class Rounded(ByDate):
    """Writes the same moment with an offset, as local time."""

    def params(self) -> dict[str, str]:
        found = super().params()
        if "added_after" in found:
            day, _, clock = found["added_after"].partition("T")
            hour = int(clock[:2])
            if hour < 16:
                found["added_after"] = f"{day}T{hour + 8:02}{clock[2:-1]}+08:00"
        return found


class OwnClock(ByNext):
    """Drains by `next`, and then goes on after the moment by its own clock."""

    def keep(self, page: dict[str, Any], last: str) -> None:
        self.next = page.get("next", "")
        if not self.next:
            self.added_after = self.now()


LOOPS: list[Callable[[int], Loop]] = [
    *(ByDate, ByNext, Mixing, Clinging, Forgetful, Empty, Rounded, OwnClock)
]


def fresh() -> Iterator[Said]:
    number = 0
    while True:
        number += 1
        kind = "report" if number % 4 == 0 else "indicator"
        yield Said(f"{kind}--{number:08x}-0000-4000-8000-000000000000", "SG", number % 3, 1)


def said(shelved: Shelved, some: Iterator[Said], *, folded: bool) -> Counter[str]:
    """Say some entries, and fold them if asked; the versions of objects among them."""
    told = list(some)
    shelved.say(*told)
    if folded:
        shelved.fold()
    return Counter(
        f"{each.object_id}2026-01-01T00:00:00.000Z"
        for each in told
        if each.object_id.startswith("indicator")
    )


@settings(max_examples=25, deadline=None)
@given(
    turns=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=8),
    limit=st.integers(1, 4),
)
@pytest.mark.parametrize("kind", LOOPS)
async def test_every_loop_gets_everything_once(
    kind: Callable[[int], Loop], turns: list[tuple[int, bool]], limit: int
) -> None:
    loop, source, expected = kind(limit), fresh(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, Shelved(Path(folder)) as shelved:
        # Nothing that is said later is stamped before the moment that the clock shows.
        loop.now = lambda: date_added(shelved.ledger.store.last()[1])
        async with client(shelved) as http:
            for count, folded in turns:
                expected += said(shelved, itertools.islice(source, count), folded=folded)
                await loop.ask(http)
            shelved.fold()
            await loop.ask(http)
            while loop.more:
                await loop.ask(http)
            await loop.ask(http)
    assert loop.seen == expected


@settings(max_examples=8, deadline=None)
@given(
    turns=st.lists(st.tuples(st.integers(0, 6), st.sampled_from("-ew")), min_size=2, max_size=8),
    limit=st.integers(1, 3),
    chance=st.randoms(use_true_random=False),
)
@pytest.mark.parametrize("kind", [Mixing, Clinging, OwnClock])
async def test_every_loop_goes_on_while_entries_are_erased_and_withdrawn(
    kind: Callable[[int], Loop], turns: list[tuple[int, str]], limit: int, chance: random.Random
) -> None:
    loop, source, kept, gone = kind(limit), fresh(), set[str](), set[str]()
    with tempfile.TemporaryDirectory() as folder, Shelved(Path(folder)) as shelved:
        loop.now = lambda: date_added(shelved.ledger.store.last()[1])
        async with client(shelved) as http:
            for count, deed in turns:
                kept |= set(said(shelved, itertools.islice(source, count), folded=deed != "-"))
                gone |= taken_back(shelved, sorted(kept), deed, chance)
                kept -= gone
                before = loop.seen.copy()
                await loop.ask(http)
                assert not (loop.seen - before).keys() & gone
            shelved.fold()
            await loop.ask(http)
            while loop.more:
                await loop.ask(http)
            await loop.ask(http)
    assert loop.seen.keys() - gone == kept
    assert set(loop.seen.values()) <= {1}


def taken_back(shelved: Shelved, kept: list[str], deed: str, chance: random.Random) -> set[str]:
    """Erase or withdraw one of the objects, and fold that; which, none where there is none."""
    if deed == "-" or not kept:
        return set()
    chosen = chance.choice(kept)
    object_id = chosen[: -len("2026-01-01T00:00:00.000Z")]
    if deed == "e":
        shelved.erase(object_id, "SG")
    else:
        number = int(object_id.partition("--")[2][:8], 16)
        shelved.withdraw(object_id, "SG", number % 3)
    shelved.fold()
    return {chosen}
