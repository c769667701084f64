"""STIX patterns: is it one, and what may be blocked because of it.

A single observable may be blocked only when seeing that observable alone makes the pattern
true: a comparison by `=` or IN (ISSUBSET for addresses) on a path that names something
blockable, by itself or as one branch of an OR. Everything else is kept in `rest` with the
reason, so that nothing is dropped silently.

One AND passes: digests of one file by different algorithms. A second file with any of
these digests would have to be made on purpose by whoever made the first. A digest AND a
file name does not pass: such patterns often mean an innocent program under a false name.

Source: OASIS STIX 2.1 section 9; for 2.0 the change of timestamps in qualifiers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import msgspec

from bayanihan.core.identifiers import OBJECT, account, handle, meeting, phone
from bayanihan.core.observables import (
    HASH_DIGITS,
    Observable,
    address,
    domain,
    email,
    file_hash,
    hash_name,
    observe,
    tlsh,
    url,
)
from bayanihan.core.pattern_tree import (
    Comparison,
    Joined,
    Literal,
    Node,
    Observation,
    Qualified,
    parse,
    tokens,
)
from bayanihan.errors import Refused


class Rest(msgspec.Struct, frozen=True):
    """A part that cannot become a block: itself a valid pattern, and why in a sentence."""

    text: str
    why: str


class Reading(msgspec.Struct, frozen=True):
    """What a pattern amounts to: observables in the order written, and what is left."""

    blocks: tuple[Observable, ...]
    rest: tuple[Rest, ...]


def is_usual(pattern: str) -> bool:
    """Whether a pattern is seen at a glance to be valid, its names long enough for STIX 2.1."""
    return _COMMON.fullmatch(pattern) is not None


def validate(pattern: str) -> None:
    """Refuses what STIX 2.1 section 9 does not allow.

    Raises:
        Refused: `bad-value` or `too-deep`, with `where` = `char N`, counted from 1.
    """
    if not is_usual(pattern):
        parse(pattern)


def read(pattern: str) -> Reading:
    """The observables that may be blocked because of a pattern, and the rest with reasons.

    Raises:
        Refused: as `validate`.
    """
    if is_usual(pattern):
        if _ANY_OF.fullmatch(pattern):
            return _any_of(pattern)
        if _ALL_OF.fullmatch(pattern):
            return Reading((), (Rest(pattern.strip(), _TOGETHER),))
    return read_tree(pattern, parse(pattern))


def read_tree(pattern: str, tree: Node) -> Reading:
    """`read` for a pattern that is parsed already. `tree` is `parse(pattern)`."""
    found = _Findings(pattern)
    found.observation(tree)
    return Reading(tuple(found.blocks), tuple(found.rest))


def upgrade_20(pattern: str) -> str:
    """A STIX 2.0 pattern in 2.1 spelling: START and STOP take t'..' instead of '..'.

    The rest of the text is untouched.

    Raises:
        Refused: `bad-value`, when the result is not a STIX 2.1 pattern.
    """
    if "START" in pattern:
        found = tokens(pattern)
        pieces: list[str] = []
        done = 0
        for (_, word, _, _), (kind, _, start, _) in pairwise(found):
            if word in {"START", "STOP"} and kind == "string":
                pieces += (pattern[done:start], "t")
                done = start
        pattern = "".join(pieces) + pattern[done:]
    validate(pattern)
    return pattern


class _Findings:
    """Collects blocks and rest while walking a tree."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.blocks: dict[Observable, None] = {}
        self.rest: list[Rest] = []

    def observation(self, node: Node) -> None:
        """A node outside square brackets."""
        if isinstance(node, Qualified) and node.once:
            self.observation(node.inner)
        elif isinstance(node, Qualified):
            self._left(node, _QUALIFIED[node.qualifier])
        elif isinstance(node, Joined) and node.operator == "OR":
            for part in node.parts:
                self.observation(part)
        elif isinstance(node, Joined):
            self._left(node, _JOINED[node.operator])
        elif isinstance(node, Observation):
            self._test(node.test, node)
        else:
            raise TypeError(f"{type(node).__name__} cannot stand outside brackets")

    def _test(self, node: Node, whole: Node) -> None:
        """A node inside square brackets; `whole` is its observation, if it fills it."""
        if isinstance(node, Comparison):
            self._comparison(node, whole)
        elif isinstance(node, Joined) and node.operator == "OR":
            for part in node.parts:
                self._test(part, part)
        elif isinstance(node, Joined):
            hashes = _hashes_of_one_file(node)
            self.blocks.update(dict.fromkeys(hashes))
            if not hashes:
                self._left(whole, _TOGETHER)

    def _comparison(self, node: Comparison, whole: Node) -> None:
        make = _maker(node.path)
        why = ""
        if node.negated:
            why = "It says what must not be seen."
        elif node.operator not in _EXACT and node.operator != "ISSUBSET":
            why = _INEXACT.get(node.operator, "It names a span of values, not one.")
        elif make is None:
            why = _unblockable(node.path)
        elif node.operator == "ISSUBSET" and make not in _OF_ADDRESSES:
            why = "ISSUBSET names a range only for addresses."
        elif not node.values:
            why = "Its set is empty, so it is never true."
        if why or make is None:
            self._left(whole, why)
            return
        for value in node.values:
            self._value(node, value, make, whole)

    def _value(self, node: Comparison, value: Literal, make: _Maker, whole: Node) -> None:
        try:
            self.blocks[_made(make, value)] = None
        except Refused as error:
            if len(node.values) == 1:
                self._left(whole, error.message)
            else:
                path = self._pattern[node.start : node.path_end]
                text = self._pattern[value.start : value.end]
                self.rest.append(Rest(f"[{path} = {text}]", error.message))

    def _left(self, node: Node, why: str) -> None:
        text = self._pattern[node.start : node.end]
        inside = isinstance(node, Comparison) or (
            isinstance(node, Joined) and isinstance(_first(node), Comparison)
        )
        self.rest.append(Rest(f"[{text}]" if inside else text, why))


_Maker = Callable[[str], Observable]


def _made(make: _Maker, value: Literal) -> Observable:
    if value.kind != "string":
        raise Refused("bad-value", f"A {value.kind} is not a value that can be blocked.")
    return make(value.text)


def _first(node: Node) -> Node:
    while isinstance(node, Joined):
        node = node.parts[0]
    return node


def _hashes_of_one_file(node: Joined) -> list[Observable]:
    """The digests, if all that is joined are digests of one file, each algorithm once."""
    found: list[Observable] = []
    owner = ""
    algorithms: set[str] = set()
    for part in node.parts:
        if not isinstance(part, Comparison) or part.operator != "=" or part.negated:
            return []
        path, value = part.path, part.values[0]
        if len(path) != 3 or path[0] not in _WITH_HASHES or path[0] != (owner or path[0]):
            return []
        algorithm = hash_name(path[2]) or path[2].upper()
        if path[1] != "hashes" or algorithm in algorithms or value.kind != "string":
            return []
        owner = path[0]
        algorithms.add(algorithm)
        if algorithm in HASH_DIGITS:
            found.append(file_hash(algorithm, value.text))
    return found


def _maker(path: tuple[str, ...]) -> _Maker | None:
    """What turns the values of an object path into observables; None if nothing does."""
    if len(path) == 3 and path[0] in _WITH_HASHES and path[1] == "hashes":
        return tlsh if path[2].upper() == "TLSH" else _HASH_MAKERS.get(hash_name(path[2]))
    return _BLOCKABLE.get(path)


def _unblockable(path: tuple[str, ...]) -> str:
    shown = f"{path[0]}:{'.'.join(path[1:])}"
    if len(shown) > 80 or not shown.isprintable():
        shown = path[0][:60]
    return f"`{shown}` alone does not name a thing that can be blocked."


def _hash_maker(algorithm: str) -> _Maker:
    def make(text: str) -> Observable:
        return file_hash(algorithm, text)

    return make


def _ipv4(text: str) -> Observable:
    return observe("ipv4", text)


def _ipv6(text: str) -> Observable:
    return observe("ipv6", text)


def _endpoint(text: str) -> Observable:
    """An end of network traffic: STIX allows addresses and names there."""
    try:
        return address(text)
    except Refused:
        return domain(text)


_TOGETHER = "It needs more than one thing to be seen together."
_JOINED = {"AND": _TOGETHER, "FOLLOWEDBY": "It needs things to be seen one after the other."}
_QUALIFIED = {
    "WITHIN": "It counts only within a span of seconds.",
    "REPEATS": "It needs the same thing to be seen several times.",
    "START": "It counts only between two times.",
}
_EXACT = {"=", "IN"}
_INEXACT = {
    "!=": "It names everything but a value.",
    "LIKE": "It names values by a wildcard, not one by one.",
    "MATCHES": "It names values by an expression, not one by one.",
    "ISSUPERSET": "It names every range that contains a value.",
    "EXISTS": "It asks only whether a property is there.",
}
_WITH_HASHES = ("file", "artifact")
_HASH_MAKERS = {algorithm: _hash_maker(algorithm) for algorithm in HASH_DIGITS}
_OF_ADDRESSES = (_ipv4, _ipv6, _endpoint)
_BLOCKABLE: dict[tuple[str, ...], _Maker] = {
    ("domain-name", "value"): domain,
    ("ipv4-addr", "value"): _ipv4,
    ("ipv6-addr", "value"): _ipv6,
    ("url", "value"): url,
    ("email-addr", "value"): email,
    ("email-message", "from_ref", "value"): email,
    ("email-message", "sender_ref", "value"): email,
    ("network-traffic", "dst_ref", "value"): _endpoint,
    ("network-traffic", "src_ref", "value"): _endpoint,
    (OBJECT, "account"): account,
    (OBJECT, "handle"): handle,
    (OBJECT, "meeting"): meeting,
    (OBJECT, "phone"): phone,
}

# The shapes that nearly all patterns have, recognised in one linear, possessive pass. They
# are a subset of the grammar, in which types and properties have three characters or more;
# whatever falls outside them is parsed in full.
_STRING = r"'[^'\\]*+(?:\\['\\][^'\\]*+)*+'"
_DIGEST = "[0-9a-fA-F]"
_NOT_HERE = r"(?:hashes|true|false)\b"
_PLAIN = (
    rf"(?!{_NOT_HERE})[a-z][a-z0-9-]{{2,}}+:(?!{_NOT_HERE})[a-z][a-z0-9_]{{2,}}+"
    rf"(?:\.(?!{_NOT_HERE})[a-z][a-z0-9_]*+)*+"
    rf"\s*+=\s*+(?:{_STRING}|0|[1-9][0-9]*+)"
)
_HASHED = (
    rf"file:hashes\.(?:'SHA-256'\s*+=\s*+'{_DIGEST}{{64}}'|(?:MD5|'MD5')\s*+=\s*+'{_DIGEST}{{32}}'"
    rf"|'SHA-1'\s*+=\s*+'{_DIGEST}{{40}}'|'SHA-512'\s*+=\s*+'{_DIGEST}{{128}}')"
)


def _shape(comparison: str, operator: str) -> re.Pattern[str]:
    """Brackets of comparisons, everything under one operator (a regular expression)."""
    inside = rf"\[\s*+{comparison}(?:\s++{operator}\s++{comparison})*+\s*+\]"
    return re.compile(rf"\s*+{inside}(?:\s++{operator}\s++{inside})*+\s*+")


_COMMON = _shape(f"(?:{_HASHED}|{_PLAIN})", "(?:AND|OR)")
_ANY_OF = _shape(f"(?:{_HASHED}|{_PLAIN})", "OR")
_ALL_OF = _shape(_PLAIN, "AND")
_PARTS = re.compile(
    rf"(?P<path>[a-z][a-z0-9-]*+:[a-zA-Z0-9_.'-]++)\s*+=\s*+(?P<value>{_STRING}|[0-9]++)"
)
_ESCAPE = re.compile(r"\\(['\\])")


def _any_of(pattern: str) -> Reading:
    """`read` for comparisons by `=` under OR alone, in brackets or between them."""
    blocks: dict[Observable, None] = {}
    rest: list[Rest] = []
    for part in _PARTS.finditer(pattern):
        path, text = part.groups()
        make = _MAKER_OF_PATH.get(path)
        if make is None:
            kind, _, steps = path.partition(":")
            rest.append(Rest(f"[{part[0]}]", _unblockable((kind, *steps.split(".")))))
        elif text[0] != "'":
            rest.append(Rest(f"[{part[0]}]", "A number is not a value that can be blocked."))
        else:
            value = text[1:-1]
            if "\\" in value:
                value = _ESCAPE.sub(r"\1", value)
            try:
                blocks[make(value)] = None
            except Refused as error:
                rest.append(Rest(f"[{part[0]}]", error.message))
    return Reading(tuple(blocks), tuple(rest))


_MAKER_OF_PATH = {
    **{f"{path[0]}:{'.'.join(path[1:])}": make for path, make in _BLOCKABLE.items()},
    **{
        f"file:hashes.{key}": _HASH_MAKERS[hash_name(key.strip("'"))]
        for key in ("'SHA-256'", "'SHA-512'", "'SHA-1'", "MD5", "'MD5'")
    },
}
