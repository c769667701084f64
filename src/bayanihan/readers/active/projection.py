"""The projection itself: folded by one thread, read by any."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from bayanihan.core import moment
from bayanihan.core.observables import Observable
from bayanihan.ledger import Entry, Projection
from bayanihan.readers.active.indicator import told
from bayanihan.readers.active.pace import SCHEMA as PACE
from bayanihan.readers.active.reading import Reading
from bayanihan.readers.active.sightings import keep, read_seen
from bayanihan.readers.active.tellers import read_identifiers, read_tellers
from bayanihan.readers.active.touched import Touched
from bayanihan.readers.active.versions import SCHEMA, Batch
from bayanihan.readers.active.view import (
    ActiveItem,
    Snapshot,
    Standing,
    View,
    read_named,
    read_view,
    standings,
)

_PREFIX = "indicator--"
_SIGHTING = "sighting--"
_EVERY_VERSION = (1 << 63) - 1


class _Erased(msgspec.Struct):
    """What an `erased` entry says; an older one names no version, and takes every one."""

    until: str = ""


_read_erased = msgspec.json.Decoder(_Erased).decode


class Active(Projection):
    """The active set. Readers come on a connection of their own, one for each thread."""

    name = "active"
    version = 5
    kinds = ("object", "withdrawn", "erased")
    schema = SCHEMA + PACE

    def loaded(self) -> None:
        """Read where each audience last changed."""
        # The index over object ids is met at random places; it should stay in memory.
        self.db.execute("PRAGMA cache_size = -65536")
        self._batch = Batch()
        self._touched = Touched(self.position)
        self._changed: dict[tuple[int, int], int] = {
            (audience, exercise): position
            for audience, exercise, position in self.db.execute(
                "SELECT audience, exercise, position FROM changed"
            )
        }

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Take one entry in. What was erased since has no object id and is passed over."""
        if entry.object_id.startswith(_SIGHTING):
            self._batch.move(entry, keep(self.db, entry, body))
        if not entry.object_id.startswith(_PREFIX):
            return
        if entry.header.kind == "erased":
            until_us = moment.parse(_read_erased(body or b"{}").until or "")
            self._batch.erase(entry, _EVERY_VERSION if until_us is None else until_us)
        elif entry.header.kind != "object":
            self._batch.add(entry, None)
        elif body is not None:
            self._batch.add(entry, told(body))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """As the base's, with the batch written before the commit."""
        self._batch = Batch()
        with super()._transaction():
            yield
            if self._batch:
                self._batch.write(self.db)
                self._touched.note(self._batch.touches)

    def folded(self) -> None:
        """Bring what is in memory to what was committed."""
        self._changed |= {key: stand[0] for key, stand in self._batch.changed.items()}
        self._batch = Batch()

    def tables(self) -> list[str]:
        """As the base's, without the numbers that an erasure makes a replay count anew."""
        return [name for name in super().tables() if not name.startswith("pace_")]

    def known(self, audiences: Iterable[int], *, exercise: bool) -> tuple[int, ...]:
        """Those of `audiences` that were ever told an indicator, ascending, each once."""
        flag, changed = int(exercise), self._changed
        return tuple(sorted({each for each in audiences if (each, flag) in changed}))

    def changed(self, audiences: Iterable[int], *, exercise: bool = False) -> int:
        """Where the set of these audiences last changed; 0 when they were told nothing.

        Changes that they cannot see do not move it.
        """
        flag, changed = int(exercise), self._changed
        return max((changed.get((each, flag), 0) for each in audiences), default=0)

    def named(
        self,
        observable: Observable,
        audiences: Collection[int],
        now_us: int,
        *,
        exercise: bool,
    ) -> ActiveItem | None:
        """One value as some audiences see it at a moment; None when they do not."""
        seen = sorted(set(audiences))
        return read_named(self.reading, observable, seen, now_us, exercise=exercise)

    def tellers(
        self, observable: Observable, limit: int, *, exercise: bool
    ) -> list[tuple[str, str, str, int]]:
        """Who told of a value, whoever may see it: origin, author, object and audience.

        For the hub itself, which tells them of what is said against it.
        """
        return read_tellers(self.reading, observable, limit, exercise=exercise)

    def every_identifier(self) -> list[Observable]:
        """What points to persons and accounts, whoever was told: for the hub itself."""
        return read_identifiers(self.reading)

    def identifiers_of(self, object_id: str) -> list[Observable]:
        """Those that an object names or named, whoever was told: for the hub itself."""
        return read_identifiers(self.reading, object_id)

    def seen(self, object_ids: Sequence[str], audiences: Collection[int], *, exercise: bool) -> int:
        """When one of some objects was last seen at work, as some audiences were told.

        UTC microseconds; 0 when they were told of no sighting.
        """
        return read_seen(self.reading, object_ids, sorted(set(audiences)), exercise=exercise)

    @contextlib.contextmanager
    def view(self, audiences: Collection[int], now_us: int, *, exercise: bool) -> Iterator[View]:
        """The active set as one consistent reading, open until the context is left.

        Args:
            audiences: ids, as `Ledger.rights` gives them.
            now_us: UTC microseconds.
            exercise: the exercise's set, or the real one; never both.

        Items come in the order of (type, value), the rest in that of the objects' ids.
        """
        db = self.reading
        with _one_moment(db):
            yield read_view(db, sorted(set(audiences)), now_us, exercise=exercise)

    @contextlib.contextmanager
    def read(self, audiences: Collection[int], *, exercise: bool) -> Iterator[Reading]:
        """One consistent reading with what changed lately, open until the context is left."""
        db = self.reading
        with _one_moment(db):
            yield Reading(db, self._touched, sorted(set(audiences)), exercise=exercise)

    def snapshot(self, audiences: Collection[int], now_us: int, *, exercise: bool) -> Snapshot:
        """`view`, held in memory: for sets that are known to be small."""
        with self.view(audiences, now_us, exercise=exercise) as view:
            return Snapshot(view.position, view.next_change_us, tuple(view.items), tuple(view.rest))

    def items_of(self, object_id: str, audiences: Collection[int]) -> tuple[Standing, ...]:
        """The latest version of an object that these audiences see, for each origin apart.

        Real and exercise versions are told apart as well. Empty when they see none.
        """
        return standings(self.reading, object_id, frozenset(audiences))


@contextlib.contextmanager
def _one_moment(db: sqlite3.Connection) -> Iterator[None]:
    """Keep a connection at one moment of the file."""
    own = not db.in_transaction
    if own:
        db.execute("BEGIN")
    try:
        yield
    finally:
        if own:
            db.execute("ROLLBACK")
