"""What must never be blocked, whoever asks, with the reason in one sentence.

A wrong block is worse than none. Held are: public suffixes and the names above a protected
name; listed names with all below them; reserved and local names; addresses and ranges that
are not one network of the public Internet, or that overlap a protected address in either
direction; the hub itself; and digests of files that are everywhere.

The list has one entry a line, `#` begins a comment, and one word may follow the entry:

* nothing: the name, all names below it, URLs and mail addresses there are held;
* `pages`: a site on which many people publish: the name and all below it are held, a URL
  of one page, or one mail address, may be listed;
* `shared`: the names below belong to different people and may be listed, the bare name not.

The longest entry that fits decides. Source: RFC 6761, RFC 2606, RFC 8375 (reserved names);
IANA IPv4 and IPv6 Special-Purpose Address Registries; the Public Suffix List.
"""

from __future__ import annotations

import hashlib
import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable

from bayanihan.core.observables import HASH_DIGITS, Observable, address, domain, host_of
from bayanihan.core.warning_lists import Held, WarningLists
from bayanihan.errors import Refused

# A /16 is what one large provider holds, a /32 is what a registry gives to one IPv6 network
# by default: whatever is wider hits many networks whose owners did nothing.
WIDEST_V4 = 16
WIDEST_V6 = 32

_RESERVED = (
    "localhost local invalid test arpa onion alt internal intranet private lan home corp mail "
    "example.com example.net example.org"
).split()

_SPECIAL = (
    ("0.0.0.0/8", "means this network"),
    ("10.0.0.0/8", "is private"),
    ("100.64.0.0/10", "is shared by the customers of a provider (CGNAT)"),
    ("127.0.0.0/8", "is the machine itself"),
    ("169.254.0.0/16", "is link-local"),
    ("172.16.0.0/12", "is private"),
    ("192.0.0.0/24", "is reserved for protocols"),
    ("192.88.99.0/24", "is reserved for protocols"),
    ("192.168.0.0/16", "is private"),
    ("198.18.0.0/15", "is for tests of network devices"),
    ("224.0.0.0/4", "is multicast"),
    ("240.0.0.0/4", "is reserved"),
    ("::/3", "is not an address of the public Internet"),
    ("2001::/23", "is reserved for protocols"),
    ("2002::/16", "stands for IPv4 addresses (6to4)"),
    ("4000::/2", "is not an address of the public Internet"),
    ("8000::/1", "is not an address of the public Internet"),
)
_DOCUMENTATION = (
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001:db8::/32",
    "3fff::/20",
)
# Where the numbering of IPv6 begins, above that of IPv4.
_V6_BASE = 1 << 32
_RANGES = frozenset({"ipv4", "ipv6", "cidr4", "cidr6"})
_WORDS = ("", "pages", "shared")


class NeverBlock:
    """The rules, compiled. Safe to share between threads; build it anew to change it.

    Args:
        lines: the list, as above. Several lists may be chained; the later line wins.
        suffixes: whether a name of A-labels is a public suffix, private ones included.
        own_names: the hub's own names and addresses. What can be neither a public name nor
            an address (`localhost`) equals no observable and needs no rule.
        warning_lists: other people's lists, compiled; where a line of ours fits as well as
            an entry of theirs, ours counts.

    Raises:
        Refused: `bad-value` for a line that is no entry, with `where` = `line N`.
    """

    def __init__(
        self,
        lines: Iterable[str],
        suffixes: Callable[[str], bool],
        own_names: Collection[str] = (),
        warning_lists: WarningLists | None = None,
    ) -> None:
        self._suffixes = suffixes
        self._lists = warning_lists or WarningLists()
        self._rules = dict.fromkeys(_RESERVED, "reserved")
        self._rules["example"] = "example"
        spans = [(*_bounds(range_), why) for range_, why in _SPECIAL]
        for number, line in enumerate(lines, 1):
            entry = line.partition("#")[0].split()
            if entry:
                spans += self._add(entry, number)
        for name in own_names:
            spans += self._add_own(name)
        self._above = {
            above: name
            for name, rule in self._rules.items()
            if rule not in {"reserved", "example"}
            for above in _ancestors(name)
        }
        self._spans = _Spans(spans)
        self._documentation = _Spans(
            [(*_bounds(range_), "is for documentation") for range_ in _DOCUMENTATION]
        )

    def reason(self, observable: Observable, *, exercise: bool = False) -> str | None:
        """Why it must not be blocked, in one sentence; None when nothing speaks against it.

        Args:
            observable: canonical, as `core.observables` makes them.
            exercise: for entries of an exercise, whose names must never hurt anyone:
                allows `.example` and the documentation ranges, and nothing else.
        """
        kind = observable.type
        if kind == "domain":
            return self._name(observable.value, exercise=exercise)
        if kind == "url":
            return self._url(observable, exercise=exercise)
        if kind == "email":
            return self._email(observable.value, exercise=exercise)
        if kind in HASH_DIGITS:
            return _EVERYWHERE.get(observable.value) or self._digest(observable.value)
        if kind in _RANGES:
            return self._range(observable, exercise=exercise)
        return None

    def _add(self, entry: list[str], number: int) -> list[tuple[int, int, str]]:
        word = entry[1] if len(entry) > 1 else ""
        if word not in _WORDS or len(entry) > 2:
            raise Refused(
                "bad-value",
                "After an entry of the never-block list comes `pages`, `shared` or nothing.",
                where=f"line {number}",
            )
        try:
            if ":" in entry[0] or entry[0].partition("/")[0].rpartition(".")[2].isdigit():
                return [(*_bounds(address(entry[0]).value), "is on the never-block list")]
            name = entry[0].lower()
            self._rules[name if _is_label(name) else domain(name).value] = word or "never"
        except Refused as error:
            raise Refused("bad-value", error.message, where=f"line {number}") from error
        return []

    def _add_own(self, name: str) -> list[tuple[int, int, str]]:
        try:
            return [(*_bounds(address(name).value), "is an address of this hub")]
        except Refused:
            pass
        try:
            self._rules[domain(name).value] = "own"
        except Refused:
            return []
        return []

    def _listed(self, name: str) -> Held:
        """The rule of the longest entry that is `name` or above it, and that entry."""
        rules, theirs_of = self._rules, self._lists.named
        rest = name
        while rest:
            rule = rules.get(rest)
            if rule is not None:
                return Held(rule, rest, "")
            theirs = theirs_of(rest)
            # What is above a listed name, or stands alone, says nothing of the names below.
            if theirs is not None and (rest == name or theirs.rule in ("never", "pages")):
                return theirs
            rest = rest.partition(".")[2]
        return _NOWHERE

    def _digest(self, value: str) -> str | None:
        title = self._lists.digest(value)
        return f"The digest is on the warning list \u201c{title}\u201d." if title else None

    def _name(self, name: str, *, exercise: bool) -> str | None:
        found = self._listed(name)
        if found.list:
            return _warned(found, name)
        rule, entry = found.rule, found.entry
        if rule in {"never", "own", "reserved", "example"}:
            return _held(rule, name, entry, exercise=exercise)
        if rule == "pages":
            return f"`{name}` is or belongs to `{entry}`, a site on which many people publish."
        if (rule == "shared" and entry == name) or self._suffixes(name):
            return f"`{name}` is shared: the names below it belong to different people."
        if name in self._above:
            return f"`{name}` is above `{self._above[name]}`, which is protected."
        return None

    def _url(self, observable: Observable, *, exercise: bool) -> str | None:
        """A whole site is judged as its host; a single page only by the site's own protection."""
        host = host_of(observable)
        if host.type != "domain":
            return self._range(host, exercise=exercise)
        whole = observable.value.endswith(("/", "/?")) and observable.value.count("/") == 3
        if whole:
            return self._name(host.value, exercise=exercise)
        return self._host(host.value, exercise=exercise)

    def _email(self, value: str, *, exercise: bool) -> str | None:
        return self._host(value.rpartition("@")[2], exercise=exercise)

    def _host(self, name: str, *, exercise: bool) -> str | None:
        """Why nothing on a host may be blocked, not even one page."""
        found = self._listed(name)
        if found.list:
            return _warned(found, name) if found.rule == "never" else None
        return _held(found.rule, name, found.entry, exercise=exercise)

    def _range(self, observable: Observable, *, exercise: bool) -> str | None:
        value = observable.value
        if observable.type.startswith("cidr"):
            widest = WIDEST_V4 if observable.type == "cidr4" else WIDEST_V6
            if int(value.partition("/")[2]) < widest:
                return f"`{value}` is wider than /{widest} and would hit many networks."
        first, last = _bounds(value)
        why = self._spans.overlapping(first, last)
        if why is None and not exercise:
            why = self._documentation.overlapping(first, last)
        if why is None:
            base = 0 if observable.type.endswith("4") else _V6_BASE
            version = 6 if base else 4
            title = self._lists.overlapping(version, first - base, last - base)
            why = f"is on the warning list \u201c{title}\u201d" if title else None
        if why is None:
            return None
        return f"`{value}` {why}." if first == last else f"`{value}`, or a part of it, {why}."


_NOWHERE = Held("", "", "")


def _warned(found: Held, name: str) -> str:
    """The reason of somebody else's list."""
    title = f"the warning list \u201c{found.list}\u201d"
    if found.rule == "above":
        return f"`{name}` is above a name on {title}."
    if found.rule == "pages":
        return f"`{name}` is or belongs to `{found.entry}`, a site on {title}."
    return f"`{name}` is or belongs to `{found.entry}`, which is on {title}."


class _Spans:
    """Spans of numbers, asked for one that overlaps: one binary search."""

    def __init__(self, spans: Iterable[tuple[int, int, str]]) -> None:
        self._starts: list[int] = []
        self._reach: list[tuple[int, str]] = []
        for first, last, why in sorted(spans):
            self._starts.append(first)
            before = self._reach[-1] if self._reach else (-1, "")
            self._reach.append((last, why) if last > before[0] else before)

    def overlapping(self, first: int, last: int) -> str | None:
        """The word on a span that shares a number with first..last; None when none does."""
        index = bisect_right(self._starts, last) - 1
        if index < 0 or self._reach[index][0] < first:
            return None
        return self._reach[index][1]


def _held(rule: str, name: str, entry: str, *, exercise: bool) -> str | None:
    """The reason that holds a name and everything on it; None for the other rules."""
    place = f"`{name}`" if name == entry else f"`{name}`, under `{entry}`,"
    if rule == "never":
        return f"{place} is on the never-block list."
    if rule == "own":
        return f"{place} is a name of this hub itself."
    if rule == "reserved" or (rule == "example" and not exercise):
        return f"{place} is reserved and not a name of the public Internet."
    return None


def _bounds(range_: str) -> tuple[int, int]:
    """The first and last address of a range, IPv6 in a numbering of its own above IPv4."""
    if "/" not in range_:
        place = ipaddress.ip_address(range_)
        number = int(place) + (0 if place.version == 4 else _V6_BASE)
        return number, number
    network = ipaddress.ip_network(range_)
    base = 0 if network.version == 4 else _V6_BASE
    return base + int(network.network_address), base + int(network.broadcast_address)


def _ancestors(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[index:]) for index in range(1, len(labels))]


def _is_label(name: str) -> bool:
    return "." not in name and name.isascii() and name.isalpha()


def _everywhere() -> dict[str, str]:
    """Digests of contents that countless innocent files have."""
    found: dict[str, str] = {}
    for algorithm, digits in HASH_DIGITS.items():
        for content, what in ((b"", "the empty file"), (b"\n", "a file of one line break")):
            digest = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
            found[digest] = f"This is the {algorithm} digest of {what}."
        found["0" * digits] = "A digest of zeros is a placeholder, not a file."
        found["f" * digits] = "A digest of ones is a placeholder, not a file."
    return found


_EVERYWHERE = _everywhere()
