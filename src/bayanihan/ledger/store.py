"""The ledger's contract, in words: six verbs that every room relies on.

`append(drafts) -> outcomes`
    Durable when it returns. All or nothing over its drafts. Concurrent callers are
    batched. Each draft is accepted, a duplicate, or a conflict; the last two are judged
    only against entries of the same origin in the same audience. `unless_after` is for who
    judged first and writes then: where an object of the drafts has an entry after that
    position, all are refused as `conflict`. It is looked up where positions are given, so it
    holds for all nodes.
`read(viewer, after, limit, where) -> page`
    Only what the viewer may see, in position order, never skipping an entry that commits
    later. Authorisation lives here, so that no exit can forget it. Costs O(limit), or less
    where the viewer has nothing new. `after` beyond the record is refused as `reset`.
    `read_bodies` is the same page with bodies and stamps alone.
`body(viewer, position) -> bytes`
    The exact bytes that were submitted, or `erased`, or `not-found`: an entry that the
    viewer may not see is indistinguishable from one that does not exist.
`wait(after, timeout_s) -> position`
    Returns as soon as the ledger is longer than `after`, or at the time-out.
`erase(viewer, object_id, reason)`
    Removes the erasable part of every version and re-share that the viewer's origin
    published and that the viewer may see, appends `erased` to each audience that had one.
    When it returns, no byte of them is left in the file, its write-ahead log or the indexes.
    What a colleague published to persons alone stays, and is `not-found` as if absent.
`head()`, `prove(position, size)`, `extend(old, new)`
    The tree's size and root, an inclusion proof and a consistency proof (RFC 9162).

Beside them stands `state`, a smaller contract for documents that change: see `state.py`.
Projections and the checker read through `scan`, which sees everything and is not handed
to any exit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.ledger.entry import Appended, Draft, Entry


class Where(msgspec.Struct, frozen=True):
    """What a reader asks for, beside what they may see.

    `kinds` is never empty. `object_id` limits to one object. `exercise` None means both:
    only for exits that mark each entry, as the stream and the console do. `until` is the
    last position asked for; None is the record's end.
    """

    kinds: tuple[str, ...] = ("object",)
    object_id: str = ""
    exercise: bool | None = None
    until: int | None = None


class Item(msgspec.Struct, frozen=True):
    """An entry with its exact bytes; `body` is empty for an erased entry."""

    entry: Entry
    body: bytes


class Page(msgspec.Struct, frozen=True):
    """Items in position order. `last` is the position to go on after; `more` says whether."""

    items: tuple[Item, ...]
    last: int
    more: bool


class BodyPage(msgspec.Struct, frozen=True):
    """A page for the bulk exits, in order: the position, exact bytes, stamp and kind of each.

    `red` are the positions of those among them whose reading is noted.
    """

    positions: tuple[int, ...]
    bodies: tuple[bytes, ...]
    stamps: tuple[int, ...]
    kinds: tuple[str, ...]
    red: tuple[int, ...]
    last: int
    more: bool


class Head(msgspec.Struct, frozen=True):
    """The tree: how many leaves, and the root over them."""

    size: int
    root: bytes


class LedgerContract(Protocol):
    """The six verbs. See the module's text for what each promises."""

    def append(self, drafts: Sequence[Draft], *, unless_after: int | None = None) -> list[Appended]:
        """Commit drafts; blocks until they are durable."""
        ...

    def read(self, viewer: Viewer, after: int, limit: int, where: Where = ...) -> Page:
        """A page of what `viewer` may see."""
        ...

    def read_bodies(self, viewer: Viewer, after: int, limit: int, where: Where = ...) -> BodyPage:
        """The same page as bodies and stamps."""
        ...

    def body(self, viewer: Viewer, position: int) -> bytes:
        """The exact bytes of one entry."""
        ...

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until the ledger is longer than `after`."""
        ...

    def erase(self, viewer: Viewer, object_id: str, reason: str) -> list[int]:
        """Erase every entry of an object; the positions erased."""
        ...

    def head(self) -> Head:
        """Size and root."""
        ...

    def prove(self, position: int, size: int) -> list[bytes]:
        """The inclusion path of a position in the tree of `size`."""
        ...

    def extend(self, old: int, new: int) -> list[bytes]:
        """The consistency path between two sizes."""
        ...
