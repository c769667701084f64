"""Conditions: leaves under all, any and not, and references to other findings.

In YAML a condition is one of

    annex_iii != []              a leaf (see `leaf`)
    all: [condition, ...]        every one holds
    any: [condition, ...]        at least one holds
    not: condition
    finding: eu/art6/2           another provision holds (its own dates and exceptions count)
    event: significant_changes   one of these days has come, not earlier than `since`
    since: 2027-12-02

The value of a condition is a `Timeline`, because a finding may begin to hold on a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.facts import Vocabulary
from bayanihan.rulebook.leaf import Leaf
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.truth import check_day

WIDTH_LIMIT = 60


@dataclass(frozen=True, slots=True)
class All:
    """Holds when every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when at least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds when its part does not; unknown stays unknown."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Finding:
    """Holds when the named provision does."""

    id: str


@dataclass(frozen=True, slots=True)
class Event:
    """Holds from the first day of a `dates` fact that is not earlier than `since`.

    Before `since` it cannot have come, whatever is unknown; from then on a fact that was not
    given leaves it unknown.
    """

    fact: str
    since: str


Condition = Leaf | All | AnyOf | Not | Finding | Event


def read_condition(raw: Any, vocabulary: Vocabulary, place: str) -> Condition:
    """Build a condition from YAML.

    Args:
        raw: the YAML value.
        vocabulary: the facts that leaves may name.
        place: file and line of the condition.

    Raises:
        Refused: `bad-value` with file and line.
    """
    if isinstance(raw, str):
        return Leaf(raw, vocabulary, place)
    if isinstance(raw, Mapping) and set(raw) == {"event", "since"}:
        return _event(raw, vocabulary)
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise Refused(
            "bad-value", "A condition is a leaf, or one of all, any, not, finding.", where=place
        )
    (word, inner), place = next(iter(raw.items())), raw.place()
    if word in ("all", "any"):
        if not isinstance(inner, list) or not 1 <= len(inner) <= WIDTH_LIMIT:
            raise Refused(
                "bad-value", f"`{word}` takes a list of 1 to {WIDTH_LIMIT} conditions.", where=place
            )
        parts = tuple(read_condition(part, vocabulary, place) for part in inner)
        return All(parts) if word == "all" else AnyOf(parts)
    if word == "not":
        return Not(read_condition(inner, vocabulary, place))
    if word == "finding" and isinstance(inner, str):
        return Finding(inner)
    raise Refused("bad-value", f"{word!r} is none of all, any, not, finding.", where=place)


def _event(raw: Mapping, vocabulary: Vocabulary) -> Event:
    fact = vocabulary.facts.get(raw["event"])
    if fact is None or fact.type != "dates":
        raise Refused("bad-value", "`event` names a fact of type dates.", where=raw.place("event"))
    return Event(fact.name, check_day(raw["since"], raw.place("since")))


def facts_of(condition: Condition) -> Iterator[str]:
    """Every fact that the condition itself asks about."""
    if isinstance(condition, Event):
        yield condition.fact
    elif isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from facts_of(part)
    elif isinstance(condition, Not):
        yield from facts_of(condition.part)
    elif isinstance(condition, Leaf):
        yield from condition.names


def findings(condition: Condition) -> Iterator[str]:
    """Every provision that the condition refers to, in order."""
    if isinstance(condition, Finding):
        yield condition.id
    elif isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from findings(part)
    elif isinstance(condition, Not):
        yield from findings(condition.part)


def text_of(condition: Condition) -> str:
    """The condition on one line, for diffs and reasons."""
    if isinstance(condition, Leaf):
        return condition.source
    if isinstance(condition, Finding):
        return f"[{condition.id}]"
    if isinstance(condition, Event):
        return f"{condition.fact} on or after {condition.since}"
    if isinstance(condition, Not):
        return f"not ({text_of(condition.part)})"
    word = " and " if isinstance(condition, All) else " or "
    return "(" + word.join(text_of(part) for part in condition.parts) + ")"
