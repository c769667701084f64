"""How long folding rests while the ledger grows."""

from __future__ import annotations

import pytest

from bayanihan.ledger.folding import rest_s


def test_a_lone_report_is_folded_with_those_that_follow_at_once() -> None:
    assert rest_s(0.001, [1, 0, 2]) == 0.1


def test_a_small_flood_leaves_three_quarters_of_the_time() -> None:
    assert rest_s(0.1, [20_000, 0]) == pytest.approx(0.3)


@pytest.mark.parametrize("lags", [[60_000, 0, 0], [0, 0, 60_000], [60_000, 60_000]])
def test_far_behind_those_that_are_level_hold_up_nobody(lags: list[int]) -> None:
    """Each that is level rested a tenth of a second, and the feeds fell behind by millions."""
    assert rest_s(0.001, lags) == pytest.approx(0.001)
    assert rest_s(0.1, lags) == pytest.approx(0.1)
