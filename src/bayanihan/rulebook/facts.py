"""The facts that conditions may ask about, and the check of what a person gave.

A vocabulary names each fact, its type, the values it may have and the question that a person
is asked for it. Facts that were not given are unknown; a set may hold `"?"` for "and perhaps
more that I do not know of", so that "not in the list" stays unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.truth import check_day

TYPES = ("bool", "choice", "set", "number", "date", "dates")
UNSURE = "?"

# A value that conditions compare: a date is an ISO text, a set a sorted tuple.
Value = bool | str | int | Decimal | tuple[str, ...]
Facts = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of the vocabulary.

    Attributes:
        name: as conditions write it.
        type: one of `TYPES`.
        values: what a choice or set may hold, with a short gloss each.
        ask: the question for a person, in one sentence.
        place: file and line, for errors.
    """

    name: str
    type: str
    values: AnyMapping[str, str]
    ask: str
    place: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two or more facts that cannot all be so: `when` names value by fact."""

    says: str
    when: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All facts by name, and what contradicts what."""

    facts: AnyMapping[str, Fact]
    contradictions: tuple[Contradiction, ...]

    def check(self, given: AnyMapping[str, Any], where: str) -> Facts:
        """Check and normalise the facts of one system.

        Args:
            given: fact name to value, as read from YAML or JSON.
            where: the file, or "facts", for errors; a `Mapping` adds its lines.

        Raises:
            Refused: `bad-value` for a name or value that the vocabulary does not know,
                `conflict` when facts contradict each other.
        """
        checked: Facts = {}
        for name, raw in given.items():
            place = given.place(name) if isinstance(given, Mapping) else f"{where}.{name}"
            fact = self.facts.get(name)
            if fact is None:
                raise Refused("bad-value", f"No fact is called {name!r}.", where=place)
            if raw is None or raw in ("unknown", UNSURE):
                continue
            checked[name] = _value(fact, raw, place)
        self._contradict(checked, given, where)
        return checked

    def _contradict(self, facts: Facts, given: AnyMapping[str, Any], where: str) -> None:
        for rule in self.contradictions:
            if all(_says(facts.get(name), value) for name, value in rule.when):
                last = rule.when[-1][0]
                place = given.place(last) if isinstance(given, Mapping) else f"{where}.{last}"
                names = ", ".join(name for name, _ in rule.when)
                raise Refused(
                    "conflict",
                    f"The facts contradict each other: {rule.says} ({names}).",
                    where=place,
                    next_step="Correct one of the facts, or leave it out if it is not known.",
                )


def _says(held: Value | None, value: Value) -> bool:
    return value in held if isinstance(held, tuple) else held == value


def _value(fact: Fact, raw: Any, place: str) -> Value:
    if fact.type == "bool":
        if isinstance(raw, bool):
            return raw
        raise Refused("bad-value", f"{fact.name} is true, false or unknown.", where=place)
    if fact.type == "number":
        return _number(fact.name, raw, place)
    if fact.type == "date":
        return check_day(raw, place)
    if fact.type == "choice":
        if isinstance(raw, str) and raw in fact.values:
            return raw
        raise Refused("bad-value", f"{fact.name} is one of: {', '.join(fact.values)}.", where=place)
    items = raw if isinstance(raw, list | tuple) else [raw]
    if fact.type == "dates":
        return tuple(sorted({check_day(item, place) for item in items}))
    items = [str(item) if type(item) is int else item for item in items]
    for item in items:
        if item != UNSURE and (not isinstance(item, str) or item not in fact.values):
            known = ", ".join(fact.values)
            raise Refused("bad-value", f"{fact.name} may not hold {item!r}: {known}.", where=place)
    return tuple(sorted(set(items)))


def _number(name: str, raw: Any, place: str) -> int | Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        raise Refused("bad-value", f"{name} is a number.", where=place)
    if isinstance(raw, float):
        # repr gives the shortest text of the double, so 1e25 means ten to the twenty-fifth.
        raw = Decimal(repr(raw)) if math.isfinite(raw) else Decimal("NaN")
    if isinstance(raw, Decimal) and not raw.is_finite():
        raise Refused("bad-number", f"{name} is not a finite number.", where=place)
    if raw < 0:
        raise Refused("bad-value", f"{name} is not negative.", where=place)
    number: int | Decimal = raw
    return number


def read_vocabulary(root: Mapping) -> Vocabulary:
    """Read the vocabulary from its YAML mapping.

    Raises:
        Refused: `bad-value` or `missing-property` with file and line.
    """
    facts: dict[str, Fact] = {}
    for name, entry in root["facts"].items():
        place = root["facts"].place(name)
        if not isinstance(entry, Mapping) or entry.get("type") not in TYPES or not entry.get("ask"):
            raise Refused(
                "bad-value", f"The fact {name} needs a type and a question (ask).", where=place
            )
        values = entry.get("values") or {}
        if (entry["type"] in ("choice", "set")) != bool(values):
            raise Refused("bad-value", f"Only a choice or set has values: {name}.", where=place)
        facts[name] = Fact(name, entry["type"], dict(values), entry["ask"], place)
    rules: list[Contradiction] = []
    for entry in root.get("contradictions") or []:
        pairs = []
        for name, raw in entry["when"].items():
            if name not in facts:
                raise Refused(
                    "bad-value", f"No fact is called {name!r}.", where=entry["when"].place(name)
                )
            value = _value(facts[name], raw, entry["when"].place(name))
            pairs.append((name, value[0] if isinstance(value, tuple) else value))
        rules.append(Contradiction(entry["says"], tuple(pairs)))
    return Vocabulary(facts, tuple(rules))
