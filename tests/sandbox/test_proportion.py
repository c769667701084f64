"""Intervals and tests agree with scipy, and hold where others collapse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.sandbox.gate import items_needed, judge, read_rule
from bayanihan.sandbox.proportion import (
    clustered,
    exact,
    lower_bound,
    mcnemar,
    newcombe,
    precision_at,
    upper_bound,
    wilson,
)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=60, deadline=None)
@given(counts)
def test_intervals_agree_with_scipy(count: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    hits, n = count
    tested = binomtest(hits, n)
    for ours, method in ((exact(hits, n), "exact"), (wilson(hits, n), "wilson")):
        theirs = tested.proportion_ci(0.95, method)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    one_sided = binomtest(hits, n, alternative="less").proportion_ci(0.95, "exact")
    assert upper_bound(hits, n) == pytest.approx(one_sided.high, abs=1e-9)
    one_sided = binomtest(hits, n, alternative="greater").proportion_ci(0.95, "exact")
    assert lower_bound(hits, n) == pytest.approx(one_sided.low, abs=1e-9)


@given(counts)
def test_an_interval_holds_its_share_and_is_never_empty(count: tuple[int, int]) -> None:
    hits, n = count
    for low, high in (exact(hits, n), wilson(hits, n)):
        assert 0 <= low <= hits / n <= high <= 1
        assert low < high


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_scipy(first: int, second: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(theirs, abs=1e-12)


def test_mcnemar_of_many_pairs_agrees_with_the_short_form() -> None:
    from scipy.stats import binomtest

    assert mcnemar(700, 640) == pytest.approx(binomtest(640, 1340).pvalue, rel=1e-9)


quarters = st.tuples(*[st.integers(0, 200)] * 4).filter(lambda pairs: sum(pairs) > 0)


@given(quarters)
def test_newcombe_holds_the_difference_and_turns_with_it(pairs: tuple[int, int, int, int]) -> None:
    both, first, second, neither = pairs
    low, high = newcombe(both, first, second, neither)
    difference = (first - second) / sum(pairs)
    assert -1 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1
    turned = newcombe(both, second, first, neither)
    assert (-turned[1], -turned[0]) == pytest.approx((low, high), abs=1e-12)


def test_newcombe_covers_what_it_promises() -> None:
    """Of 400 drawn samples at least 93 % hold the true difference."""
    import numpy as np

    chances = [0.5, 0.2, 0.1, 0.2]
    drawn = np.random.default_rng(7).multinomial(120, chances, size=400)
    held = sum(low <= 0.1 <= high for low, high in (newcombe(*map(int, row)) for row in drawn))
    assert held >= 0.93 * 400


def test_the_bootstrap_is_seeded_and_wider_where_campaigns_differ() -> None:
    even, uneven = [5] * 20, [10] * 10 + [0] * 10
    sizes = [10] * 20
    assert clustered(uneven, sizes, seed=1) == clustered(uneven, sizes, seed=1)
    odd = ([3, 11, 6, 2, 40], [7, 90, 13, 5, 41])
    assert clustered(*odd, seed=1) != clustered(*odd, seed=2)
    assert clustered(even, sizes, seed=1) == (0.5, 0.5)
    low, high = clustered(uneven, sizes, seed=1)
    exact_low, exact_high = exact(100, 200)
    assert low < exact_low
    assert high > exact_high


def test_precision_follows_the_base_rate() -> None:
    assert precision_at(1, 0, 0.01) == 1
    assert precision_at(0.9, 0.01, 0.01) == pytest.approx(0.009 / (0.009 + 0.0099))
    assert precision_at(0, 0.1, 0.5) == 0
    assert precision_at(0, 0, 0.5) is None


def test_none_in_200_does_not_pass_one_percent_and_none_in_400_does() -> None:
    rule = read_rule("false_alarm <= 1%")
    few = judge(rule, [0] * 20, [10] * 20, seed=1)
    assert few.verdict == "insufficient evidence"
    assert few.bound == pytest.approx(0.0149, abs=1e-4)
    assert few.more_needed == 99
    assert "99 items more" in few.because
    many = judge(rule, [0] * 20, [20] * 20, seed=1)
    assert (many.verdict, many.n, many.more_needed) == ("passed", 400, 0)
    assert many.bound == pytest.approx(0.0075, abs=1e-4)


def test_a_gate_fails_only_when_the_better_bound_breaks_it() -> None:
    rule = read_rule("false_alarm<=1%")
    assert judge(rule, [2] * 20, [20] * 20, seed=1).verdict == "failed"
    unclear = judge(rule, [1] * 5 + [0] * 15, [20] * 20, seed=1)
    assert unclear.verdict == "insufficient evidence"
    assert unclear.more_needed is None
    detection = read_rule("detection>=80%")
    assert judge(detection, [20] * 20, [20] * 20, seed=1).verdict == "passed"
    assert judge(detection, [10] * 20, [20] * 20, seed=1).verdict == "failed"
    assert judge(detection, [17] * 2, [20] * 2, seed=1).verdict == "insufficient evidence"


def test_campaigns_that_differ_weigh_on_a_gate() -> None:
    rule = read_rule("detection>=40%")
    even = judge(rule, [10] * 20, [20] * 20, seed=1)
    uneven = judge(rule, [20] * 10 + [0] * 10, [20] * 20, seed=1)
    assert even.verdict == "passed"
    assert (uneven.verdict, uneven.more_needed) == ("insufficient evidence", None)
    assert uneven.bound < even.bound
    assert "campaigns" in uneven.because


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.integers(1, 400), st.sampled_from([0.005, 0.01, 0.05, 0.2]))
def test_the_items_needed_are_the_fewest(faults: int, n: int, limit: float) -> None:
    needed = items_needed(min(faults, n), n, limit)
    rate = min(faults, n) / n
    if needed is None:
        assert rate >= limit or upper_bound(math.ceil(rate * 10**6), 10**6) > limit * 0.9
        return
    assert upper_bound(math.ceil(rate * needed), needed) <= limit
    assert needed >= n


BAD_GATES = ["", "false_alarm>=1%", "detection<=5%", "speed>=1%", "detection>=101%", "detection"]


@pytest.mark.parametrize("text", BAD_GATES)
def test_a_bad_gate_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is no gate"):
        read_rule(text)
