"""Lanes: in order within one, in turn between them, and nobody waits behind a flood."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.marking import Audience
from bayanihan.errors import Unavailable
from bayanihan.ledger import Draft, Ledger, SqliteStore, writer
from bayanihan.ledger.lanes import Lanes
from bayanihan.ledger.writer import BATCH_LIMIT


@dataclass(frozen=True)
class Piece:
    lane: str
    number: int
    rows: int = 1
    size_bytes: int = 1


def filled(pieces: list[Piece]) -> Lanes[Piece]:
    lanes: Lanes[Piece] = Lanes()
    for piece in pieces:
        lanes.add(piece)
    return lanes


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9)), max_size=60))
def test_everything_is_taken_once_and_in_order_within_its_lane(
    given: list[tuple[str, int]],
) -> None:
    pieces = [Piece(lane, number, rows) for number, (lane, rows) in enumerate(given)]
    lanes, taken = filled(pieces), []
    while lanes:
        batch = lanes.batch(10, 1_000)
        assert batch
        assert sum(piece.rows for piece in batch[:-1]) < 10
        taken += batch
    for lane in "abcd":
        own = [piece.number for piece in pieces if piece.lane == lane]
        assert [piece.number for piece in taken if piece.lane == lane] == own


@given(st.integers(1, 200), st.integers(1, 10))
def test_a_lone_piece_waits_for_one_batch_at_the_most(flood: int, rows: int) -> None:
    lanes = filled([Piece("flood", number, rows) for number in range(flood)])
    lanes.batch(10, 1_000)
    lanes.add(Piece("lone", 0))
    after = lanes.batch(10, 1_000) + lanes.batch(10, 1_000)
    assert Piece("lone", 0) in after


def test_bytes_bound_a_batch_as_rows_do() -> None:
    lanes = filled([Piece("a", number, size_bytes=40) for number in range(5)])
    assert [piece.number for piece in lanes.batch(1_000, 100)] == [0, 1, 2]


class Held(SqliteStore):
    """A store whose first transaction waits until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.let_go = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.begun.set()
        self.let_go.wait(10)
        with super().transaction():
            yield


def drafts(origin: str, count: int) -> list[Draft]:
    audience = Audience("green")
    return [
        Draft("object", audience, "ana", origin, f"note--{origin}-{n}", b"%d" % n, 1)
        for n in range(count)
    ]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    Ledger(tmp_path).close()  # what makes the file must not be held
    opened = Ledger(tmp_path, store=Held)
    yield opened
    held(opened).let_go.set()
    opened.close()


def held(ledger: Ledger) -> Held:
    assert isinstance(ledger.store, Held)
    return ledger.store


def test_one_members_flood_delays_anothers_report_by_a_batch_at_the_most(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ledger.append, drafts("TH", 1))
        held(ledger).begun.wait(10)
        flood = drafts("VN", 6 * BATCH_LIMIT)
        waiting = [
            pool.submit(ledger.append, flood[at : at + BATCH_LIMIT])
            for at in range(0, len(flood), BATCH_LIMIT)
        ]
        lone = pool.submit(ledger.append, drafts("SG", 1))
        while "SG" not in ledger.waiting_bytes():
            time.sleep(0.001)
        held(ledger).let_go.set()
        assert first.result()[0].position == 1
        assert lone.result()[0].position <= 2 + BATCH_LIMIT
        assert sum(len(one.result()) for one in waiting) == len(flood)


def test_one_member_may_fill_half_of_the_queue_and_no_more(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUEUE_LIMIT_BYTES", 40_000)
    monkeypatch.setattr(writer, "LANE_LIMIT_BYTES", 20_000)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ledger.append, drafts("TH", 1))
        held(ledger).begun.wait(10)
        kept = pool.submit(ledger.append, drafts("VN", 30))
        while "VN" not in ledger.waiting_bytes():
            time.sleep(0.001)
        with pytest.raises(Unavailable) as refused:
            ledger.append(drafts("VN", 30))
        assert (refused.value.code, refused.value.retry_after_s) == ("overloaded", 2)
        lone = pool.submit(ledger.append, drafts("SG", 1))
        held(ledger).let_go.set()
        assert [len(one.result()) for one in (first, kept, lone)] == [1, 30, 1]
    assert [one.outcome for one in ledger.append(drafts("VN", 31))][-1] == "accepted"
