"""State: small documents that change, beside the ledger in the same store.

Not facts and not a projection: drafts, receipts, sessions, cursors of webhooks. Each has a
room, a key and a version that only grows, also when it was removed and is put again; a `put`
may insist on the version it read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

# The document whose version is the highest that any removed one had; a new one begins above it.
REMOVED = ("", "removed")


class Document(msgspec.Struct, frozen=True):
    """One document of state. `value` is JSON."""

    room: str
    key: str
    version: int
    value: bytes


class Change(msgspec.Struct, frozen=True):
    """One document to write; `value` None removes it. `expected` None means whatever."""

    room: str
    key: str
    value: bytes | None
    expected: int | None = None


class Documents(Protocol):
    """Documents as an engine keeps them. `apply` and `note_once` are inside a transaction."""

    def get(self, room: str, key: str) -> Document | None:
        """The document, or None."""
        ...

    def list(self, room: str, prefix: str, after: str, limit: int) -> list[Document]:
        """Documents of a room in key order whose key has the prefix and follows `after`."""
        ...

    def all(self) -> Iterator[Document]:
        """Every document, in order of room and key."""
        ...

    def apply(self, changes: Sequence[Change]) -> bool:
        """Write changes: all of them, or none when an expected version is stale."""
        ...

    def replace(self, documents: Iterable[Document]) -> None:
        """Inside: hold these documents, with their versions, and no others."""
        ...

    def note_once(self, room: str, keys: Sequence[str], value: bytes) -> None:
        """Write a document under each key that has none yet; the others stay as they are."""
        ...


class StateContract(Protocol):
    """`put`, `get`, `list` by room and key: durable when `put` returns."""

    def put(self, changes: list[Change]) -> bool:
        """Write all changes or, when an expected version is stale, none: then False."""
        ...

    def get(self, room: str, key: str) -> Document | None:
        """The document, or None."""
        ...

    def list(self, room: str, prefix: str, after: str, limit: int) -> list[Document]:
        """Documents of a room in key order whose key has the prefix and follows `after`."""
        ...


def apply_changes(documents: Documents, changes: Sequence[Change]) -> bool:
    """Write changes inside the writer's transaction: all of them or none."""
    return documents.apply(changes)


class State:
    """`StateContract` over an engine: writes go through the one writer.

    Args:
        documents: where they are.
        change: runs a function on the documents in the next batch, durably.
    """

    def __init__(
        self,
        documents: Documents,
        change: Callable[[Callable[[Documents], Any]], Any],
    ) -> None:
        self._documents = documents
        self._change = change

    def put(self, changes: list[Change]) -> bool:
        """See `StateContract`."""
        return bool(self._change(lambda documents: documents.apply(changes)))

    def get(self, room: str, key: str) -> Document | None:
        """See `StateContract`."""
        # PostgreSQL has no text with a zero in it, so nothing is kept under such a key.
        return None if "\0" in key else self._documents.get(room, key)

    def list(
        self, room: str, prefix: str = "", after: str = "", limit: int = 100
    ) -> list[Document]:
        """See `StateContract`."""
        if "\0" in prefix:
            return []
        return self._documents.list(room, prefix, after.partition("\0")[0], limit)
