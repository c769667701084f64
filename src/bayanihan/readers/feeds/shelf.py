"""Versions that are kept: the latest of each feed and class of rights, bounded by memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from bayanihan.readers.feeds.version import Rendered
from bayanihan.readers.feeds.whose import ANYBODY, Whose

KEPT_LIMIT = 1_024
KEPT_LIMIT_BYTES = 512 * 1024 * 1024


class Key(NamedTuple):
    """A feed, the audiences that its viewer sees, and whose policy counts."""

    feed: str
    rights: tuple[int, ...]
    whose: Whose = ANYBODY


class Shelf:
    """What was asked for longest ago goes first. The caller holds a lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Rendered] = OrderedDict()
        self._kept_bytes = 0

    def keys(self) -> AbstractSet[Key]:
        """What is kept."""
        return self._kept.keys()

    def get(self, key: Key) -> Rendered | None:
        """The version under a key, which is thereby asked for."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Key, made: Rendered) -> None:
        """Keep a version in place of the one before."""
        self.drop(key)
        self._kept[key] = made
        self._kept_bytes += made.kept_bytes
        while len(self._kept) > 1 and (
            len(self._kept) > KEPT_LIMIT or self._kept_bytes > KEPT_LIMIT_BYTES
        ):
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= dropped.kept_bytes

    def drop(self, key: Key) -> None:
        """Keep it no longer."""
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._kept_bytes -= dropped.kept_bytes
