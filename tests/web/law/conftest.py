"""A desk on a record of its own, with a clock that the test sets, and the people who use it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bayanihan.commands.law_files import open_rulebook
from bayanihan.core.marking import Viewer
from bayanihan.ledger import Ledger
from bayanihan.registry import FOUNDER, Registry, draft_of, founding_changes
from bayanihan.rulebook.law import Rulebook
from bayanihan.web.law import Desk, Docket


@dataclass
class Clock:
    """Wall clock and steady clock in one: what passes here passes nowhere else."""

    us: int = int(datetime(2026, 11, 23, 2, tzinfo=UTC).timestamp()) * 1_000_000

    def __call__(self) -> int:
        return self.us

    def to(self, text: str) -> None:
        self.us = int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def staff(member: str, name: str, *scopes: str, constituent: str = "") -> Viewer:
    """A named person of a member, or of an organisation under it."""
    place = f"{member}/{constituent}" if constituent else member
    key = f"key-{place}-{name}"
    return Viewer(key, f"{place}/{name}", member, constituent, frozenset(scopes))


JUDGE = staff("SG", "judge", "regulate", "read")
OTHER = staff("VN", "judge", "regulate", "read")
CLERK = staff("SG", "clerk", "report", "read", constituent="bank")
READER = staff("TH", "reader", "read")


def weekdays(member: str, day: date) -> bool:
    return day.weekday() < 5


@pytest.fixture(scope="session")
def book() -> Rulebook:
    return open_rulebook()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A record with the eleven members."""
    ledger = Ledger(tmp_path / "data", now_us=clock, clock_us=clock)
    changes, _ = founding_changes(clock(), secrets.token_bytes)
    ledger.append([draft_of(change, FOUNDER) for change in changes])
    yield ledger
    ledger.close()


@pytest.fixture
def opened(ledger: Ledger, book: Rulebook) -> Iterator[Callable[[], Desk]]:
    """Opens the desk, also a second time on what the first one left."""
    closing: list[Callable[[], None]] = []

    def desk() -> Desk:
        registry = Registry(None, ledger.epoch)
        docket = Docket(None, ledger.epoch)
        closing[:0] = [registry.close, docket.close]
        for projection in (registry, docket):
            while projection.catch_up(ledger.scan, ledger.length):
                pass
        return Desk(ledger, docket, registry, lambda: book, weekdays, secrets.token_bytes)

    yield desk
    for close in closing:
        close()


@pytest.fixture
def desk(opened: Callable[[], Desk]) -> Desk:
    return opened()
