"""The brake: what is folded from the record is never left far behind by bulk."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.marking import Audience
from bayanihan.ledger import Appended, Brake, Draft, Entry, Folding, Ledger, Projection
from bayanihan.ledger.brake import LONE_ROWS, STANDS_STILL_US
from tests.ledger.test_lanes import Piece

LIMIT = 1_000
BULK = Piece("VN", 0, rows=500)
LONE = Piece("SG", 0, rows=3)


class Place:
    """How far folding has come, and what time it is."""

    def __init__(self) -> None:
        self.folded: int | None = 0
        self.now_us = 0
        self.brake = Brake(lambda: self.now_us, LIMIT)
        self.brake.folded = lambda: self.folded

    def look(self, length: int, *, after_us: int = 1_000) -> Brake:
        self.now_us += after_us
        self.brake.look(length)
        return self.brake


@pytest.fixture
def place() -> Place:
    return Place()


def test_near_the_record_everything_is_let(place: Place) -> None:
    brake = place.look(LIMIT)
    assert all(brake.lets(BULK) for _ in range(10))
    assert not brake.holds


def test_far_behind_bulk_is_held_and_a_report_of_anybody_is_not(place: Place) -> None:
    brake = place.look(LIMIT + 1)
    assert brake.holds
    assert not brake.lets(BULK)
    assert brake.lets(LONE)
    assert brake.lets(Piece("VN", 1, rows=3))


def test_a_flood_of_lone_reports_is_bulk(place: Place) -> None:
    brake = place.look(LIMIT + 1)
    let = [brake.lets(LONE) for _ in range(LONE_ROWS)]
    assert sum(let) * LONE.rows <= LONE_ROWS
    assert not let[-1]
    assert place.look(LIMIT + 1, after_us=1_000_000).lets(LONE)


def test_the_hubs_own_housekeeping_is_never_held(place: Place) -> None:
    brake = place.look(10 * LIMIT)
    assert all(brake.lets(Piece("", 0)) for _ in range(10 * LONE_ROWS))


@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 1_000)), max_size=50))
def test_behind_shrinks_while_bulk_goes_on_and_what_was_let_was_folded_for(
    steps: list[tuple[int, int]],
) -> None:
    place, length, written, gained = Place(), 100 * LIMIT, 0, 0
    place.look(length)
    for folded, rows in steps:
        assert place.folded is not None
        before = place.folded
        place.folded = min(length, before + folded)
        gained += place.folded - before
        brake = place.look(length)
        if not brake.holds:
            break
        if brake.lets(Piece("VN", 0, rows=LONE_ROWS + rows)):
            written += LONE_ROWS + rows
            length += LONE_ROWS + rows
    assert written <= gained // 2 + LONE_ROWS + 1_000


def test_folding_that_stands_still_does_not_stop_the_record(place: Place) -> None:
    assert not place.look(LIMIT + 1).lets(BULK)
    assert not place.look(LIMIT + 1, after_us=STANDS_STILL_US).lets(BULK)
    assert place.look(LIMIT + 1, after_us=1_000).lets(BULK)
    place.folded = 1
    assert place.look(LIMIT + 10).lets(BULK)  # of what is left; then it is held again
    place.folded = None
    brake = place.look(100 * LIMIT)
    assert all(brake.lets(BULK) for _ in range(100))


class Slow(Projection):
    """Folds as fast as it is let, and remembers how far it was ever left behind."""

    name = "slow"
    version = 1
    schema = "CREATE TABLE seen (position INTEGER) STRICT;"

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Nothing is kept but the position."""

    def catch_up(self, scan: object, length: int, limit: int = 50) -> bool:
        time.sleep(0.002)
        return super().catch_up(scan, length, min(limit, 50))  # type: ignore[arg-type]


def drafts(origin: str, name: str, count: int) -> list[Draft]:
    audience = Audience("green")
    return [
        Draft("object", audience, "ana", origin, f"note--{name}-{n}", b"%d" % n, 1)
        for n in range(count)
    ]


@pytest.fixture
def brake() -> Brake:
    return Brake(behind_limit=LIMIT)


@pytest.fixture
def ledger(tmp_path: Path, brake: Brake) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, brake=brake)
    yield opened
    opened.close()


def flood(pool: ThreadPoolExecutor, ledger: Ledger, rows: int) -> list[Future[list[Appended]]]:
    return [
        pool.submit(ledger.append, drafts("VN", f"flood-{number}", 200))
        for number in range(rows // 200)
    ]


def test_a_flood_leaves_nothing_far_behind_and_all_of_it_is_written(
    tmp_path: Path, ledger: Ledger, brake: Brake
) -> None:
    slow = Slow(tmp_path / "projections", ledger.epoch, ledger.length)
    folding = Folding(ledger, [slow])
    brake.folded = folding.reached
    folding.start()
    behind = []
    with ThreadPoolExecutor(4) as pool:
        waiting = flood(pool, ledger, 6_000)
        while not all(each.done() for each in waiting):
            behind.append(folding.lag(slow))
            time.sleep(0.001)
    assert ledger.length == 6_000
    # Four envelopes may be in the batch that goes beyond the limit.
    assert LIMIT < max(behind) <= LIMIT + 5 * 200
    folding.stop()
    slow.close()


def test_behind_a_flood_anothers_report_is_written_at_once(ledger: Ledger, brake: Brake) -> None:
    folded = itertools.chain([0] * 3, itertools.count(1, 2))  # creeps, so that bulk is held
    brake.folded = lambda: next(folded)
    with ThreadPoolExecutor(4) as pool:
        waiting = flood(pool, ledger, 3_000)
        while not brake.holds:
            time.sleep(0.001)
        (lone,) = ledger.append(drafts("SG", "lone", 1))
        assert not all(each.done() for each in waiting)
        assert lone.position <= LIMIT + 5 * 200 + 1
        brake.folded = lambda: None
    assert sum(len(each.result()) for each in waiting) == 3_000


def test_what_is_held_is_written_when_the_hub_stops(tmp_path: Path) -> None:
    brake = Brake(behind_limit=LIMIT)
    brake.folded = lambda: 0
    ledger = Ledger(tmp_path, brake=brake)
    with ThreadPoolExecutor(4) as pool:
        waiting = flood(pool, ledger, 2_000)
        while not brake.holds:
            time.sleep(0.001)
        stopping = threading.Thread(target=ledger.close)
        stopping.start()
        taken = [each for each in waiting if not each.exception()]
        stopping.join()
    rows = sqlite3.connect(tmp_path / "ledger.db")
    (count,) = rows.execute("SELECT count(*) FROM entries").fetchone()
    rows.close()
    assert count == sum(len(each.result()) for each in taken) > LIMIT


def test_a_ledger_that_nothing_is_folded_from_holds_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    outcomes: Sequence[Appended] = ledger.append(drafts("VN", "all", 5_000))
    assert len(outcomes) == 5_000
    ledger.close()
