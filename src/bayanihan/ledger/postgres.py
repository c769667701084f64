"""The PostgreSQL store: one ledger for several nodes, numbered under one lock a batch.

The row of `place` holds the last position, its stamp and the tree's right edge. Whoever
writes locks it first, so positions become visible in the order in which they were given
and a reader who has seen one has missed none before it. Nothing else is serialised.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core.marking import Audience
from bayanihan.core.merkle import TILE_WIDTH, Frontier
from bayanihan.errors import Broken
from bayanihan.ledger.engine import ConnectionLost, Row, Turn, node_of
from bayanihan.ledger.entry import KINDS, Entry
from bayanihan.ledger.postgres_documents import PostgresDocuments
from bayanihan.ledger.postgres_identity import PostgresIdentity, signed
from bayanihan.ledger.postgres_link import RETRY_EVERY_S, Links, explain_postgres
from bayanihan.ledger.postgres_nodes import ALIVE, Nodes
from bayanihan.ledger.postgres_paging import PART_SIZE_BYTES, PostgresPaging, bounded
from bayanihan.ledger.postgres_schema import (
    PARTITION_ROWS,
    add_partition,
    check_version,
    make_tables,
)
from bayanihan.ledger.rows import COLUMNS, ENTRY_COLUMNS, HASH_SIZE_BYTES, entry_of

logger = logging.getLogger(__name__)

WRITE_WITHIN_S = 15.0
# Whoever asks how far the record has come is a request that waits.
ASKED_WITHIN_S = 2.0
_NEVER = float("-inf")
_ROWS_AT_ONCE = 1_000
# From so many rows on COPY beats statements that are sent together.
_COPY_FROM = 8
_TYPES = (
    "int8 int8 int2 int4 int2 bytea text text text text int8 bytea bytea bytea int4 bytea int8 int8"
).split()
_COPY = f"COPY entries ({COLUMNS}, same_key, object_key) FROM STDIN (FORMAT BINARY)"
_INSERT = (
    f"INSERT INTO entries ({COLUMNS}, same_key, object_key)"
    f" VALUES ({', '.join(['%s'] * len(_TYPES))})"
)
_ERASE = (
    "UPDATE entries SET author = NULL, origin = NULL, collection = NULL, object_id = NULL,"
    " version = NULL, original = NULL, salt = NULL, digest = NULL, size = 0, body = NULL,"
    " same_key = NULL, object_key = NULL WHERE position = ANY(%s)"
)
_EPOCH = "SELECT value FROM meta WHERE name = 'epoch'"
_PLACE = f"SELECT position, stamp, peaks, partitions, ({_EPOCH}) FROM place"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8"
_TURN = f"SELECT position, stamp, peaks, ({_NOW}), ({_EPOCH}) FROM place"


class PostgresStore:
    """Rows, tiles, audiences and metadata in the schema `bayanihan` of one database.

    Args:
        address: `postgresql://…`, with several hosts where there are standbys.
        read_only: for `verify`: nothing is made or changed, and a standby will do.
        steady_us: a clock that nobody sets, in microseconds.
        partition_rows: positions of one partition, in a database that is new.

    Raises:
        Refused: `bad-setting` for an address or a server that cannot be used.
        ConnectionLost: when no server answers.
        Broken: `data-newer` when a later version of this software made the tables.
    """

    def __init__(
        self,
        address: str,
        *,
        read_only: bool = False,
        steady_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        partition_rows: int = PARTITION_ROWS,
    ) -> None:
        self._links = Links(address, read_only=read_only)
        self._read_only = read_only
        self._steady_us = steady_us
        self._offset_us = 0
        self._partition_rows = 0
        self._partitions = 0
        self._writing: Any = None
        self._warned = False
        self._epoch = b""
        self._pending: list[tuple[str, Sequence[Any]]] = []
        self._nodes: Nodes | None = None
        self._audiences: list[Audience] = []
        self._audiences_grown, self._audiences_read = 1, 0
        self._audiences_lock = threading.Lock()
        self.documents = PostgresDocuments(self.ask, lambda: self._writing)
        self.paging = PostgresPaging(self.ask)
        try:
            self._links.check_server()
            if not read_only:
                self._links.ask(partial(make_tables, partition_rows=partition_rows))
            check_version(self.meta("schema"), self.name)
            self._partition_rows = int(self.meta("partition-rows"))
            self._epoch = self.meta("epoch")
            self.turn()
        except BaseException:
            self._links.close()
            raise

    @property
    def name(self) -> str:
        """The address without user and password."""
        return self._links.name

    def now_us(self) -> int:
        """The database's clock, as last asked, carried on by the steady one."""
        return self._steady_us() + self._offset_us

    @property
    def confirmed_s(self) -> float | None:
        """When, by the monotonic clock, the database last proved to be the one in force."""
        return self._nodes.confirmed_s if self._nodes else _NEVER

    def start(self, advance: Callable[[Turn], None]) -> None:
        """Begin to listen for what other nodes commit, and to say that this one lives."""

        def look() -> None:
            if turn := self.turn():
                advance(turn)

        self._nodes = Nodes(self._links, look)
        self._nodes.start()

    def close(self) -> None:
        """Close every connection."""
        if self._nodes:
            self._nodes.stop()
        self._drop()
        self._links.close()

    def ask(self, question: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows that a question answers with. See `Links.ask`."""
        rows: list[Row] = self._links.ask(lambda link: link.execute(question, values).fetchall())
        return rows

    def _meta(self, name: str) -> bytes:
        rows = self.ask("SELECT value FROM meta WHERE name = %s", (name,))
        return bytes(rows[0][0]) if rows else b""

    def meta(self, name: str) -> bytes:
        """A fixed value of this ledger, such as its epoch."""
        value = self._meta(name)
        if not value:
            raise Broken("record-damaged", f"The ledger in {self.name} has no {name}")
        return value

    def set_meta(self, name: str, value: bytes) -> None:
        """Write a fixed value, durably. The same again changes nothing."""
        write = (
            "INSERT INTO meta VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self._links.ask(lambda link: link.execute(write, (name, value)))
        if name == "epoch":
            self._epoch = value

    def nodes(self) -> list[str]:
        """The nodes that serve this ledger now, as far as the database knows."""
        return [name for (name,) in self.ask(ALIVE)]

    def _check_epoch(self, epoch: bytes) -> None:
        """Raises `Broken("history-lost")` where somebody began a new history."""
        if epoch != self._epoch:
            raise Broken(
                "history-lost",
                f"The ledger in {self.name} has begun a new history",
                next_step="Start this node again.",
            )

    def claim_meta(self, name: str, value: bytes) -> bytes:
        """Write a fixed value unless another node was quicker; what stands now."""
        write = "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
        self._links.ask(lambda link: link.execute(write, (name, value)))
        return self.meta(name)

    def identities(self, folder: Path, recent_limit: int | None) -> PostgresIdentity:
        """The index of identities is the database's: every node asks the same one."""
        return PostgresIdentity(self.meta("identity-key"), self.ask)

    # writing

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Turn | None]:
        """One durable, all-or-nothing change, while every other node waits."""
        turn = self._begin()
        committing = False
        try:
            yield turn
            committing = True
            self._commit()
        except Exception as error:
            explained = explain_postgres(error, self.name)
            if isinstance(explained, ConnectionLost):
                self._drop()
                raise ConnectionLost(explained.message, committing=committing) from error
            self._roll_back()
            raise explained or error from error
        finally:
            self._pending.clear()

    def _begin(self) -> Turn:
        until_s = time.monotonic() + WRITE_WITHIN_S
        while True:
            try:
                if self._writing is None:
                    self._writing = self._links.connect()
                    self._writing.add_notice_handler(self._noticed)
                with self._writing.pipeline():
                    self._writing.execute("BEGIN")
                    place = self._writing.execute(f"{_PLACE} FOR UPDATE")
                    clock = self._writing.execute(_NOW)
                self._set_clock(clock.fetchone()[0], self._steady_us())
                position, stamp_us, peaks, self._partitions, epoch = place.fetchone()
                self._check_epoch(epoch)
                return _turn(position, stamp_us, peaks)
            except Exception as error:
                self._drop()
                explained = explain_postgres(error, self.name)
                if not isinstance(explained, ConnectionLost):
                    raise explained or error from error
                if time.monotonic() > until_s:
                    raise explained from error
            time.sleep(RETRY_EVERY_S)

    def _commit(self) -> None:
        """Send what is pending with the commit, in one round trip.

        Raises `ConnectionLost` also where the commit stands here and may be on no standby:
        an administrator who breaks off that wait leaves nothing but a warning.
        """
        self._warned = False
        with self._writing.pipeline():
            for statement, values in self._pending:
                self._writing.execute(statement, values)
            self._writing.execute("COMMIT")
        if self._warned:
            self._drop()
            raise ConnectionLost("A commit may not have reached a standby", committing=True)

    def _noticed(self, notice: Any) -> None:
        if notice.severity_nonlocalized == "WARNING":
            logger.warning("the database warns: %s", notice.message_primary)
            self._warned = True

    def _roll_back(self) -> None:
        with contextlib.suppress(Exception):
            self._writing.execute("ROLLBACK")
            return
        self._drop()

    def _drop(self) -> None:
        if self._writing is not None:
            with contextlib.suppress(Exception):
                self._writing.close()
        self._writing = None

    def holds(self, position: int, leaf: bytes) -> bool:
        """Whether this very entry was committed, and is on a standby where there are any.

        It is asked under the lock, so no commit is still under way; and the answer waits
        for a commit of its own, before which no standby can acknowledge what follows it.
        """
        with self.transaction():
            found = self._writing.execute(
                "SELECT 1 FROM entries WHERE position = %s AND leaf = %s", (position, leaf)
            ).fetchone()
            self._pending.append(("UPDATE place SET stamp = stamp", ()))
        return found is not None

    def insert(self, rows: Sequence[Row], indexed: Sequence[tuple[int, int, int]] = ()) -> None:
        """Add rows of `COLUMNS` with their identity and object keys."""
        if not rows:
            return
        while rows[-1][0] > self._partitions * self._partition_rows:
            add_partition(self._writing, self._partitions, self._partition_rows)
            self._partitions += 1
        whole = (
            (*row, signed(key), signed(object_key))
            for row, (key, object_key, _) in zip(rows, indexed, strict=True)
        )
        if len(rows) < _COPY_FROM:
            self._pending += [(_INSERT, row) for row in whole]
            return
        with self._writing.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in whole:
                copy.write_row(row)

    def erase(self, positions: Sequence[int]) -> None:
        """Empty the erasable part of entries, with what they are found by."""
        self._pending.append((_ERASE, (list(positions),)))

    def put_tile(self, level: int, number: int, hashes: bytes) -> None:
        """Store a tile: complete at level 0, at its present width above."""
        write = (
            "INSERT INTO tiles VALUES (%s, %s, %s)"
            " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"
        )
        self._pending.append((write, (level, number, hashes)))

    def insert_audience(self, number: int, audience: Audience) -> None:
        """Intern an audience."""
        definition = msgspec.json.encode(audience)
        self._pending.append(("INSERT INTO audiences VALUES (%s, %s)", (number, definition)))

    def keep_place(self, position: int, stamp_us: int, frontier: Frontier) -> None:
        """Note where the record stands now, and wake whoever listens."""
        write = "UPDATE place SET position = %s, stamp = %s, peaks = %s, partitions = %s"
        values = (position, stamp_us, b"".join(frontier.peaks), self._partitions)
        self._pending += [(write, values), ("SELECT pg_notify('bayanihan', '')", ())]

    def settled(self, written_bytes: int) -> None:
        """Nothing: the server keeps its log by itself."""

    def swept(self, positions: Sequence[int], timeout_s: float) -> bool:
        """Nothing: each erasure makes the server clean up after it within minutes.

        See docs/how-to/postgres.md for what its files keep until then, and after.
        """
        return True

    # reading

    def turn(self) -> Turn | None:
        """Where the record stands at this moment."""
        began_us = self._steady_us()
        row = self._links.ask(lambda link: link.execute(_TURN).fetchone(), ASKED_WITHIN_S)
        position, stamp_us, peaks, clock_us, epoch = row
        self._check_epoch(epoch)
        self._set_clock(clock_us, (began_us + self._steady_us()) // 2)
        return _turn(position, stamp_us, peaks)

    def _set_clock(self, clock_us: int, at_us: int) -> None:
        self._offset_us = clock_us - at_us

    def last(self) -> tuple[int, int]:
        """The highest position and its stamp; (0, 0) when the ledger is empty."""
        row = self.ask("SELECT position, stamp FROM place")[0]
        return row[0], row[1]

    def entry(self, position: int) -> Entry | None:
        """The entry at a position, whoever may see it."""
        rows = self.ask(f"SELECT {ENTRY_COLUMNS} FROM entries WHERE position = %s", (position,))
        return entry_of(rows[0]) if rows else None

    def body(self, position: int) -> bytes | None:
        """The exact bytes at a position, None when erased or absent."""
        rows = self.ask("SELECT body FROM entries WHERE position = %s", (position,))
        return rows[0][0] if rows else None

    def scan(
        self, after: int, limit: int, kinds: Iterable[str] = ()
    ) -> list[tuple[Entry, bytes | None]]:
        """Entries with bodies in order, whoever may see them: for projections and `verify`."""
        chosen = ",".join(str(KINDS.index(kind)) for kind in kinds)
        only = f"AND kind IN ({chosen})" if chosen else ""
        rows = self.ask(
            f"SELECT {ENTRY_COLUMNS}, body FROM entries WHERE position > %s {only}"
            " ORDER BY position LIMIT %s",
            (after, limit),
        )
        return [(entry_of(row), row[14]) for row in rows]

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Every row of `COLUMNS` after a position, in order, a bounded part at a time."""
        question = bounded(COLUMNS, "position > %s", "%s")
        while some := self.ask(question, (after, _ROWS_AT_ONCE, PART_SIZE_BYTES)):
            yield from some
            after = some[-1][0]

    def facts(self, after: int, limit: int) -> list[Row]:
        """Rows of `ENTRY_COLUMNS` after a position, in order, whoever may see them."""
        find = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE position > %s ORDER BY position LIMIT %s"
        return self.ask(find, (after, limit))

    def row(self, position: int) -> Row | None:
        """One row of `COLUMNS`."""
        rows = self.ask(f"SELECT {COLUMNS} FROM entries WHERE position = %s", (position,))
        return rows[0] if rows else None

    def newest_between(self, after: int, end: int) -> Mapping[int, int]:
        """Of each audience that has entries after `after` up to `end`: its newest position."""
        rows = self.ask(
            "SELECT audience, max(position) FROM entries WHERE position > %s AND position <= %s"
            " GROUP BY audience",
            (after, end),
        )
        return dict(rows)

    def erased(self) -> list[tuple[int, bytes]]:
        """Position and leaf of every erased entry."""
        rows = self.ask("SELECT position, leaf FROM entries WHERE author IS NULL")
        return [(position, leaf) for position, leaf in rows]

    def withdrawals(self) -> list[tuple[int, bytes]]:
        """Position and leaf of every withdrawal that is not erased."""
        find = "SELECT position, leaf FROM entries WHERE kind = 1 AND author IS NOT NULL"
        return [(position, leaf) for position, leaf in self.ask(find)]

    def aged(self, audience: int, after: int, until: int, limit: int) -> list[int]:
        """Positions of an audience's objects after `after` up to `until`, ascending."""
        rows = self.ask(
            "SELECT position FROM entries WHERE audience = %s AND kind = 0 AND position > %s"
            " AND position <= %s AND author IS NOT NULL ORDER BY position LIMIT %s",
            (audience, after, until, limit),
        )
        return [position for (position,) in rows]

    def position_at(self, stamp_us: int) -> int:
        """The last position stamped at or before `stamp_us`, by bisection over positions."""
        low, high = 0, self.last()[0]
        while low < high:
            middle = (low + high + 1) // 2
            rows = self.ask("SELECT stamp FROM entries WHERE position = %s", (middle,))
            if not rows:
                raise Broken("record-damaged", f"Position {middle} is missing")
            low, high = (middle, high) if rows[0][0] <= stamp_us else (low, middle - 1)
        return low

    def audiences(self) -> list[Audience]:
        """Every audience there is; kept in memory until somebody commits more."""
        if self._read_only or self._audiences_read != self._audiences_grown:
            with self._audiences_lock:
                grown = self._audiences_grown
                rows = self.ask(
                    "SELECT definition FROM audiences WHERE id > %s ORDER BY id",
                    (len(self._audiences),),
                )
                more = [msgspec.json.decode(row[0], type=Audience) for row in rows]
                self._audiences = self._audiences + more
                self._audiences_read = grown  # last: until then all others wait for it
        return self._audiences

    def audiences_grew(self) -> None:
        """More audiences were committed, here or by another node."""
        self._audiences_grown += 1

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile so far; the incomplete one of level 0 comes from the leaves."""
        find = "SELECT hashes FROM tiles WHERE level = %s AND number = %s"
        if rows := self.ask(find, (level, number)):
            return bytes(rows[0][0])
        if level:
            return b""
        first = number * TILE_WIDTH
        leaves = self.ask(
            "SELECT leaf FROM entries WHERE position > %s AND position <= %s ORDER BY position",
            (first, first + TILE_WIDTH),
        )
        return b"".join(leaf for (leaf,) in leaves)

    def upper_tiles(self) -> dict[tuple[int, int], bytes]:
        """Every stored tile above level 0, by (level, number)."""
        rows = self.ask("SELECT level, number, hashes FROM tiles WHERE level > 0")
        return {(level, number): hashes for level, number, hashes in rows}

    def node(self, level: int, index: int) -> bytes:
        """The root of the perfect subtree (level, index): `bayanihan.core.merkle.Node`."""
        return node_of(self.tile, level, index)

    def frontier(self) -> Frontier:
        """The tree's right edge, as the last batch left it."""
        turn = self.turn()
        assert turn is not None
        return Frontier(turn.position, turn.peaks)


def _turn(position: int, stamp_us: int, peaks: bytes) -> Turn:
    parts = [peaks[at : at + HASH_SIZE_BYTES] for at in range(0, len(peaks), HASH_SIZE_BYTES)]
    return Turn(position, stamp_us, tuple(parts))
