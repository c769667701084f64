"""What a format is: a name, the engine that loads it, and pure functions to its lines.

A file is a head, then its lines sorted and each once, then a tail. So a change of some items
is a change of some lines, and what two hubs write about the same set is the same file.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from bayanihan.core import moment
from bayanihan.core.observables import Observable
from bayanihan.readers.active import FOREVER_US
from bayanihan.readers.feeds.left_out import Listed
from bayanihan.readers.feeds.lines import File, Lines, ended
from bayanihan.readers.feeds.rule_ids import numbered
from bayanihan.readers.feeds.rule_text import renumbered

EXERCISE_PREFIX = "exercise-"

# Names that can never be registered and addresses that are nobody's: what blocks them has
# loaded the feed.
CANARY_NAME = "canary.bayanihan.invalid"
CANARY_ADDRESS = "192.0.2.254"
CANARY_URL = f"http://{CANARY_NAME}/"

# What most engines can say, what those can that also tell somebody, and what a table can.
BLOCKING = frozenset({"block"})
ALERTING = frozenset({"block", "alert"})
EVERY_MODE = frozenset({"block", "alert", "shadow"})

NAMES = frozenset({"domain"})
ADDRESSES = frozenset({"ipv4", "ipv6", "cidr4", "cidr6"})

_SAFE_NAME = re.compile(r"[a-z0-9_-]++(?:\.[a-z0-9_-]++)++")
_SAFE_ADDRESS = re.compile(r"[0-9a-f:.]++(?:/[0-9]{1,3})?")
_SAFE_TEXT = re.compile(r"[!-~]++")
_SAFE_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]++/")


class Item(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One value that a feed carries.

    `ids` are the objects that name it, `level` the strictest TLP level that it was told
    under. It holds from `valid_from_us` until before `valid_until_us` (`FOREVER_US`: no end).
    `mode` and the reason `why` are what `decide` says, as are its numbers for the budget.
    `since_us` is when it last became what it is: told, begun, or decided otherwise.
    """

    type: str
    value: str
    ids: tuple[str, ...] = ()
    level: str = "clear"
    valid_from_us: int = 0
    valid_until_us: int = FOREVER_US
    exercise: bool = False
    mode: str = "block"
    why: str = ""
    in_hour: int = 0
    in_place: int = 0
    since_us: int = 0


class Heading(msgspec.Struct, frozen=True):
    """What a version says about itself.

    `feed` is the name it is served under, `hub` that of the hub, `level` the strictest TLP
    level inside, `cursor` the sealed position, `version` an opaque token of this very
    content, `changed_us` when the content last changed; `items`, `held` and `not_expressed`
    are counts.
    """

    feed: str
    exercise: bool
    level: str
    cursor: str
    version: str
    changed_us: int
    items: int
    held: int
    not_expressed: int
    hub: str = "bayanihan"


# The newest item has the lowest: when it began to hold, as a negative number, and its place.
Rank = tuple[int, str]


class Around(Protocol):
    """What the items stand among. See `stock.Stock`."""

    def at(self, type_: str, value: str) -> Item | None:
        """A value, if it is there now."""

    def below(self, name: str) -> Iterable[Item]:
        """The domain names below one."""

    def newest(self, types: Collection[str], start: Rank) -> Iterable[Item]:
        """The items of some types from a rank on, the newest first."""

    def oldest(self, types: Collection[str], end: Rank | None) -> Iterable[Item]:
        """The items of some types before a rank, or all of them, the oldest first."""


class Writer(ABC):
    """Makes the lines of a feed, and keeps what it needs to change them as items come and go.

    First comes a walk: `clear`, then `walk` for each item in order of place, then `walked`.
    After that, `note` for each item that comes or goes, and then `settled`.

    `lost` counts the items, by level, that found no place beside others, and `refused` lists
    them. Not safe for two threads.
    """

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self.refused = Listed()

    def clear(self) -> None:
        """Nothing is there any more: a walk begins."""
        self.lost, self.refused = Counter(), Listed()

    @abstractmethod
    def walk(self, item: Item) -> None:
        """One item of a walk."""

    @abstractmethod
    def walked(self) -> list[bytes]:
        """The lines of all that was walked, ascending, each once."""

    @abstractmethod
    def note(self, item: Item, more: int) -> None:
        """An item came (`more` is 1), or went (-1)."""

    @abstractmethod
    def settled(self, around: Around, has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """Which lines shall be there after what was noted, and which shall not.

        Args:
            around: the items as they are now.
            has: whether a line is there yet.
        """

    def pages(self, heading: Heading) -> Mapping[str, File]:
        """The other files of a feed that is a folder, by name."""
        return {}

    def content(self) -> bytes:
        """A digest of what is in these, whatever the heading."""
        return b""

    @property
    def kept_bytes(self) -> int:
        """What is kept in memory beside the lines, about."""
        return 0


def _nothing(heading: Heading) -> list[str]:
    return []


class Format(msgspec.Struct, frozen=True):
    """One way out.

    Attributes:
        name: as in `/feeds/{name}`.
        engine: the program that loads it.
        media_type: of its bytes.
        types: the types of observable that it can express.
        refusal: why it cannot express an observable of these types; None when it can.
        head: the lines before the items' lines, without ends.
        lines: the lines of one item that it can express; sorted with those of the others.
        canary: what a probe asks the engine for, in a sentence.
        tail: the lines after the items' lines.
        covers: whether a listed name takes all names below it along: these then have no
            lines of their own.
        rules: instead of `lines`, where each line is a rule with a number that no other one
            has: each rule of an item without its number, under a name of its own.
        rival: for items that cannot stand beside each other: a name of which only the first
            item in order of value has lines.
        writer: for a feed that is a folder of files: what makes it, for a hub and a feed's name.
        limit: how many items the engine can take; 0 where it says nothing. The newest stay.
        end: what ends each of `lines` in the file: more than an end of line where these are
            texts of several lines. Stands in none of them.
        check: what a strict reader of ours finds wrong with a whole file; None if nothing.
        per_hour, per_place: the change budget: how many new values of one member block within
            an hour, and how many on one network or host; 0 for no budget.
        modes: those of `decide` that it can say; what has another is listed beside it.
    """

    name: str
    engine: str
    media_type: str
    types: frozenset[str]
    refusal: Callable[[Observable], str | None]
    head: Callable[[Heading], list[str]]
    lines: Callable[[Item], Sequence[str]]
    canary: str
    tail: Callable[[Heading], list[str]] = _nothing
    covers: bool = False
    rules: Callable[[Item], Sequence[tuple[str, str]]] | None = None
    rival: Callable[[Item], str] | None = None
    writer: Callable[[str, str], Writer] | None = None
    limit: int = 0
    end: str = "\n"
    check: Callable[[bytes], str | None] | None = None
    modes: frozenset[str] = BLOCKING
    per_hour: int = 0
    per_place: int = 0


def waits(format_: Format, item: Item) -> str | None:
    """Why an item that may block has to wait until somebody admits it; None where it need not."""
    if item.mode != "block":
        return None
    if format_.per_hour and item.in_hour > format_.per_hour:
        return (
            f"It waits: it is number {item.in_hour} of its member's within an hour, and the change"
            f" budget is {format_.per_hour}."
        )
    if format_.per_place and item.in_place > format_.per_place:
        return (
            f"It waits: it is number {item.in_place} on its network or host within 30 days, and"
            f" the change budget is {format_.per_place}."
        )
    return None


def beaten(name: str) -> str:
    """Why an item has no place because of its name."""
    return f"Another rule is called `{name}` already."


def lines_of(format_: Format, items: Sequence[Item], hub: str) -> list[str]:
    """The lines between head and tail, in any order. `items` can all be expressed."""
    if format_.rules is not None:
        rules = {name: text for item in items for name, text in format_.rules(item)}
        numbers = numbered(rules, hub)
        return [renumbered(text, numbers[name]) for name, text in rules.items()]
    if format_.rival is not None:
        first: dict[str, Item] = {}
        for item in sorted(items, key=lambda item: item.value):
            first.setdefault(format_.rival(item), item)
        items = list(first.values())
    listed = uncovered(items) if format_.covers else items
    return [line for item in listed for line in format_.lines(item)]


def written(format_: Format, items: Sequence[Item], heading: Heading) -> dict[str, File]:
    """All files of a feed by name. `items` can all be expressed."""
    pages: Mapping[str, File] = {}
    if format_.writer is None:
        lines = sorted({line.encode() for line in lines_of(format_, items, heading.hub)})
    else:
        writer = format_.writer(heading.hub, heading.feed)
        for item in items:
            writer.walk(item)
        lines, pages = writer.walked(), writer.pages(heading)
    return {format_.name: filed(format_, Lines(lines, format_.end.encode()), heading), **pages}


def filed(format_: Format, lines: Lines, heading: Heading) -> File:
    """The file of some lines."""
    head, tail = ended(format_.head(heading)), ended(format_.tail(heading))
    return File(head, tuple(lines.chunks), tail)


def render(format_: Format, items: Sequence[Item], heading: Heading) -> bytes:
    """The whole file. `items` can all be expressed."""
    return written(format_, items, heading)[format_.name].body()


def uncovered(items: Sequence[Item]) -> list[Item]:
    """The items without the names that lie below another one."""
    names = {item.value for item in items if item.type == "domain"}
    return [item for item in items if item.type != "domain" or not is_covered(item.value, names)]


def is_covered(name: str, names: Collection[str]) -> bool:
    """Whether a name above `name` is among `names`."""
    above = name.partition(".")[2]
    while above:
        if above in names:
            return True
        above = above.partition(".")[2]
    return False


def comment_lines(heading: Heading, canary: str, *, about: Iterable[str]) -> list[str]:
    """The lines that every text format begins with, without the comment sign."""
    lines = [f"Bayanihan feed: {heading.feed}"]
    if heading.exercise:
        lines.append("EXERCISE EXERCISE EXERCISE: nothing in this file is a real threat.")
    return [
        *lines,
        f"TLP:{heading.level.upper()} (the strictest marking of what is inside)",
        f"version: {heading.version}",
        f"cursor: {heading.cursor}",
        f"changed: {moment.render(heading.changed_us)}",
        f"items: {heading.items}, held: {heading.held}, not expressed: {heading.not_expressed}",
        f"canary: {canary}",
        *about,
    ]


def commented(sign: str, heading: Heading, canary: str, *about: str) -> list[str]:
    """`comment_lines`, each behind a comment sign."""
    return [f"{sign} {line}" for line in comment_lines(heading, canary, about=about)]


def name_refusal(observable: Observable) -> str | None:
    """Why a name cannot stand in a line of a text format; None when it can."""
    value = observable.value
    if value == CANARY_NAME or value.endswith(f".{CANARY_NAME}"):
        return "The name is this list's own canary."
    if _SAFE_NAME.fullmatch(value) is None:
        return "The name has no plain spelling."
    return None


def address_refusal(observable: Observable) -> str | None:
    """Why an address cannot stand in a line of a text format; None when it can."""
    if observable.value == CANARY_ADDRESS:
        return "The address is this list's own canary."
    if _SAFE_ADDRESS.fullmatch(observable.value) is None:
        return "The address has no plain spelling."
    return None


def text_refusal(observable: Observable) -> str | None:
    """Why a URL, a digest or a mail address cannot stand on a line; None when it can."""
    if observable.value == CANARY_URL:
        return "The URL is this list's own canary."
    if not observable.value.isascii():
        return "This format takes ASCII alone, and the value has other letters."
    if _SAFE_TEXT.fullmatch(observable.value) is None:
        return "The value has no plain spelling."
    if observable.type == "url" and _SAFE_URL.match(observable.value) is None:
        return "The value is no URL with a host and a path."
    return None


def refusal_by_type(observable: Observable) -> str | None:
    """The refusal that fits the observable's type."""
    if observable.type in NAMES:
        return name_refusal(observable)
    if observable.type in ADDRESSES:
        return address_refusal(observable)
    return text_refusal(observable)


def tag_of(item: Item, *, digits: int = 16) -> str:
    """A name for an item that is the same everywhere: hexadecimal digits of a hash."""
    return hashlib.sha256(f"{item.type}:{item.value}".encode()).hexdigest()[:digits]


def why_not(type_: str, types: Collection[str]) -> str:
    """Why a format for `types` cannot express a type that is not among them."""
    if type_ == "url" and "domain" in types:
        return "A URL names one page; a block of its host would hit every other page there."
    if type_ == "email" and "domain" in types:
        return "A mail address names one sender; a block of its domain would hit every other."
    return f"This feed cannot express a value of type {type_}."
