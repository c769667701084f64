"""State: small documents that change, beside the ledger in the same store.

Not facts and not a projection: drafts, receipts, sessions, cursors of webhooks. Each has a
room, a key and a version that starts at 1; a `put` may insist on the version it read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec


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


def apply_changes(connection: sqlite3.Connection, changes: list[Change]) -> bool:
    """Write changes inside the writer's transaction: all of them or none."""
    for change in changes:
        if change.expected is None:
            continue
        row = connection.execute(
            "SELECT version FROM state WHERE room = ? AND key = ?", (change.room, change.key)
        ).fetchone()
        if (row[0] if row else 0) != change.expected:
            return False
    for change in changes:
        if change.value is None:
            connection.execute(
                "DELETE FROM state WHERE room = ? AND key = ?", (change.room, change.key)
            )
        else:
            connection.execute(
                "INSERT INTO state VALUES (?, ?, 1, ?) ON CONFLICT (room, key)"
                " DO UPDATE SET version = version + 1, value = excluded.value",
                (change.room, change.key, change.value),
            )
    return True


def note_once(connection: sqlite3.Connection, room: str, keys: Sequence[str], value: bytes) -> None:
    """Write a document under each key that has none yet; the others stay as they are."""
    connection.executemany(
        "INSERT INTO state VALUES (?, ?, 1, ?) ON CONFLICT (room, key) DO NOTHING",
        [(room, key, value) for key in keys],
    )


class State:
    """`StateContract` over SQLite: writes go through the one writer.

    Args:
        reading: gives this thread's reading connection.
        change: runs a function on the writing connection in the next batch, durably.
    """

    def __init__(
        self,
        reading: Callable[[], sqlite3.Connection],
        change: Callable[[Callable[[sqlite3.Connection], Any]], Any],
    ) -> None:
        self._reading = reading
        self._change = change

    def put(self, changes: list[Change]) -> bool:
        """See `StateContract`."""
        return bool(self._change(lambda connection: apply_changes(connection, changes)))

    def get(self, room: str, key: str) -> Document | None:
        """See `StateContract`."""
        row = (
            self._reading()
            .execute(
                "SELECT room, key, version, value FROM state WHERE room = ? AND key = ?",
                (room, key),
            )
            .fetchone()
        )
        return Document(*row) if row else None

    def list(
        self, room: str, prefix: str = "", after: str = "", limit: int = 100
    ) -> list[Document]:
        """See `StateContract`."""
        # A key that begins with the prefix sorts before the prefix with 0xFF after it,
        # as no UTF-8 text holds that byte.
        rows = self._reading().execute(
            "SELECT room, key, version, value FROM state WHERE room = ? AND key >= ?"
            " AND key > ? AND key < CAST(? AS TEXT) ORDER BY key LIMIT ?",
            (room, prefix, after, prefix.encode() + b"\xff", limit),
        )
        return [Document(*row) for row in rows]
