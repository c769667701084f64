"""From the file to PostgreSQL: the record copied as it stands, and believed by its root.

Positions, stamps, salts and leaves are copied, so every proof, cursor and checkpoint stays
valid; epoch and secrets go along. The copy goes on where it stopped, while the hub appends.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from bayanihan.core.merkle import Frontier, peaks_of
from bayanihan.errors import Broken, Refused
from bayanihan.ledger.engine import Row, Store
from bayanihan.ledger.identity import IdentityKeys
from bayanihan.ledger.rows import entry_of_columns
from bayanihan.ledger.runs import ERASED_KEY
from bayanihan.ledger.tiles import Tiles
from bayanihan.ledger.verify import check_ledger

_AT_ONCE = 2_000
_SECRETS = ("epoch", "cursor-key", "identity-key")


class Migrated(NamedTuple):
    """How far the copy has come, what it added now, and the root of both."""

    size: int
    copied: int
    root: str


def migrate(source: Store, target: Store) -> Migrated:
    """Copy what `target` lacks of `source`, and check the copy.

    Args:
        source: opened read-only; a hub may go on appending to it.
        target: empty, or with a part of the same record.

    Raises:
        Refused: `conflict` when the target holds another record.
        Broken: `record-damaged` when the copy does not verify.
    """
    size = target.last()[0]
    if size == 0:
        for name in _SECRETS:
            target.set_meta(name, source.meta(name))
    elif target.meta("epoch") != source.meta("epoch") or not _begins_as(source, target, size):
        raise Refused(
            "conflict",
            "The database holds another record",
            where=target.name,
            next_step="Name an empty database.",
        )
    keys = IdentityKeys(source.meta("identity-key"))
    rows = source.rows(size)
    while some := list(islice(rows, _AT_ONCE)):
        _copy(source, target, keys, some)
    _erase_again(source, target)
    _copy_state(source, target)
    return _checked(source, target, size)


def _begins_as(source: Store, target: Store, size: int) -> bool:
    if size > source.last()[0]:
        return False
    return peaks_of(size, source.node) == target.frontier().peaks


def _copy(source: Store, target: Store, keys: IdentityKeys, rows: list[Row]) -> None:
    with target.transaction():
        size, _ = target.last()
        frontier, completed = target.frontier(), list[tuple[int, bytes]]()
        if rows[0][0] != size + 1:
            raise Refused("in-use", "Somebody else writes to the database", where=target.name)
        for number, audience in enumerate(source.audiences(), 1):
            if number > len(target.audiences()):
                target.insert_audience(number, audience)
        for row in rows:
            frontier.append(row[5], completed)
        target.insert(rows, list(_indexed(keys, rows)))
        Tiles(target, size).write(completed)
        target.keep_place(rows[-1][0], rows[-1][1], frontier)
    target.audiences_grew()


def _indexed(keys: IdentityKeys, rows: list[Row]) -> Iterator[tuple[int, int, int]]:
    for row in rows:
        entry, _ = entry_of_columns(row)
        if entry.erased:
            yield ERASED_KEY, ERASED_KEY, row[0]
        else:
            yield *keys.keys_of(entry), row[0]


def _erase_again(source: Store, target: Store) -> None:
    """What was erased while it was copied, and what was copied as erased, is found by nothing."""
    positions = [position for position, _ in source.erased() if position <= target.last()[0]]
    if positions:
        with target.transaction():
            target.erase(positions)


def _copy_state(source: Store, target: Store) -> None:
    with target.transaction():
        target.documents.replace(source.documents.all())


def _checked(source: Store, target: Store, before: int) -> Migrated:
    report = check_ledger(target)
    if report.faults:
        raise Broken("record-damaged", f"The copy does not verify: {report.faults[0]}")
    size = report.entries
    root = Frontier(size, peaks_of(size, source.node)).root().hex()
    if (root if size else "") != (report.root if size else ""):
        raise Broken("record-damaged", "The copy's root is not the record's")
    return Migrated(size, size - before, report.root)
