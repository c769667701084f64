"""Fine ceilings follow the size, the turnover and what was known."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.rulebook.facts import Facts
from bayanihan.rulebook.fines import ceiling
from bayanihan.rulebook.law import Rulebook

BILLION = 1_000_000_000


def high(book: Rulebook, fine: str, size: str, turnover: int = BILLION, known: str = "") -> int:
    facts: Facts = {"size": size, "undertaking": True, "turnover_eur": turnover}
    found = ceiling(book, "eu-ai-act", fine, facts, known)
    assert found.low_eur == found.high_eur
    return int(found.low_eur)


@pytest.mark.parametrize(
    ("fine", "sme", "smc", "large"),
    [
        ("art5", 35_000_000, 70_000_000, 70_000_000),
        ("art16", 15_000_000, 15_000_000, 30_000_000),
        ("art50", 15_000_000, 15_000_000, 30_000_000),
        ("information", 7_500_000, 7_500_000, 10_000_000),
        ("art101", 30_000_000, 30_000_000, 30_000_000),
    ],
)
def test_a_billion_of_turnover(book: Rulebook, fine: str, sme: int, smc: int, large: int) -> None:
    assert [high(book, fine, size) for size in ("sme", "smc", "large")] == [sme, smc, large]


def test_the_mid_cap_rule_and_point_da_came_in_2026(book: Rulebook) -> None:
    assert high(book, "art16", "smc", known="2026-07-26") == 30_000_000
    assert high(book, "art16", "smc", known="2026-07-27") == 15_000_000
    with pytest.raises(Refused):
        ceiling(book, "eu-ai-act", "art25", {}, "2026-07-26")
    assert ceiling(book, "eu-ai-act", "art25", {}).article == "Art. 99(4)(da)"


@given(st.integers(0, 10**12), st.sampled_from(["art5", "art16", "information", "art101"]))
def test_sizes_keep_their_order(book: Rulebook, turnover: int, fine: str) -> None:
    sme, smc, large = (high(book, fine, size, turnover) for size in ("sme", "smc", "large"))
    assert sme <= smc <= large


@given(st.integers(0, 10**12))
def test_what_is_not_known_leaves_a_range_that_holds_every_answer(
    book: Rulebook, turnover: int
) -> None:
    whole = ceiling(book, "eu-ai-act", "art16", {"turnover_eur": turnover})
    assert whole.high_eur is not None
    for size in ("sme", "smc", "large"):
        for undertaking in (True, False):
            facts: Facts = {"size": size, "undertaking": undertaking, "turnover_eur": turnover}
            one = ceiling(book, "eu-ai-act", "art16", facts)
            assert whole.low_eur <= one.low_eur
            assert one.high_eur is not None
            assert one.high_eur <= whole.high_eur


def test_no_upper_limit_follows_without_turnover(book: Rulebook) -> None:
    found = ceiling(book, "eu-ai-act", "art5", {"size": "large", "undertaking": True})
    assert (found.low_eur, found.high_eur) == (Decimal(35_000_000), None)
    small = ceiling(book, "eu-ai-act", "art5", {"size": "sme", "undertaking": True})
    assert (small.low_eur, small.high_eur) == (Decimal(0), Decimal(35_000_000))
    assert "not known" in small.rule


def test_an_unknown_rule_is_refused(book: Rulebook) -> None:
    with pytest.raises(Refused) as caught:
        ceiling(book, "eu-ai-act", "art999", {})
    assert "art101" in caught.value.message
    with pytest.raises(Refused):
        ceiling(book, "nowhere", "art5", {})
