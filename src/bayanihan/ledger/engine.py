"""What the ledger asks of an engine: SQLite in one file, or PostgreSQL for several nodes.

The door, the writer, the pages and the checker know this contract and no engine. Rights,
numbering, the tree and the rules of identity are theirs and are written once; an engine
keeps rows, finds them, and commits all of a batch or none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from bayanihan.core.marking import Audience
from bayanihan.core.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, node_hash
from bayanihan.errors import Broken, Unavailable
from bayanihan.ledger.entry import Entry
from bayanihan.ledger.rows import HASH_SIZE_BYTES
from bayanihan.ledger.state import Documents
from bayanihan.ledger.store import Where

Row = tuple[Any, ...]
# What a page's rows hold: see `rows.BODY_COLUMNS` and `rows.ITEM_COLUMNS`.
Shape = Literal["bodies", "items"]


class Rights(NamedTuple):
    """What a viewer may see: audience ids, ascending, the same as JSON, and as a set.

    `red` are those among them whose reading is noted.
    """

    known: int
    ids: tuple[int, ...]
    listed: str
    allowed: frozenset[int]
    red: tuple[int, ...]


class Turn(NamedTuple):
    """Where the record stands, as an engine that several nodes write to says it."""

    position: int
    stamp_us: int
    peaks: tuple[bytes, ...]


class ConnectionLost(Unavailable):
    """The engine is away. `committing`: it went while a commit was under way."""

    def __init__(self, message: str, *, committing: bool = False) -> None:
        super().__init__("store-away", message, retry_after_s=2)
        self.committing = committing


class Fetched(Protocol):
    """Rows that are read as they are wanted."""

    def fetchmany(self, size: int, /) -> Sequence[Row]:
        """Up to `size` further rows."""
        ...


class Paging(Protocol):
    """The questions of `Pages`. Rows are in position order and never of an erased entry."""

    def walk(
        self, shape: Shape, rights: Rights, after: int, end: int, where: Where, limit: int
    ) -> Fetched:
        """Up to `limit` rows that may be seen among the positions after `after` up to `end`."""
        ...

    def picked(self, shape: Shape, positions: Sequence[int]) -> Fetched:
        """The rows at these positions."""
        ...

    def about(
        self, shape: Shape, positions: Sequence[int], rights: Rights, where: Where
    ) -> Fetched:
        """The rows at these positions that are of `where.object_id` and may be seen."""
        ...

    def newest_about(
        self, positions: Sequence[int], rights: Rights, where: Where, origin: str, limit: int
    ) -> list[Entry]:
        """The entries `about` an object, newest first; `origin` "" means anybody's."""
        ...

    def merged(
        self, places: Sequence[tuple[int, int, int]], after: int, end: int, limit: int
    ) -> Iterator[int]:
        """Positions of several (audience, kind, exercise), ascending, from the index alone.

        About `limit` are wanted.
        """
        ...

    def newest_seen(self, place: tuple[int, int, int], before: int, limit: int) -> list[int]:
        """Positions of one (audience, kind, exercise) below `before`, the newest first."""
        ...

    def newest_of(self, audience: int) -> int:
        """No entry of an audience stands beyond this position."""
        ...

    def by_others(self, positions: Sequence[int], person: str) -> list[int]:
        """Those of the positions whose author is somebody else."""
        ...


class Identities(Protocol):
    """Finds what a draft may repeat, and where an object's entries stand. See `identity.py`."""

    def key(
        self,
        kind: str,
        origin: str,
        object_id: str,
        audience: int,
        version_us: int | None,
        digest: bytes,
    ) -> int:
        """The identity of what is said to an interned audience."""
        ...

    def object_key(self, object_id: str) -> int:
        """The key of an object id."""
        ...

    def keys_of(self, entry: Entry) -> tuple[int, int]:
        """The identity and the object key of an entry that is not erased."""
        ...

    def add(self, key: int, object_key: int, position: int) -> None:
        """Enter one committed entry; positions are consecutive."""
        ...

    def positions(self, keys: list[int]) -> Mapping[int, list[int]]:
        """Where entries with these identities may stand; each must be checked by its row."""
        ...

    def of_object(self, object_id: str) -> list[int]:
        """Where entries about an object may stand, ascending; check each by its row."""
        ...

    def fill(self, store: Store) -> None:
        """Enter what the record holds beyond the indexes."""
        ...

    def forget_recent(self, entries: Sequence[Entry]) -> None:
        """Take erased entries, as they were, out of memory; on the adding thread alone."""
        ...

    def forget(self, entries: Sequence[Entry]) -> None:
        """Take erased entries, as they were, out of the files; after `forget_recent`."""
        ...

    def forget_positions(self, positions: Sequence[int]) -> None:
        """Take out what a crash kept `forget` from; at opening alone."""
        ...

    def close(self) -> None:
        """Write out what is in memory and let go of the files."""
        ...


class Store(Protocol):
    """Rows, tiles, audiences, documents and metadata.

    What is `inside` a transaction is called by the writer's thread alone.
    """

    @property
    def paging(self) -> Paging:
        """The questions of pages."""
        ...

    @property
    def documents(self) -> Documents:
        """The documents of state."""
        ...

    @property
    def name(self) -> str:
        """Which store it is, for messages; never with a password."""
        ...

    @property
    def now_us(self) -> Callable[[], int] | None:
        """The engine's own clock in UTC microseconds, where that is the one that counts."""
        ...

    @property
    def confirmed_s(self) -> float | None:
        """When, by the monotonic clock, this was last proved to be the record in force.

        None where this process writes alone: then there is no doubt.
        """
        ...

    def start(self, advance: Callable[[Turn], None]) -> None:
        """Begin what an engine does beside the writer.

        `advance` is told how far others have come, where others write.
        """
        ...

    def close(self) -> None:
        """Close everything."""
        ...

    def meta(self, name: str) -> bytes:
        """A fixed value of this ledger, such as its epoch."""
        ...

    def claim_meta(self, name: str, value: bytes) -> bytes:
        """Write a fixed value unless there is one; what stands now."""
        ...

    def set_meta(self, name: str, value: bytes) -> None:
        """Write a fixed value, durably, on a ledger that nobody else has open."""
        ...

    def identities(self, folder: Path, recent_limit: int | None) -> Identities:
        """The index of identities; `folder` holds what is local of it."""
        ...

    # writing

    def transaction(self) -> AbstractContextManager[Turn | None]:
        """One durable, all-or-nothing change.

        Where others write too, they wait meanwhile, and where they left off is given.

        Raises:
            ConnectionLost: when the engine is away; the commit is then in doubt, or is not.
        """
        ...

    def holds(self, position: int, leaf: bytes) -> bool:
        """Whether this very entry was committed: for a commit whose answer was lost."""
        ...

    def insert(self, rows: Sequence[Row], indexed: Sequence[tuple[int, int, int]] = ()) -> None:
        """Inside: add rows of `COLUMNS`, with (identity, object key, position) of each."""
        ...

    def erase(self, positions: Sequence[int]) -> None:
        """Inside: empty the erasable part of entries."""
        ...

    def put_tile(self, level: int, number: int, hashes: bytes) -> None:
        """Inside: store a tile, complete at level 0, at its present width above."""
        ...

    def insert_audience(self, number: int, audience: Audience) -> None:
        """Inside: intern an audience."""
        ...

    def keep_place(self, position: int, stamp_us: int, frontier: Frontier) -> None:
        """Inside: note where the record stands now, where others write too."""
        ...

    def settled(self, written_bytes: int) -> None:
        """Called between batches with what the last one wrote."""
        ...

    def swept(self, positions: Sequence[int], timeout_s: float) -> bool:
        """Remove what the engine still keeps of erased entries; whether that is done."""
        ...

    # reading

    def turn(self) -> Turn | None:
        """Where the record stands at this moment; None where this process writes alone."""
        ...

    def last(self) -> tuple[int, int]:
        """The highest position and its stamp; (0, 0) when the ledger is empty."""
        ...

    def entry(self, position: int) -> Entry | None:
        """The entry at a position, whoever may see it."""
        ...

    def body(self, position: int) -> bytes | None:
        """The exact bytes at a position, None when erased or absent."""
        ...

    def scan(
        self, after: int, limit: int, kinds: Iterable[str] = ()
    ) -> list[tuple[Entry, bytes | None]]:
        """Entries with bodies in order, whoever may see them: for projections and `verify`."""
        ...

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Every row of `COLUMNS` after a position, in order, a bounded part at a time."""
        ...

    def facts(self, after: int, limit: int) -> list[Row]:
        """Rows of `ENTRY_COLUMNS` after a position, in order, whoever may see them."""
        ...

    def row(self, position: int) -> Row | None:
        """One row of `COLUMNS`."""
        ...

    def newest_between(self, after: int, end: int) -> Mapping[int, int]:
        """Of each audience that has entries after `after` up to `end`: its newest position."""
        ...

    def erased(self) -> list[tuple[int, bytes]]:
        """Position and leaf of every erased entry."""
        ...

    def withdrawals(self) -> list[tuple[int, bytes]]:
        """Position and leaf of every withdrawal that is not erased."""
        ...

    def aged(self, audience: int, after: int, until: int, limit: int) -> list[int]:
        """Positions of an audience's objects after `after` up to `until`, ascending."""
        ...

    def position_at(self, stamp_us: int) -> int:
        """The last position stamped at or before `stamp_us`."""
        ...

    def audiences(self) -> list[Audience]:
        """Every audience there is; its id is its place in the list plus one."""
        ...

    def audiences_grew(self) -> None:
        """More audiences were committed."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile so far; the incomplete one of level 0 comes from the leaves."""
        ...

    def upper_tiles(self) -> dict[tuple[int, int], bytes]:
        """Every stored tile above level 0, by (level, number)."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """The root of the perfect subtree (level, index): `bayanihan.core.merkle.Node`."""
        ...

    def frontier(self) -> Frontier:
        """The tree's right edge, for the writer to go on from."""
        ...


def node_of(tile: Callable[[int, int], bytes], level: int, index: int) -> bytes:
    """The root of a perfect subtree from the tiles that hold its hashes.

    Raises `Broken("record-damaged")` where a tile is too narrow.
    """
    tile_level, rest = divmod(level, TILE_HEIGHT)
    first = index << rest
    number, offset = divmod(first, TILE_WIDTH)
    found = tile(tile_level, number)
    part = found[offset * HASH_SIZE_BYTES : (offset + (1 << rest)) * HASH_SIZE_BYTES]
    hashes = [part[at : at + HASH_SIZE_BYTES] for at in range(0, len(part), HASH_SIZE_BYTES)]
    if len(hashes) != 1 << rest:
        raise Broken("record-damaged", f"The tree lacks hashes at level {level}, {index}")
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [node_hash(left, right) for left, right in pairs]
    return hashes[0]
