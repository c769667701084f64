"""STIX patterns as a tree: one pass for the tokens, one descent for the grammar.

Both passes are linear in the length of the pattern, and nesting is limited, so that no
pattern can exhaust the stack or the clock.

Source: OASIS STIX 2.1 section 9 (grammar, precedence, literals), and the grammar file that
OASIS publishes with it (comments, `==` and `<>` as spellings, qualifiers given once).
"""

from __future__ import annotations

import re
from calendar import monthrange

import msgspec

from bayanihan.core.observables import HASH_DIGITS, hash_name
from bayanihan.errors import Refused

MAX_DEPTH = 64

_TOKEN = re.compile(
    r"""
      (?P<space>\s++|/\*.*?\*/|//[^\r\n]*+)
    | (?P<typed>[thb]'[^'\\]*+')
    | (?P<word>[A-Za-z_][A-Za-z0-9_-]*+)
    | (?P<string>'[^'\\]*+(?:\\['\\][^'\\]*+)*+')
    | (?P<number>[+-]?(?:[0-9]++(?:\.[0-9]++)?+|\.[0-9]++))
    | (?P<compare>==?|!=|<>|<=?|>=?)
    | (?P<mark>[\[\]():.,*])
    | (?P<bad>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TIME = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]++)?Z"
)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*+")
_BASE64 = re.compile(r"(?=.)(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]++")
_ESCAPE = re.compile(r"\\(['\\])")
_DIGEST = re.compile(r"[0-9a-fA-F]++")

_EQUAL = {"=": "=", "==": "=", "!=": "!=", "<>": "!="}
# Words of the grammar, which name a type or a property only in quotes.
_KEYWORDS = frozenset(
    "AND OR NOT FOLLOWEDBY LIKE MATCHES ISSUPERSET ISSUBSET EXISTS LAST IN START STOP SECONDS "
    "true false WITHIN REPEATS TIMES".split()
)
_TEXTUAL = {"LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"}
# Digests that are checked although they are too rare to be observables.
_OTHER_DIGITS = {"ripemd160": 40, "whirlpool": 128}

Token = tuple[str, str, int, int]


class Literal(msgspec.Struct, frozen=True, gc=False):
    """A constant of a pattern.

    `kind` is string, number, bool, time, hex or binary; `text` is without its quotes and
    escapes; `start` and `end` are offsets in the pattern.
    """

    kind: str
    text: str
    start: int
    end: int


class Comparison(msgspec.Struct, frozen=True):
    """`path operator values`: the path as its steps without quotes, an index as `[*]`."""

    path: tuple[str, ...]
    path_end: int
    operator: str
    negated: bool
    values: tuple[Literal, ...]
    start: int
    end: int


class Joined(msgspec.Struct, frozen=True):
    """Two parts or more under one operator: AND, OR or FOLLOWEDBY."""

    operator: str
    parts: tuple[Node, ...]
    start: int
    end: int


class Observation(msgspec.Struct, frozen=True):
    """What stands in one pair of square brackets."""

    test: Node
    start: int
    end: int


class Qualified(msgspec.Struct, frozen=True):
    """An observation under WITHIN, REPEATS or START; `once` for `REPEATS 1 TIMES`."""

    inner: Node
    qualifier: str
    once: bool
    start: int
    end: int


Node = Comparison | Joined | Observation | Qualified


def parse(pattern: str) -> Node:
    """The tree of a STIX pattern.

    Raises:
        Refused: `bad-value` with `where` = `char N`, counted from 1; `too-deep`.
    """
    reader = _Reader(pattern)
    node = reader.observations(0)
    if reader.kind != "end":
        raise reader.expected("an operator or the end of the pattern")
    return node


def tokens(pattern: str) -> list[Token]:
    """(kind, text, start, end) of each token, white space and comments left out.

    Raises:
        Refused: `bad-value` at the first character that begins no token, or a number like 007.
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(pattern):
        kind = match.lastgroup or "bad"
        if kind == "space":
            continue
        if kind == "bad":
            raise _bad_character(pattern, match.start())
        text = match[0]
        if kind == "number" and _LEADING_ZERO.fullmatch(text):
            raise refused_at(match.start(), "A whole number may not begin with a zero.")
        found.append((kind, text, match.start(), match.end()))
    return found


def refused_at(offset: int, message: str) -> Refused:
    """A refusal that names a place in the pattern. `offset` counts from 0."""
    return Refused("bad-value", message, where=f"char {offset + 1}")


class _Reader:
    """Recursive descent over the tokens. One method for each rule of the grammar."""

    __slots__ = ("_index", "_last_end", "_tokens", "end", "kind", "start", "text")

    def __init__(self, pattern: str) -> None:
        self._tokens = tokens(pattern)
        self._tokens.append(("end", "", len(pattern), len(pattern)))
        self._index = -1
        self._last_end = 0
        self.end = 0
        self._step()

    def _step(self) -> None:
        self._last_end = self.end
        self._index += 1
        self.kind, self.text, self.start, self.end = self._tokens[self._index]

    def expected(self, what: str) -> Refused:
        """The refusal for a token that cannot stand here."""
        if self.kind == "end":
            return refused_at(self.start, f"The pattern ends where {what} should follow.")
        shown = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return refused_at(self.start, f"`{shown}` stands where {what} should be.")

    def _take(self, text: str, what: str) -> None:
        if self.text != text or self.kind == "string":
            raise self.expected(what)
        self._step()

    def observations(self, depth: int) -> Node:
        """FOLLOWEDBY binds least, then OR, then AND."""
        return self._joined(("FOLLOWEDBY", "OR", "AND"), depth, observed=True)

    def _joined(self, operators: tuple[str, ...], depth: int, *, observed: bool) -> Node:
        if not operators:
            return self._observation(depth) if observed else self._test(depth)
        start = self.start
        parts = [self._joined(operators[1:], depth, observed=observed)]
        while self.text == operators[0]:
            self._step()
            parts.append(self._joined(operators[1:], depth, observed=observed))
        if len(parts) == 1:
            return parts[0]
        return Joined(operators[0], tuple(parts), start, self._last_end)

    def _observation(self, depth: int) -> Node:
        start = self.start
        node: Node
        if self.text == "(":
            node = self._in_parentheses(depth, observed=True)
            plain = False
        elif self.text == "[":
            self._step()
            test = self._joined(("OR", "AND"), depth, observed=False)
            self._take("]", "`AND`, `OR` or `]`")
            node = Observation(test, start, self._last_end)
            plain = True
        else:
            raise self.expected("`[` or `(`")
        seen: set[str] = set()
        while self.text in {"WITHIN", "REPEATS", "START"}:
            qualifier, place = self.text, self.start
            once = self._qualifier()
            if plain and qualifier in seen:
                raise refused_at(place, f"`{qualifier}` is given twice for one observation.")
            seen.add(qualifier)
            node = Qualified(node, qualifier, once, start, self._last_end)
        return node

    def _in_parentheses(self, depth: int, *, observed: bool) -> Node:
        if depth >= MAX_DEPTH:
            raise Refused(
                "too-deep",
                f"The pattern nests parentheses more than {MAX_DEPTH} deep.",
                where=f"char {self.start + 1}",
            )
        self._step()
        if observed:
            node = self.observations(depth + 1)
            self._take(")", "an operator or `)`")
        else:
            node = self._joined(("OR", "AND"), depth + 1, observed=False)
            self._take(")", "`AND`, `OR` or `)`")
        return node

    def _qualifier(self) -> bool:
        """Reads one qualifier; whether it is `REPEATS 1 TIMES`."""
        word = self.text
        self._step()
        if word == "START":
            self._time("a timestamp such as t'2026-01-01T00:00:00Z'")
            self._take("STOP", "`STOP`")
            self._time("a timestamp such as t'2026-01-02T00:00:00Z'")
            return False
        number = self.text
        whole = word == "REPEATS"
        if self.kind != "number" or number[0] == "-" or (whole and "." in number):
            raise self.expected("a positive whole number" if whole else "a positive number")
        if not number.strip("+0."):
            raise refused_at(self.start, f"`{word}` needs a number above zero.")
        self._step()
        unit = "TIMES" if whole else "SECONDS"
        self._take(unit, f"`{unit}`")
        return whole and number.lstrip("+") == "1"

    def _time(self, what: str) -> None:
        if self.kind != "typed" or self.text[0] != "t":
            raise self.expected(what)
        self._literal()

    def _test(self, depth: int) -> Node:
        """One comparison, or comparisons in parentheses."""
        if self.text == "(":
            return self._in_parentheses(depth, observed=False)
        start = self.start
        if self.text in {"NOT", "EXISTS"}:
            negated = self.text == "NOT"
            if negated:
                self._step()
            self._take("EXISTS", "`EXISTS`, or `NOT` after the object path")
            path = self._path()
            return Comparison(path, self._last_end, "EXISTS", negated, (), start, self._last_end)
        path = self._path()
        path_end = self._last_end
        negated = self.text == "NOT"
        if negated:
            self._step()
        operator, values = self._comparison()
        self._check_hash(path, operator, values)
        return Comparison(path, path_end, operator, negated, values, start, self._last_end)

    def _comparison(self) -> tuple[str, tuple[Literal, ...]]:
        word = self.text
        if self.kind == "compare":
            self._step()
            if word in _EQUAL:
                return _EQUAL[word], (self._literal(),)
            place = self.start
            value = self._literal()
            if value.kind == "bool":
                raise refused_at(place, f"`{word}` cannot order a boolean.")
            return word, (value,)
        if word == "IN":
            self._step()
            return word, self._set()
        if word in _TEXTUAL:
            self._step()
            if self.kind != "string":
                raise self.expected("a string in single quotes")
            return word, (self._literal(),)
        raise self.expected("a comparison operator")

    def _set(self) -> tuple[Literal, ...]:
        self._take("(", "`(`")
        values: list[Literal] = []
        while self.text != ")" or self.kind == "string":
            if values:
                self._take(",", "`,` or `)`")
            values.append(self._literal())
        self._step()
        return tuple(values)

    def _path(self) -> tuple[str, ...]:
        """`type:property.'key'[*].property` as its steps."""
        if self.kind != "word" or self.text in _KEYWORDS:
            raise self.expected("an object path such as `domain-name:value`")
        steps = [self.text]
        self._step()
        self._take(":", "`:` and a property")
        steps.append(self._key())
        while True:
            if self.text == ".":
                self._step()
                steps.append(self._key())
            elif self.text == "[":
                steps.append(self._list_index())
            else:
                return tuple(steps)

    def _key(self) -> str:
        if self.kind == "string":
            key = _unquoted(self.text)
        elif self.kind == "word" and ("-" in self.text or self.text in _KEYWORDS):
            why = "its name has a hyphen" if "-" in self.text else "it is a word of the grammar"
            raise refused_at(self.start, f"Write '{self.text[:60]}' in quotes: {why}.")
        elif self.kind == "word":
            key = self.text
        else:
            raise self.expected("a property name or a quoted key")
        self._step()
        return key

    def _list_index(self) -> str:
        self._step()
        text = self.text
        if text != "*" and (self.kind != "number" or "." in text):
            raise self.expected("a list index or `*`")
        self._step()
        self._take("]", "`]`")
        return f"[{text}]"

    def _literal(self) -> Literal:
        kind, text, start, end = self.kind, self.text, self.start, self.end
        if kind == "string":
            value = Literal("string", _unquoted(text), start, end)
        elif kind == "number":
            value = Literal("number", text, start, end)
        elif text in {"true", "false"}:
            value = Literal("bool", text, start, end)
        elif kind == "typed":
            value = _typed(text, start, end)
        else:
            raise self.expected("a value (a string stands in single quotes)")
        self._step()
        return value

    def _check_hash(
        self, path: tuple[str, ...], operator: str, values: tuple[Literal, ...]
    ) -> None:
        """A digest that is compared whole must have its algorithm's length."""
        if "hashes" not in path or operator not in {"=", "!=", "IN"}:
            return
        algorithm = path[-1]
        bare = algorithm.lower().replace("-", "")
        digits = HASH_DIGITS.get(hash_name(algorithm)) or _OTHER_DIGITS.get(bare)
        if digits is None:
            return
        for value in values:
            text = value.text
            if value.kind == "string" and (len(text) != digits or not _DIGEST.fullmatch(text)):
                raise refused_at(
                    value.start, f"The {algorithm} hash must be {digits} hexadecimal digits."
                )


def _unquoted(text: str) -> str:
    inside = text[1:-1]
    return _ESCAPE.sub(r"\1", inside) if "\\" in inside else inside


def _typed(text: str, start: int, end: int) -> Literal:
    """t'..', h'..' or b'..', each with its own alphabet."""
    letter, inside = text[0], text[2:-1]
    if letter == "t":
        found = _TIME.fullmatch(inside)
        if found is None or not _is_day(int(found[1]), int(found[2]), int(found[3])):
            raise refused_at(start, "The timestamp is not of the form t'2026-01-31T23:59:59.5Z'.")
        return Literal("time", inside, start, end)
    if letter == "h":
        if _HEX.fullmatch(inside) is None:
            raise refused_at(start, "h'..' must hold pairs of hexadecimal digits.")
        return Literal("hex", inside, start, end)
    if _BASE64.fullmatch(inside) is None:
        raise refused_at(start, "b'..' must hold Base64 with its padding.")
    return Literal("binary", inside, start, end)


def _is_day(year: int, month: int, day: int) -> bool:
    return year > 0 and day <= monthrange(year, month)[1]


def _bad_character(pattern: str, offset: int) -> Refused:
    char = pattern[offset]
    if char == "'":
        return refused_at(
            offset,
            "A string is not closed, or a backslash in it does not stand before a quote or "
            "another backslash.",
        )
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    return refused_at(offset, f"`{shown}` cannot stand here in a pattern.")
