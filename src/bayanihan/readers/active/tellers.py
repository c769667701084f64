"""Who told of a value, in all audiences: the hub asks, and shows it to nobody."""

from __future__ import annotations

import sqlite3

from bayanihan.core.observables import Observable

_TELLERS = """
SELECT DISTINCT o.origin, o.author, o.object_id, o.audience
FROM items i CROSS JOIN objects o ON o.position = i.position
WHERE i.type = ? AND i.value = ? AND o.exercise = ? AND o.out = 0
ORDER BY o.position LIMIT ?
"""


def read_tellers(
    db: sqlite3.Connection, observable: Observable, limit: int, *, exercise: bool
) -> list[tuple[str, str, str, int]]:
    """See `Active.tellers`."""
    terms = (observable.type, observable.value, int(exercise), limit)
    return db.execute(_TELLERS, terms).fetchall()
