"""Shares with honest intervals: valid at 0 % and at 100 %, alone, clustered, and compared.

Sources: C. Clopper and E. Pearson (1934); E. Wilson (1927); R. Newcombe (1998), methods 10 of
both papers; Q. McNemar (1947) in its exact form. scipy loads on first use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Interval = tuple[float, float]

# 97.5 % of the standard normal distribution: two-sided 95 %.
_Z = 1.959963984540054
ROUNDS = 2000


def exact(hits: int, n: int, *, alpha: float = 0.05) -> Interval:
    """The two-sided Clopper-Pearson interval: it covers at least 1 - alpha, always."""
    return lower_bound(hits, n, alpha=alpha / 2), upper_bound(hits, n, alpha=alpha / 2)


def upper_bound(hits: int, n: int, *, alpha: float = 0.05) -> float:
    """The one-sided exact upper bound: above it the data would be rarer than alpha."""
    if hits >= n:
        return 1.0
    if hits == 0:
        return float(1 - alpha ** (1 / n))
    from scipy.special import betaincinv

    return float(betaincinv(hits + 1, n - hits, 1 - alpha))


def lower_bound(hits: int, n: int, *, alpha: float = 0.05) -> float:
    """The one-sided exact lower bound."""
    return 1 - upper_bound(n - hits, n, alpha=alpha) if n else 0.0


def wilson(hits: int, n: int) -> Interval:
    """The two-sided 95 % Wilson score interval."""
    if n == 0:
        return 0.0, 1.0
    share, square = hits / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    # At the ends the interval holds the share itself, which rounding would push out.
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == n else middle + half)


def clustered(
    hits: Sequence[int], sizes: Sequence[int], *, seed: int, alpha: float = 0.05
) -> Interval:
    """The percentile interval of a bootstrap that draws whole clusters.

    Args:
        hits: hits of each cluster.
        sizes: items of each cluster, above 0.
        seed: the same seed gives the same interval.
        alpha: what is left outside, both sides together.
    """
    import numpy as np

    if not sizes:
        return 0.0, 1.0
    drawn = np.random.default_rng(seed).integers(0, len(sizes), size=(ROUNDS, len(sizes)))
    shares = np.asarray(hits)[drawn].sum(axis=1) / np.asarray(sizes)[drawn].sum(axis=1)
    low, high = np.quantile(shares, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value that two paired tools are equally often right.

    Args:
        only_first: pairs where the first alone was right.
        only_second: pairs where the second alone was right.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, each) for each in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**n)) if n < 1000 else _mcnemar_many(n, fewer)


def _mcnemar_many(n: int, fewer: int) -> float:
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(fewer, n, 0.5)))


def newcombe(both: int, only_first: int, only_second: int, neither: int) -> Interval:
    """Newcombe's interval for the difference of two paired shares, first less second."""
    n = both + only_first + only_second + neither
    if n == 0:
        return -1.0, 1.0
    first, second = (both + only_first) / n, (both + only_second) / n
    low_1, high_1 = wilson(both + only_first, n)
    low_2, high_2 = wilson(both + only_second, n)
    margins = (
        (both + only_first) * (only_second + neither)
        * (both + only_second) * (only_first + neither)
    )  # fmt: skip
    skew = both * neither - only_first * only_second
    if skew > n / 2:
        skew_kept = skew - n / 2
    elif skew >= 0:
        skew_kept = 0.0
    else:
        skew_kept = float(skew)
    phi = skew_kept / math.sqrt(margins) if margins else 0.0
    below_1, above_1 = first - low_1, high_1 - first
    below_2, above_2 = second - low_2, high_2 - second
    down = math.sqrt(max(0.0, below_1**2 - 2 * phi * below_1 * above_2 + above_2**2))
    up = math.sqrt(max(0.0, above_1**2 - 2 * phi * above_1 * below_2 + below_2**2))
    difference = first - second
    return max(-1.0, difference - down), min(1.0, difference + up)


def precision_at(detection: float, false_alarm: float, base_rate: float) -> float | None:
    """The share of attacks among what is called malicious, at a base rate; None if nothing is."""
    true = detection * base_rate
    called = true + false_alarm * (1 - base_rate)
    return true / called if called else None


def agreement_by_chance(agreed: int, n: int) -> float:
    """The chance that coin flips agree at least so often."""
    if n == 0:
        return 1.0
    return float(sum(math.comb(n, each) for each in range(agreed, n + 1)) / 2**n)
