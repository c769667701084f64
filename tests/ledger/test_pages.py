"""Pages are found by index: what a viewer may not see is never walked over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.ledger import Draft, Ledger
from tests.sim.engine import reading, sqlite_of

SG = Viewer(key="k", person="ana", member="SG")
HIDDEN = Audience("red", persons=("somebody",))
RARE = Audience("red", persons=("ana",))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path)) as opened:
        yield opened


def draft(number: int, audience: Audience) -> Draft:
    return Draft("object", audience, "bao", "PH", f"note--{number}", b"{}", 1)


def test_a_page_of_a_rare_audience_is_found_by_index(ledger: Ledger) -> None:
    """Two of 20,000 entries: no statement walks the rest, whatever the page asks for."""
    count = 20_000
    rare = (9_999, 19_999)
    for at in range(0, count, 5_000):
        numbers = range(at, at + 5_000)
        ledger.append([draft(n, RARE if n in rare else HIDDEN) for n in numbers])
    asked: list[str] = []
    connection = reading(ledger)
    connection.set_trace_callback(asked.append)
    page = ledger.read(SG, 0, 10)
    connection.set_trace_callback(None)
    assert [item.entry.position for item in page.items] == [10_000, 20_000]
    over_entries = [statement for statement in asked if "FROM entries" in statement]
    assert over_entries
    for statement in over_entries:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        steps = [row[3] for row in plan if " entries" in row[3]]
        assert steps, statement
        for step in steps:
            assert step.startswith("SEARCH"), step
            # The walk ends a page's length after the cursor; the rest asks each audience,
            # and fetches the rows that were found, one by one.
            bounded = "(rowid>? AND rowid<?)" in step or "(rowid=?)" in step
            assert bounded or "INDEX entries_seen (audience=? AND kind=?" in step, statement


def test_the_work_for_a_page_does_not_grow_with_what_is_hidden(ledger: Ledger) -> None:
    """Counted in steps of the database's own machine, not in seconds."""
    ledger.append([draft(0, RARE)])
    steps = []
    for end in (2_000, 20_000):
        ledger.append([draft(n, HIDDEN) for n in range(ledger.length, end)])
        ledger.append([draft(end, RARE)])
        count = [0]

        def tick(count: list[int] = count) -> int:
            count[0] += 1
            return 0

        ledger.read(SG, 0, 10)  # what is learnt once is not counted
        reading(ledger).set_progress_handler(tick, 1)
        page = ledger.read(SG, 0, 10)
        reading(ledger).set_progress_handler(None, 1)
        assert page.items[-1].entry.object_id == f"note--{end}"
        steps.append(count[0])
    assert steps[1] < steps[0] * 1.5


def test_an_audience_is_interned_once(ledger: Ledger) -> None:
    ledger.append([draft(n, (HIDDEN, RARE)[n % 2]) for n in range(100)])
    assert list(ledger.store.audiences()) == [HIDDEN, RARE]
    assert {entry.header.audience for entry, _ in ledger.scan(0, 100)} == {1, 2}


def test_rare_kinds_are_found_by_their_index(ledger: Ledger) -> None:
    """A projection that is new, or a start, asks for them from the beginning of the record."""
    steps = []
    for end in (2_000, 20_000):
        ledger.append([draft(n, HIDDEN) for n in range(ledger.length, end)])
        count = [0]

        def tick(count: list[int] = count) -> int:
            count[0] += 1
            return 0

        reading(ledger).set_progress_handler(tick, 1)
        assert ledger.scan(0, 10, ("withdrawn", "erased")) == []
        assert sqlite_of(ledger).withdrawals() == []
        reading(ledger).set_progress_handler(None, 1)
        steps.append(count[0])
    assert steps[1] < steps[0] * 1.5
