"""Documents of state in the SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

from bayanihan.ledger.state import REMOVED, Change, Document

_FIRST = "1 + coalesce((SELECT version FROM state WHERE room = '{}' AND key = '{}'), 0)"
_INSERT = f"INSERT INTO state VALUES (?, ?, {_FIRST.format(*REMOVED)}, ?) ON CONFLICT (room, key)"
_NOTE_REMOVED = (
    "INSERT INTO state SELECT '{}', '{}', version, x'' FROM state WHERE room = ? AND key = ?"
    " ON CONFLICT (room, key) DO UPDATE SET version = max(version, excluded.version)"
).format(*REMOVED)


class SqliteDocuments:
    """See `Documents`.

    Args:
        reading: gives this thread's reading connection.
        writing: gives the writing connection.
    """

    def __init__(
        self,
        reading: Callable[[], sqlite3.Connection],
        writing: Callable[[], sqlite3.Connection],
    ) -> None:
        self._reading = reading
        self._writing = writing

    def get(self, room: str, key: str) -> Document | None:
        """See `Documents`."""
        find = "SELECT room, key, version, value FROM state WHERE room = ? AND key = ?"
        row = self._reading().execute(find, (room, key)).fetchone()
        return Document(*row) if row else None

    def list(self, room: str, prefix: str, after: str, limit: int) -> list[Document]:
        """See `Documents`."""
        # A key that begins with the prefix sorts before the prefix with 0xFF after it,
        # as no UTF-8 text holds that byte.
        rows = self._reading().execute(
            "SELECT room, key, version, value FROM state WHERE room = ? AND key >= ?"
            " AND key > ? AND key < CAST(? AS TEXT) ORDER BY key LIMIT ?",
            (room, prefix, after, prefix.encode() + b"\xff", limit),
        )
        return [Document(*row) for row in rows]

    def all(self) -> Iterator[Document]:
        """See `Documents`."""
        find = "SELECT room, key, version, value FROM state ORDER BY room, key"
        for row in self._reading().execute(find):
            yield Document(*row)

    def apply(self, changes: Sequence[Change]) -> bool:
        """See `Documents`."""
        connection = self._writing()
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
                place = (change.room, change.key)
                connection.execute(_NOTE_REMOVED, place)
                connection.execute("DELETE FROM state WHERE room = ? AND key = ?", place)
            else:
                connection.execute(
                    f"{_INSERT} DO UPDATE SET version = version + 1, value = excluded.value",
                    (change.room, change.key, change.value),
                )
        return True

    def replace(self, documents: Iterable[Document]) -> None:
        """See `Documents`."""
        connection = self._writing()
        connection.execute("DELETE FROM state")
        connection.executemany(
            "INSERT INTO state VALUES (?, ?, ?, ?)",
            [(each.room, each.key, each.version, each.value) for each in documents],
        )

    def note_once(self, room: str, keys: Sequence[str], value: bytes) -> None:
        """See `Documents`."""
        self._writing().executemany(
            f"{_INSERT} DO NOTHING",
            [(room, key, value) for key in keys],
        )
