"""What a format is: a name, the engine that loads it, and pure functions to its lines.

A file is a head, then its lines sorted and each once, then a tail. So a change of some items
is a change of some lines, and what two hubs write about the same set is the same file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from bayanihan.core import moment
from bayanihan.core.observables import Observable
from bayanihan.readers.active import FOREVER_US

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
        together: instead of `lines`, where one item's lines depend on the others: from all
            items and the hub's name the lines, and the items that found no place.
        pages: other files that belong to this one, by name, for a feed that is a folder.
        limit: how many items the engine can take; 0 where it says nothing. The newest stay.
        single: whether each of `lines` is one line, so that changes of lines can be told.
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
    together: Callable[[Sequence[Item], str], Together] | None = None
    pages: Callable[[Sequence[Item], Heading], dict[str, bytes]] | None = None
    limit: int = 0
    single: bool = True
    check: Callable[[bytes], str | None] | None = None
    modes: frozenset[str] = BLOCKING
    per_hour: int = 0
    per_place: int = 0

    @property
    def whole(self) -> bool:
        """Whether its lines depend on all items at once, so that a change makes all anew."""
        return self.pages is not None or self.together is not None or not self.single


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


class Together(msgspec.Struct, frozen=True):
    """The lines of all items of a format, and the items that have none, with the reason."""

    lines: list[str]
    refused: tuple[tuple[Item, str], ...] = ()


def lines_of(format_: Format, items: Sequence[Item], hub: str) -> Together:
    """The lines between head and tail, in any order. `items` can all be expressed."""
    if format_.pages is not None:
        return Together([])
    if format_.together is not None:
        return format_.together(items, hub)
    listed = uncovered(items) if format_.covers else items
    return Together([line for item in listed for line in format_.lines(item)])


def render(format_: Format, items: Sequence[Item], heading: Heading) -> bytes:
    """The whole file. `items` are in order of (type, value), all of them expressible."""
    if format_.pages is not None:
        return format_.pages(items, heading)[format_.name]
    return written(format_, lines_of(format_, items, heading.hub).lines, heading)


def written(format_: Format, lines: Iterable[str], heading: Heading) -> bytes:
    """The file of some lines, in any order, a line that comes twice written once."""
    every = [*format_.head(heading), *sorted(set(lines)), *format_.tail(heading), ""]
    return "\n".join(every).encode()


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
