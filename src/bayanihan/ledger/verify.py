"""The one checker: re-reads the whole record and every projection, and says what is wrong.

It trusts nothing that was derived. Order and stamps are compared entry by entry, digests
and leaves are computed from the bytes, the tree is built again from the leaves, and each
projection is folded again and compared with the file at the file's own position.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bayanihan.core.merkle import TILE_WIDTH, Frontier, inclusion_path, verify_inclusion
from bayanihan.errors import BayanihanError, Unavailable
from bayanihan.ledger.engine import Store
from bayanihan.ledger.entry import KINDS, audience_digest, erasable_bytes, header_bytes, leaf_hash
from bayanihan.ledger.projection import Projection
from bayanihan.ledger.rows import HASH_SIZE_BYTES

_PROOFS = 64
_TILE_SIZE_BYTES = TILE_WIDTH * HASH_SIZE_BYTES


@dataclass(slots=True)
class Report:
    """What the checker read and what it found. `faults` is empty when all is well.

    `unchecked` names projections that stand behind an erasure: until they have folded it,
    they cannot be compared with a record from which it is gone.
    """

    entries: int = 0
    erased: int = 0
    root: str = ""
    projections: dict[str, int] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def check_ledger(store: Store, *, limit: int = 1_000) -> Report:
    """Re-check order, stamps, digests, leaves, audiences, tiles and proofs.

    Args:
        store: opened read-only or not; a running hub may go on appending meanwhile.
        limit: faults to list before giving up.
    """
    report = Report()
    try:
        _check_entries(store, report, limit)
    except (sqlite3.Error, msgspec.MsgspecError, struct.error, ValueError) as error:
        report.faults.append(f"the record cannot be read to its end: {error}")
    except Unavailable:
        raise  # nothing is known about a record that cannot be asked
    except BayanihanError as error:
        report.faults.append(error.message)
    return report


def _check_entries(store: Store, report: Report, limit: int) -> None:
    digests = [audience_digest(audience) for audience in store.audiences()]
    # Read before the rows: what the tree held then, the rows must still bear out.
    held = store.upper_tiles()
    tree, last_stamp_us = _Tree(store), 0
    for row in store.rows():
        position, stamp_us = row[0], row[1]
        report.entries += 1
        if position != report.entries:
            report.faults.append(f"position {report.entries} is missing before {position}")
            report.entries = position
        if stamp_us <= last_stamp_us:
            report.faults.append(f"entry {position}: its stamp does not follow the one before")
        report.faults += _check_row(row, digests)
        report.erased += row[6] is None
        last_stamp_us = stamp_us
        report.faults += tree.add(row[5])
        if len(report.faults) >= limit:
            del report.faults[limit:]
            return
    report.root = tree.frontier.root().hex()
    report.faults += tree.close(held)
    if tree.frontier.size:
        _check_proofs(store, tree.frontier, report)


def _check_row(row: tuple[Any, ...], audiences: list[bytes]) -> list[str]:
    position, stamp_us, kind, number, exercise, leaf = row[:6]
    *facts, size_bytes, body = row[6:]
    author, origin, collection, object_id, version_us, original, salt, digest = facts
    if not 0 < number <= len(audiences):
        return [f"entry {position}: its audience {number} is unknown"]
    if not 0 <= kind < len(KINDS):
        return [f"entry {position}: its kind {kind} is unknown"]
    absent = [fact is None for fact in (*facts, body)]
    if all(absent):
        return []
    if any(absent):
        return [f"entry {position}: a part of it is missing; an erasure takes all of it"]
    faults = []
    if hashlib.sha256(body).digest() != digest or len(body) != size_bytes:
        faults.append(f"entry {position}: its body is not what was submitted")
    header = header_bytes(position, stamp_us, kind, bool(exercise), number, audiences[number - 1])
    erasable = erasable_bytes(author, origin, collection, object_id, version_us, original, digest)
    if leaf_hash(salt, header, erasable) != leaf:
        faults.append(f"entry {position}: its leaf does not commit to it")
    return faults


class _Tree:
    """The tree built from the leaves, beside the stored tiles.

    It keeps the upper levels alone: a tile of leaves is compared when it is full, for there
    may be more of them than memory holds.
    """

    def __init__(self, store: Store) -> None:
        self.frontier = Frontier()
        self._store = store
        self._completed: list[tuple[int, bytes]] = []
        self._upper: dict[int, bytearray] = {}

    def add(self, leaf: bytes) -> list[str]:
        """One leaf more; faults."""
        self.frontier.append(leaf, self._completed)
        return [] if self.frontier.size % TILE_WIDTH else self._flush()

    def close(self, held: Mapping[tuple[int, int], bytes]) -> list[str]:
        """No further leaves; faults. `held` is what the stored tree held before they were read."""
        faults = self._flush()
        for level, built in self._upper.items():
            for number in range(-(-len(built) // _TILE_SIZE_BYTES)):
                expected = bytes(built[number * _TILE_SIZE_BYTES : (number + 1) * _TILE_SIZE_BYTES])
                faults += self._compare(level, number, expected)
        for (level, number), hashes in held.items():
            found = self._upper.get(level, bytearray())
            found = found[number * _TILE_SIZE_BYTES : (number + 1) * _TILE_SIZE_BYTES]
            if not found.startswith(hashes):
                faults.append(_unlike(level, number))
        return faults

    def _flush(self) -> list[str]:
        """Compare the tile of leaves that is full, or the last one."""
        leaves = b"".join([node for level, node in self._completed if not level])
        for level, node in self._completed:
            if level:
                self._upper.setdefault(level, bytearray()).extend(node)
        self._completed.clear()
        number = (self.frontier.size - 1) // TILE_WIDTH
        return self._compare(0, number, leaves) if leaves else []

    def _compare(self, level: int, number: int, expected: bytes) -> list[str]:
        if self._store.tile(level, number).startswith(expected):
            return []
        return [_unlike(level, number)]


def _unlike(level: int, number: int) -> str:
    return f"tile {level}/{number} does not match the leaves"


def _check_proofs(store: Store, built: Frontier, report: Report) -> None:
    """Try some proofs of the tree that was built from the leaves."""
    size, root = built.size, built.root()
    for index in sorted({round(at * (size - 1) / (_PROOFS - 1)) for at in range(_PROOFS)}):
        row = store.row(index + 1)
        try:
            path = inclusion_path(index, size, store.node)
        except BayanihanError as error:
            report.faults.append(f"entry {index + 1}: no proof can be made: {error}")
            continue
        if row is None or not verify_inclusion(row[5], index, size, path, root):
            report.faults.append(f"entry {index + 1}: its inclusion proof does not hold")


def check_projection(
    found: Projection, again: Callable[[], Projection], store: Store, report: Report
) -> None:
    """Fold a projection again from nothing and compare it with what `found` holds.

    Args:
        found: the projection as it is on disk.
        again: makes an empty one of the same class, in memory.
        store: read up to the position at which `found` stands.
        report: told the position, and any fault.
    """
    length = found.position
    report.projections[found.name] = length
    replay = again()

    def scan(after: int, limit: int, kinds: Any) -> list[tuple[Any, bytes | None]]:
        return [item for item in store.scan(after, limit, kinds) if item[0].position <= length]

    try:
        while replay.catch_up(scan, length, limit=1_000):
            pass
        if replay.digest() == found.digest():
            return
        # Asked last: a hub at work may have erased, while this was read, what `found` holds.
        if store.scan(length, 1, ("erased",)):
            report.unchecked.append(found.name)
        else:
            report.faults.append(f"projection {found.name}: differs from a replay up to {length}")
    finally:
        replay.close()
