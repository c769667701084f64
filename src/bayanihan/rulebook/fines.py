"""Fine ceilings: which limit applies to an infringed provision, for this offender.

A ceiling is a fixed amount and a share of worldwide turnover, the higher of the two, or the
lower for the sizes that a rule names. Who is not an undertaking has the fixed amount alone.
What is not known leaves a range. A ceiling is a limit, not a fine: a person decides, with the
factors of the text and after a hearing.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.facts import Facts
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.truth import check_day

SIZES = ("sme", "smc", "large")


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest fine that may be imposed.

    Attributes:
        fine: the key of the rule; article: where it stands.
        low_eur, high_eur: the ceiling lies between them; equal when it is certain, and
            `high_eur` is None when no upper limit follows from what is known.
        rule: how it was reached, in one sentence.
        slices: the quotations relied on.
    """

    fine: str
    article: str
    infringes: str
    low_eur: Decimal
    high_eur: Decimal | None
    rule: str
    slices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; amounts in euro."""
        return {
            "fine": self.fine,
            "article": self.article,
            "infringes": self.infringes,
            "low_eur": _plain(self.low_eur),
            "high_eur": None if self.high_eur is None else _plain(self.high_eur),
            "rule": self.rule,
            "slices": list(self.slices),
        }


def ceiling(book: Rulebook, text_id: str, fine: str, facts: Facts, known: str = "") -> Ceiling:
    """The ceiling of one fine rule for one offender.

    Args:
        book: the rulebook.
        text_id: the text that holds the rule, for example `eu-ai-act`.
        fine: its key, for example `art5`.
        facts: `size`, `undertaking`, `turnover_eur`, `union_body`; absent ones are unknown.
        known: the knowledge date; "" for all that is known.

    Raises:
        Refused: `not-found` when the text has no such rule, or had none by that date.
    """
    rules = book.text(text_id).details.get("fines") or {}
    rule = rules.get(fine)
    if rule is None or (known and rule.get("known_from", "") > known):
        there = ", ".join(rules) or "none"
        raise Refused("not-found", f"{text_id} has no fine rule {fine!r}; there are {there}.")
    if facts.get("union_body") is True and rule.get("union_body_eur"):
        amount = Decimal(rule["union_body_eur"])
        text = "a Union institution or body: Art. 100, one fixed limit"
        return Ceiling(fine, rule["union_body_article"], rule["infringes"], amount, amount, text,
                       (rule["union_body_slice"],))  # fmt: skip
    fixed = Decimal(rule["amount_eur"])
    lower = _lower_for(rule, known)
    sizes = [facts["size"]] if "size" in facts else list(SIZES)
    limits = [_limit(facts, fixed, Decimal(rule["percent"]), str(size) in lower) for size in sizes]
    low = min(one[0] for one in limits)
    highs = [one[1] for one in limits]
    high = None if None in highs else max(value for value in highs if value is not None)
    slices = (rule["slice"], *(lower[str(s)] for s in sizes if str(s) in lower))
    said = _say(facts, rule, sizes, lower)
    return Ceiling(fine, rule["article"], rule["infringes"], low, high, said, slices)


def _lower_for(rule: AnyMapping[str, Any], known: str) -> dict[str, str]:
    """Size to slice, for the sizes that pay up to the lower of the two."""
    found = {}
    for entry in rule.get("lower_for") or []:
        if not known or entry.get("known_from", "") <= known:
            found[entry["size"]] = entry["slice"]
    return found


def _limit(
    facts: Facts, fixed: Decimal, percent: Decimal, lower: bool
) -> tuple[Decimal, Decimal | None]:
    undertaking = facts.get("undertaking")
    if undertaking is False:
        return fixed, fixed
    turnover = facts.get("turnover_eur")
    if turnover is None:
        as_business = (Decimal(0), fixed) if lower else (fixed, None)
    else:
        share = Decimal(str(turnover)) * percent / 100
        value = min(fixed, share) if lower else max(fixed, share)
        as_business = (value, value)
    if undertaking is None:
        low, high = as_business
        return min(low, fixed), None if high is None else max(high, fixed)
    return as_business


def _say(
    facts: Facts, rule: AnyMapping[str, Any], sizes: list[Any], lower: AnyMapping[str, str]
) -> str:
    both = f"EUR {rule['amount_eur']:,} or {rule['percent']} % of worldwide turnover"
    if facts.get("undertaking") is False:
        return f"EUR {rule['amount_eur']:,}: not an undertaking, so no share of turnover"
    if len(sizes) > 1:
        return f"{both}: the size is not known, so it may be the lower or the higher"
    word = "lower" if str(sizes[0]) in lower else "higher"
    open_fact = "" if "turnover_eur" in facts else " (the turnover is not known)"
    return f"{both}, whichever is {word} ({sizes[0]}){open_fact}"


def check_fines(book: Rulebook) -> None:
    """Check the fine rules of every text: keys, slices, sizes, days.

    Raises:
        Refused: with file and line.
    """
    for text in book.texts.values():
        for name, rule in (text.details.get("fines") or {}).items():
            _check_rule(book, name, rule)
    for group in book.provisions.values():
        for provision in group:
            fine = provision.details.get("fine")
            if fine and fine not in (book.texts[provision.text].details.get("fines") or {}):
                place = provision.place
                raise Refused("bad-value", f"{provision.id} names no fine {fine!r}.", where=place)


def _check_rule(book: Rulebook, name: str, rule: Any) -> None:
    for key in ("article", "infringes", "amount_eur", "percent", "slice"):
        if key not in rule:
            raise Refused("missing-property", f"The fine {name} needs `{key}`.", where=rule.place())
    if "known_from" in rule:
        check_day(rule["known_from"], rule.place("known_from"))
    if rule["slice"] not in book.slices:
        raise Refused("bad-value", f"The fine {name} names no slice.", where=rule.place("slice"))
    for entry in rule.get("lower_for") or []:
        if entry.get("size") not in SIZES or entry.get("slice") not in book.slices:
            why = f"In the fine {name}, lower_for has a size and a slice."
            raise Refused("bad-value", why, where=entry.place())


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
