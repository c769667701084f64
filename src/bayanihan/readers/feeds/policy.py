"""What may be blocked at all: the shipped never-block list, and a name for the rules."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.resources
from collections.abc import Iterable, Mapping

import msgspec

from bayanihan.core.feed_order import FeedOrder
from bayanihan.core.warning_lists import WarningLists
from bayanihan.readers.feeds.format import Format


def never_block_lines() -> list[str]:
    """The lines of the never-block list that is shipped."""
    place = importlib.resources.files("bayanihan.readers") / "never-block.txt"
    return place.read_text(encoding="utf-8").splitlines()


@functools.cache
def warning_lists() -> WarningLists:
    """The warning lists that are shipped, read once."""
    place = importlib.resources.files("bayanihan.readers") / "warning-lists.bin.gz"
    return WarningLists(gzip.decompress(place.read_bytes()))


def policy_digest(lines: Iterable[str], own_names: Iterable[str], version: str) -> str:
    """A name for the rules that decide what may be blocked.

    Args:
        lines: the never-block list.
        own_names: the hub's own names and addresses.
        version: of this software, whose formats may change with it.
    """
    text = msgspec.json.encode([list(lines), sorted(own_names), version])
    return hashlib.sha256(text).hexdigest()


def budgeted(formats: Mapping[str, Format], order: FeedOrder) -> dict[str, Format]:
    """The formats with an operator's change budget; an exercise's feed has that of the real one."""
    return {
        name: msgspec.structs.replace(
            each,
            per_hour=order.budgets.get(name, order.blocks_per_hour),
            per_place=order.per_prefix,
        )
        for name, each in formats.items()
    }
