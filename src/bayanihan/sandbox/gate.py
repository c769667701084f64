"""Gates: what a tool must keep to, tested on the bound and never on the share itself.

A rule such as `false_alarm<=1%` passes when the one-sided 95 % bound keeps it, fails when the
other bound breaks it, and else the evidence is insufficient: the verdict then says how many
items more would do at the same rate. The bound is the worse of the exact one and that of the
bootstrap by campaign, since items of a campaign are not independent.
"""

from __future__ import annotations

import math
import re
from typing import Literal

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.proportion import clustered, lower_bound, upper_bound

GateVerdict = Literal["passed", "failed", "insufficient evidence"]
_RULE = re.compile(r"^(detection|false_alarm)(<=|>=)(\d{1,3}(?:\.\d+)?)%$")
_MOST_ITEMS = 10_000_000


class Rule(msgspec.Struct, frozen=True):
    """One rule: `detection` is kept above, `false_alarm` below a limit."""

    name: Literal["detection", "false_alarm"]
    limit: float

    def __str__(self) -> str:
        sign = ">=" if self.name == "detection" else "<="
        return f"{self.name}{sign}{self.limit * 100:g}%"


class Gate(msgspec.Struct, frozen=True):
    """What a rule came to.

    Attributes:
        rule: as it was asked.
        verdict: passed, failed, or insufficient evidence.
        value: the share that was found.
        n: items behind it.
        bound: the one-sided 95 % bound that the rule is tested on.
        more_needed: items more that would do at the same rate; None where none would.
        because: one sentence.
    """

    rule: str
    verdict: GateVerdict
    value: float
    n: int
    bound: float
    more_needed: int | None
    because: str


def read_rule(text: str) -> Rule:
    """A rule as it is typed. Raises `Refused("wrong-use")`."""
    found = _RULE.match(text.replace(" ", ""))
    if not found or (found[1] == "detection") != (found[2] == ">=") or float(found[3]) > 100:
        raise Refused(
            "wrong-use",
            f"{text!r} is no gate",
            next_step="Write detection>=80% or false_alarm<=1%.",
        )
    name: Literal["detection", "false_alarm"] = (
        "detection" if found[1] == "detection" else "false_alarm"
    )
    return Rule(name, float(found[3]) / 100)


def judge(rule: Rule, hits: list[int], sizes: list[int], *, seed: int) -> Gate:
    """What a rule comes to.

    Args:
        rule: what is asked.
        hits: detections or false alarms of each campaign.
        sizes: items of each campaign.
        seed: of the bootstrap.
    """
    n, found = sum(sizes), sum(hits)
    # Both rules become one: a share of faults that stays below a limit.
    detects = rule.name == "detection"
    faults = n - found if detects else found
    limit = 1 - rule.limit if detects else rule.limit
    worst = [size - hit for hit, size in zip(hits, sizes, strict=True)] if detects else hits
    exact_bound = upper_bound(faults, n) if n else 1.0
    campaign_bound = clustered(worst, sizes, seed=seed, alpha=0.1)[1] if n else 1.0
    bound = max(exact_bound, campaign_bound)
    more: int | None = 0
    if bound <= limit:
        verdict: GateVerdict = "passed"
        because = "the bound keeps the limit"
    elif n and lower_bound(faults, n) > limit:
        verdict, more = "failed", None
        because = "even the better bound breaks the limit"
    else:
        verdict = "insufficient evidence"
        more, because = _more(faults, n, limit, exact_bound)
    return Gate(
        str(rule),
        verdict,
        found / n if n else 0.0,
        n,
        1 - bound if detects else bound,
        more,
        because,
    )


def _more(faults: int, n: int, limit: float, exact_bound: float) -> tuple[int | None, str]:
    if n and exact_bound <= limit:
        return None, "campaigns differ too much among themselves: more campaigns are needed"
    needed = items_needed(faults, n, limit)
    if needed is None:
        return None, "at this rate no number of items would pass"
    return needed - n, f"{needed - n:,} items more are needed at the same rate"


def items_needed(faults: int, n: int, limit: float) -> int | None:
    """The fewest items whose exact bound keeps the limit at the same rate of faults."""
    rate = faults / n if n else 0.0
    if rate >= limit:
        return None
    low, high = max(n, 1), max(n, 1)
    while upper_bound(math.ceil(rate * high), high) > limit:
        low, high = high, high * 2
        if high > _MOST_ITEMS:
            return None
    while low < high:
        middle = (low + high) // 2
        if upper_bound(math.ceil(rate * middle), middle) > limit:
            low = middle + 1
        else:
            high = middle
    return high
