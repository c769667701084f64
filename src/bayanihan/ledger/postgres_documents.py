"""Documents of state in the PostgreSQL store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bayanihan.ledger.postgres_paging import Ask
from bayanihan.ledger.state import REMOVED, Change, Document

_COLUMNS = "room, key, version, value"
_AT_ONCE = 1_000
_FIRST = "1 + coalesce((SELECT version FROM state WHERE room = '{}' AND key = '{}'), 0)"
_INSERT = (
    f"INSERT INTO state VALUES (%s, %s, {_FIRST.format(*REMOVED)}, %s) ON CONFLICT (room, key)"
)
_NOTE_REMOVED = (
    "INSERT INTO state SELECT '{}', '{}', version, '' FROM state WHERE room = %s AND key = %s"
    " ON CONFLICT (room, key) DO UPDATE SET version = greatest(state.version, excluded.version)"
).format(*REMOVED)


class PostgresDocuments:
    """See `Documents`.

    Args:
        ask: the rows that a question answers with.
        writing: gives the connection of the transaction under way.
    """

    def __init__(self, ask: Ask, writing: Callable[[], Any]) -> None:
        self._ask = ask
        self._writing = writing

    def get(self, room: str, key: str) -> Document | None:
        """See `Documents`."""
        find = f"SELECT {_COLUMNS} FROM state WHERE room = %s AND key = %s"
        rows = self._ask(find, (room, key))
        return Document(*rows[0]) if rows else None

    def list(self, room: str, prefix: str, after: str, limit: int) -> list[Document]:
        """See `Documents`."""
        found: list[Document] = []
        start, inclusive = max(prefix, after), prefix > after
        while len(found) < limit:
            rows = self._ask(
                f"SELECT {_COLUMNS} FROM state WHERE room = %s"
                f" AND key {'>=' if inclusive else '>'} %s ORDER BY key LIMIT %s",
                (room, start, limit - len(found)),
            )
            some = [Document(*row) for row in rows if row[1].startswith(prefix)]
            found += some
            if len(some) < len(rows) or not rows:  # keys with one prefix stand together
                break
            start, inclusive = rows[-1][1], False
        return found

    def all(self) -> Iterator[Document]:
        """See `Documents`."""
        room, key = "", ""
        while rows := self._ask(
            f"SELECT {_COLUMNS} FROM state WHERE (room, key) > (%s, %s)"
            " ORDER BY room, key LIMIT %s",
            (room, key, _AT_ONCE),
        ):
            yield from (Document(*row) for row in rows)
            room, key = rows[-1][0], rows[-1][1]

    def apply(self, changes: Sequence[Change]) -> bool:
        """See `Documents`."""
        link = self._writing()
        for change in changes:
            if change.expected is None:
                continue
            row = link.execute(
                "SELECT version FROM state WHERE room = %s AND key = %s", (change.room, change.key)
            ).fetchone()
            if (row[0] if row else 0) != change.expected:
                return False
        with link.pipeline():
            for change in changes:
                if change.value is None:
                    place = (change.room, change.key)
                    link.execute(_NOTE_REMOVED, place)
                    link.execute("DELETE FROM state WHERE room = %s AND key = %s", place)
                else:
                    link.execute(
                        f"{_INSERT} DO UPDATE SET version = state.version + 1,"
                        " value = excluded.value",
                        (change.room, change.key, change.value),
                    )
        return True

    def replace(self, documents: Iterable[Document]) -> None:
        """See `Documents`."""
        self._writing().execute("DELETE FROM state")
        with self._writing().cursor() as cursor:
            cursor.executemany(
                "INSERT INTO state VALUES (%s, %s, %s, %s)",
                [(each.room, each.key, each.version, each.value) for each in documents],
            )

    def note_once(self, room: str, keys: Sequence[str], value: bytes) -> None:
        """See `Documents`."""
        with self._writing().cursor() as cursor:
            cursor.executemany(
                f"{_INSERT} DO NOTHING",
                [(room, key, value) for key in keys],
            )
