"""What 10^8 entries would need, computed from rungs that are given."""

from __future__ import annotations

import pytest

from bench.paper import PARTITIONS, RUNGS, Rung, on_paper, slope


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
