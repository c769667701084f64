"""What 10^8 entries would need, computed from rungs that are given."""

from __future__ import annotations

import pytest

from bayanihan.ledger import Ledger
from bayanihan.ledger.contract.scene import numbered
from bench.paper import PARTITIONS, RUNGS, Climb, Rung, on_paper, slope
from tests.sim.databases import Databases


def test_a_line_goes_through_its_points_and_never_falls() -> None:
    rising = slope([(1, 10.0), (2, 12.0), (3, 14.0)])
    assert (rising.start, rising.rise, rising.at(12)) == pytest.approx((8.0, 2.0, 32.0))
    assert slope([(1, 3.0), (2, 1.0)]).at(12) == 2.0
    assert slope([(5, 3.0)]).at(12) == 3.0


def test_the_paper_follows_from_the_rungs() -> None:
    """0.1 ms an entry whatever the partitions, 1,000 bytes of rows and 100 of indexes each."""
    rungs = [
        Rung(n * 1_000, 10_000, 2.0 + n, 1.0, n * 1_000_000, n * 100_000, n)
        for n in range(1, RUNGS + 1)
    ]
    told = dict(on_paper(rungs, 100_000))
    assert told["partitions of 8,388,608"] == "12" == str(PARTITIONS)
    assert told["rows and bodies"] == "100 GB (1,000 bytes an entry)"
    assert told["indexes"] == "10 GB (100 bytes an entry)"
    assert told["appended in the last partition"] == "10,000/s"
    assert told["all of it appended"] == "2.8 h"
    assert told["the index asked for 1000 identities"] == "14.0 ms"
    assert told["`verify`"] == "0.3 h at 100,000/s"


def test_what_was_measured_is_printed_though_there_was_no_time_for_more(
    databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    def append(ledger: Ledger, count: int) -> float:
        ledger.append(numbered(ledger.length, ledger.length + count))
        return 1_000.0

    climb = Climb(databases.empty(), 60, append, within_s=0.0)
    climb.run()
    assert [one.entries for one in climb.rungs] == [60 // RUNGS]
    assert climb.verified_per_s
    told, beside = capsys.readouterr()
    assert f"{60 // RUNGS:>12,}" in told.splitlines()[1]
    assert "no time for a further rung" in told
    assert "10 of 60, 1,000/s now" in beside
