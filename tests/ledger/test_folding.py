"""When folding rests, and what it goes on after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience
from bayanihan.errors import Unavailable
from bayanihan.ledger import (
    ConnectionLost,
    Draft,
    Entry,
    Folding,
    Ledger,
    Projection,
    SqliteStore,
    folding,
)
from bayanihan.ledger.folding import rest_s
from tests.sim.reader import until


def test_a_lone_report_is_folded_with_those_that_follow_at_once() -> None:
    assert rest_s(0.001, [1, 0, 2]) == 0.1


def test_a_small_flood_leaves_three_quarters_of_the_time() -> None:
    assert rest_s(0.1, [20_000, 0]) == pytest.approx(0.3)


@pytest.mark.parametrize("lags", [[60_000, 0, 0], [0, 0, 60_000], [60_000, 60_000]])
def test_far_behind_those_that_are_level_hold_up_nobody(lags: list[int]) -> None:
    """Each that is level rested a tenth of a second, and the feeds fell behind by millions."""
    assert rest_s(0.001, lags) == pytest.approx(0.001)
    assert rest_s(0.1, lags) == pytest.approx(0.1)


class Away(SqliteStore):
    """A store that is away, or busy, for its next readings."""

    errors: tuple[Unavailable, ...] = ()

    def scan(
        self, after: int, limit: int, kinds: Iterable[str] = ()
    ) -> list[tuple[Entry, bytes | None]]:
        if self.errors:
            error, *rest = self.errors
            self.errors = tuple(rest)
            raise error
        return super().scan(after, limit, kinds)


class Count(Projection):
    """How many entries there are."""

    name = "count"
    schema = "CREATE TABLE entries (position INTEGER)"

    def fold(self, entry: Entry, body: bytes | None) -> None:
        self.db.execute("INSERT INTO entries VALUES (?)", (entry.position,))


def test_a_database_that_was_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "_WAIT_S", 0.01)
    with contextlib.closing(Ledger(tmp_path, store=Away)) as ledger:
        assert isinstance(ledger.store, Away)
        ledger.append([Draft("object", Audience("green"), "ana", "SG", "note--1", b"{}", 1)])
        ledger.store.errors = (ConnectionLost("away"), Unavailable("overloaded", "busy"))
        with contextlib.closing(Count(tmp_path / "p", ledger.epoch)) as count:
            going = Folding(ledger, [count])
            going.start()
            try:
                until(lambda: count.position == 1)
                assert going.failed is None
            finally:
                going.stop()
