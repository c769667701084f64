"""The leaves of a condition: one comparison each, in CEL, with "unknown" kept apart.

A leaf is deliberately small: names of facts, literals, lists of literals, one comparison or
`in`. And, or and not stand outside, in the YAML tree, where unknown has a meaning; calls,
macros and arithmetic are refused, so a leaf has no loop and ends within its own length
(a nested `map` over lists of a hundred took the CEL engine eleven seconds). The size and the
number of tokens are bounded too.

CEL numbers are doubles, and 10^25 + 1 is not a double; comparisons of a number fact with a
number are therefore made exactly, on the digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.facts import UNSURE, Facts, Value, Vocabulary
from bayanihan.rulebook.truth import NO, UNKNOWN, YES, check_day

LENGTH_LIMIT = 200
TOKEN_LIMIT = 40
MEMO_LIMIT = 4096

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"\\]*"|'[^'\\]*')|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|<|>|\[|\]|,))"""
)
_COMPARE = ("==", "!=", "<=", ">=", "<", ">", "in")
_EXACT: dict[str, Callable[[Any, Any], bool]] = {
    "==": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt,
}  # fmt: skip


class Leaf:
    """One compiled comparison.

    Attributes:
        source: as written.
        names: the facts that it asks about.
        place: file and line.
    """

    __slots__ = ("_exact", "_memo", "_program", "_test", "names", "place", "source")

    def __init__(self, source: str, vocabulary: Vocabulary, place: str) -> None:
        self.source = source
        self.place = place
        tokens = _tokens(source, place)
        self.names = _names(tokens, vocabulary, place)
        _literals(tokens, self.names, vocabulary, place)
        self._exact = _exact(tokens, vocabulary)
        self._program: Any = None
        self._memo: dict[Any, int] = {}
        self._test = source
        if self._exact is None:
            _compile(source, place)

    def truth(self, facts: Facts) -> int:
        """NO, UNKNOWN or YES for these facts."""
        names = self.names
        key: Any
        if len(names) == 1:
            key = facts.get(names[0])
            if key is None:
                return UNKNOWN
        else:
            key = tuple([facts.get(name) for name in names])
            if None in key:
                return UNKNOWN
        found = self._memo.get(key)
        if found is None:
            found = self._evaluate(facts)
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            self._memo[key] = found
        return found

    def _evaluate(self, facts: Facts) -> int:
        if self._exact is not None:
            name, compare, number = self._exact
            return YES if compare(facts[name], number) else NO
        if self._program is None:
            self._program = _compile(self.source, self.place)
        values = {name: _for_cel(facts[name]) for name in self.names}
        holds = self._program.execute(values)
        if not isinstance(holds, bool):
            raise Refused("bad-value", f"{self.source!r} is not a yes-or-no.", where=self.place)
        unsure = any(isinstance(facts[n], tuple) and UNSURE in facts[n] for n in self.names)  # type: ignore[operator]
        if unsure and not (holds and " in " in self.source):
            return UNKNOWN
        return YES if holds else NO


def _for_cel(value: Value) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return float(value) if isinstance(value, Decimal) else value


def _compile(source: str, place: str) -> Any:
    import cel

    try:
        return cel.compile(source)
    except ValueError as error:
        reason = str(error).splitlines()[0].split("ERROR: ")[-1]
        raise Refused("bad-value", f"{source!r} is not CEL: {reason}.", where=place) from None


def _tokens(source: str, place: str) -> list[tuple[str, str]]:
    if not source.strip():
        raise Refused("bad-value", "A leaf is a comparison such as `size == 'sme'`.", where=place)
    if len(source) > LENGTH_LIMIT:
        raise Refused("too-large", f"A leaf is over {LENGTH_LIMIT} characters.", where=place)
    found: list[tuple[str, str]] = []
    start, end = 0, len(source.rstrip())
    while start < end:
        match = _TOKEN.match(source, start, end)
        if match is None:
            raise Refused(
                "bad-value",
                f"{source!r}: a leaf is one comparison; calls, loops, arithmetic, && and || "
                f"are refused (at character {start + 1}).",
                where=place,
                next_step="Use all:, any: and not: in the YAML for logic.",
            )
        found.append((str(match.lastgroup), match.group().strip()))
        start = match.end()
    compares = sum(1 for _, text in found if text in _COMPARE)
    if len(found) > TOKEN_LIMIT or compares > 1:
        raise Refused("bad-value", f"{source!r} holds more than one comparison.", where=place)
    return found


def _names(tokens: list[tuple[str, str]], vocabulary: Vocabulary, place: str) -> tuple[str, ...]:
    names = [t for kind, t in tokens if kind == "name" and t not in ("in", "true", "false")]
    for name in names:
        if name not in vocabulary.facts:
            raise Refused("bad-value", f"No fact is called {name!r}.", where=place)
    if not names:
        raise Refused("bad-value", "A leaf asks about at least one fact.", where=place)
    if len(tokens) == 1 and vocabulary.facts[names[0]].type != "bool":
        raise Refused("bad-value", f"{names[0]} is not a yes-or-no by itself.", where=place)
    return tuple(dict.fromkeys(names))


def _literals(
    tokens: list[tuple[str, str]], names: tuple[str, ...], vocabulary: Vocabulary, place: str
) -> None:
    """A misspelt value would make a condition silently false, so each one is looked up."""
    texts = [text[1:-1] for kind, text in tokens if kind == "text"]
    for name in names:
        fact = vocabulary.facts[name]
        for text in texts:
            if fact.type in ("choice", "set") and text not in fact.values:
                raise Refused("bad-value", f"{name} has no value {text!r}.", where=place)
            if fact.type == "date" and len(names) == 1:
                check_day(text, place)


def _exact(
    tokens: list[tuple[str, str]], vocabulary: Vocabulary
) -> tuple[str, Callable[[Any, Any], bool], Decimal] | None:
    if [kind for kind, _ in tokens] != ["name", "sign", "number"]:
        return None
    name, sign, number = (text for _, text in tokens)
    if vocabulary.facts[name].type != "number" or sign not in _EXACT:
        return None
    return name, _EXACT[sign], Decimal(number)
