"""A draft of a version: made, and not yet examined by the engine that will load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bayanihan.core import feed_delta
from bayanihan.core.feed_delta import Parts
from bayanihan.core.marking import strictest
from bayanihan.readers.feeds.format import Format, Heading, Item, lines_of
from bayanihan.readers.feeds.parted import LeftOut, Parted
from bayanihan.readers.feeds.stock import Stock


class Draft(msgspec.Struct, frozen=True):
    """A file, or a folder of files, with what it was made from."""

    format: Format
    heading: Heading
    items: Sequence[Item]
    body: bytes
    pages: dict[str, bytes]
    parts: Parts | None
    head_lines: int
    tail_lines: int
    position: int
    boundary_us: int
    next_change_us: int
    held: tuple[LeftOut, ...]
    not_expressed: tuple[LeftOut, ...]

    def only(self, items: Sequence[Item]) -> Draft:
        """The draft with some of its items alone, for the search of what is wrong."""
        lines = lines_of(self.format, items, self.heading.hub).lines
        made = _files(self.format, items, lines, self.heading)
        return msgspec.structs.replace(self, items=items, body=made[0], pages=made[1])


def drafted(
    format_: Format,
    stock: Stock,
    *,
    exercise: bool,
    poison: Mapping[tuple[str, str], str],
    feed: str,
    hub: str,
    cursor: str,
    tag: str,
) -> Draft:
    """The draft of a feed from a stock.

    Args:
        format_: the feed's.
        stock: what the viewer's rights may carry.
        exercise: whether it is the exercise's.
        poison: what the engine refused before.
        feed: the name that it is served under.
        hub: the hub's name.
        cursor: the sealed position.
        tag: an opaque name for this very content.
    """
    parted = Parted(format_, stock, poison)
    together = lines_of(format_, parted.inside, hub)
    for item, why in together.refused:
        parted.drop(item, why)
    heading = Heading(
        feed=feed,
        exercise=exercise,
        level=strictest({item.level for item in parted.inside} or {"clear"}),
        cursor=cursor,
        version=tag,
        changed_us=stock.changed_us,
        items=len(parted.inside),
        held=parted.held_total,
        not_expressed=parted.not_expressed_total,
        hub=hub,
    )
    body, pages, parts = _files(format_, parted.inside, together.lines, heading)
    return Draft(
        format=format_,
        heading=heading,
        items=parted.inside,
        body=body,
        pages=pages,
        parts=parts,
        head_lines=parts.head.count(b"\n") if parts else 0,
        tail_lines=parts.tail.count(b"\n") if parts else 0,
        position=stock.position,
        boundary_us=stock.boundary_us,
        next_change_us=stock.next_change_us,
        held=tuple(parted.held),
        not_expressed=tuple(parted.not_expressed),
    )


def _files(
    format_: Format, items: Sequence[Item], lines: Sequence[str], heading: Heading
) -> tuple[bytes, dict[str, bytes], Parts | None]:
    """The file, the other files of its folder, and its parts where changes can be told."""
    if format_.pages is not None:
        pages = format_.pages(items, heading)
        return pages.pop(format_.name), pages, None
    ordered = sorted(set(lines))
    if format_.single:
        parts = feed_delta.parts(format_.head(heading), ordered, format_.tail(heading))
        return parts.body(), {}, parts
    every = [*format_.head(heading), *ordered, *format_.tail(heading), ""]
    return "\n".join(every).encode(), {}, None
