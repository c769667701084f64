"""The one checker: re-reads the whole record and every projection, and says what is wrong.

It trusts nothing that was derived. Order and stamps are compared entry by entry, digests
and leaves are computed from the bytes, the tree is built again from the leaves, and each
projection is folded again and compared with the file at the file's own position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bayanihan.core.merkle import (
    Frontier,
    inclusion_path,
    verify_inclusion,
)
from bayanihan.errors import BayanihanError
from bayanihan.ledger.entry import audience_digest, erasable_bytes, header_bytes, leaf_hash
from bayanihan.ledger.projection import Projection
from bayanihan.ledger.sqlite import COLUMNS, SqliteStore

_PROOFS = 64


@dataclass(slots=True)
class Report:
    """What the checker read and what it found. `faults` is empty when all is well."""

    entries: int = 0
    erased: int = 0
    root: str = ""
    projections: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def check_ledger(store: SqliteStore, *, limit: int = 1_000) -> Report:
    """Re-check order, stamps, digests, leaves, audiences, tiles and proofs.

    Args:
        store: opened read-only or not; a running hub may go on appending meanwhile.
        limit: faults to list before giving up.
    """
    report = Report()
    digests = [audience_digest(audience) for audience in store.audiences()]
    frontier, completed, last_stamp_us = Frontier(), list[tuple[int, bytes]](), 0
    for row in store.reading.execute(f"SELECT {COLUMNS} FROM entries ORDER BY position"):
        position, stamp_us, number, leaf = row[0], row[1], row[3], row[5]
        report.entries += 1
        if position != report.entries:
            report.faults.append(f"position {report.entries} is missing before {position}")
            report.entries = position
        if stamp_us <= last_stamp_us:
            report.faults.append(f"entry {position}: its stamp does not follow the one before")
        if not 0 < number <= len(digests):
            report.faults.append(f"entry {position}: its audience {number} is unknown")
        elif row[6] is None:
            report.erased += 1
            if row[15] is not None:
                report.faults.append(f"entry {position}: erased, but its body is still there")
        else:
            report.faults += _check_row(row, digests[number - 1])
        last_stamp_us = stamp_us
        frontier.append(leaf, completed)
        if len(report.faults) >= limit:
            return report
    report.root = frontier.root().hex()
    _check_tree(store, frontier, completed, report)
    return report


def _check_row(row: tuple[Any, ...], audience: bytes) -> list[str]:
    position, stamp_us, kind, number, exercise, leaf = row[:6]
    author, origin, collection, object_id, version_us, original, salt, digest, size, body = row[6:]
    faults = []
    if body is None or hashlib.sha256(body).digest() != digest or len(body) != size:
        faults.append(f"entry {position}: its body is not what was submitted")
    header = header_bytes(position, stamp_us, kind, bool(exercise), number, audience)
    erasable = erasable_bytes(author, origin, collection, object_id, version_us, original, digest)
    if leaf_hash(salt, header, erasable) != leaf:
        faults.append(f"entry {position}: its leaf does not commit to it")
    return faults


def _check_tree(
    store: SqliteStore, built: Frontier, completed: list[tuple[int, bytes]], report: Report
) -> None:
    """Compare the stored tiles with the tree built from the leaves, and try some proofs."""
    size = built.size
    if not size:
        return
    levels: dict[int, list[bytes]] = {}
    for level, node in completed:
        levels.setdefault(level, []).append(node)
    for level, hashes in levels.items():
        for number in range((len(hashes) + 255) // 256):
            expected = b"".join(hashes[number * 256 : number * 256 + 256])
            if not store.tile(level, number).startswith(expected):
                report.faults.append(f"tile {level}/{number} does not match the leaves")
    root, leaves = built.root(), levels[0]
    for index in sorted({round(at * (size - 1) / (_PROOFS - 1)) for at in range(_PROOFS)}):
        try:
            path = inclusion_path(index, size, store.node)
        except BayanihanError as error:
            report.faults.append(f"entry {index + 1}: no proof can be made: {error}")
            continue
        if not verify_inclusion(leaves[index], index, size, path, root):
            report.faults.append(f"entry {index + 1}: its inclusion proof does not hold")


def check_projection(
    found: Projection, again: Callable[[], Projection], store: SqliteStore, report: Report
) -> None:
    """Fold a projection again from nothing and compare it with what `found` holds.

    Args:
        found: the projection as it is on disk.
        again: makes an empty one of the same class, in memory.
        store: read up to the position at which `found` stands.
        report: told the position, and any fault.
    """
    length = found.position
    replay = again()

    def scan(after: int, limit: int, kinds: Any) -> list[tuple[Any, bytes | None]]:
        return [item for item in store.scan(after, limit, kinds) if item[0].position <= length]

    try:
        while replay.catch_up(scan, length, limit=1_000):
            pass
        report.projections[found.name] = length
        if replay.digest() != found.digest():
            report.faults.append(f"projection {found.name}: differs from a replay up to {length}")
    finally:
        replay.close()
