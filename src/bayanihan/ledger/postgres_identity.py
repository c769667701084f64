"""Identity where several nodes write: one index in the database, asked under the lock.

Sorted runs beside each node would have to be filled from the whole record at every start
and from every other node's batches; see ADR 21 for the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bayanihan.ledger.engine import Store
from bayanihan.ledger.entry import Entry
from bayanihan.ledger.identity import IdentityKeys
from bayanihan.ledger.postgres_paging import Ask

_SIGN = 1 << 63
_WHOLE = 1 << 64


def signed(key: int) -> int:
    """A 64-bit key as the database's integer, which has a sign."""
    return key - _WHOLE if key >= _SIGN else key


class PostgresIdentity(IdentityKeys):
    """See `Identities`. The rows themselves carry their keys: nothing is kept here.

    Args:
        key: the secret hash key of this ledger.
        ask: the rows that a question answers with.
    """

    def __init__(self, key: bytes, ask: Ask) -> None:
        super().__init__(key)
        self._ask = ask

    def add(self, key: int, object_key: int, position: int) -> None:
        """Nothing: the row was inserted with its keys."""

    def positions(self, keys: list[int]) -> Mapping[int, list[int]]:
        """Where entries with these identities may stand; each must be checked by its row."""
        if not keys:
            return {}
        rows = self._ask(
            "SELECT same_key, position FROM entries WHERE same_key = ANY(%s) ORDER BY position",
            ([signed(key) for key in keys],),
        )
        found: dict[int, list[int]] = {}
        for key, position in rows:
            found.setdefault(key % _WHOLE, []).append(position)
        return found

    def of_object(self, object_id: str) -> list[int]:
        """Where entries about an object may stand, ascending; check each by its row."""
        rows = self._ask(
            "SELECT position FROM entries WHERE object_key = %s ORDER BY position",
            (signed(self.object_key(object_id)),),
        )
        return [position for (position,) in rows]

    def fill(self, store: Store) -> None:
        """Nothing is missing."""

    def forget_recent(self, entries: Sequence[Entry]) -> None:
        """Nothing is kept in memory."""

    def forget(self, entries: Sequence[Entry]) -> None:
        """The erasure took the keys with the rest."""

    def forget_positions(self, positions: Sequence[int]) -> None:
        """The erasure took the keys with the rest."""

    def close(self) -> None:
        """Nothing is open."""
