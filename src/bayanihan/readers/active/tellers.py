"""Who told of what, in all audiences: the hub asks, and shows it to nobody."""

from __future__ import annotations

import json
import sqlite3

from bayanihan.core.identifiers import IDENTIFIERS
from bayanihan.core.observables import Observable

_TELLERS = """
SELECT DISTINCT o.origin, o.author, o.object_id, o.audience
FROM items i CROSS JOIN objects o ON o.position = i.position
WHERE i.type = ? AND i.value = ? AND o.exercise = ? AND o.out = 0
ORDER BY o.position LIMIT ?
"""

_IDENTIFIERS = """
SELECT DISTINCT type, value FROM items WHERE type IN (SELECT value FROM json_each(:types))
"""
_IDENTIFIERS_OF = """
SELECT DISTINCT i.type, i.value FROM objects o CROSS JOIN items i ON i.position = o.position
WHERE o.object_id = :object_id AND i.type IN (SELECT value FROM json_each(:types))
"""


def read_tellers(
    db: sqlite3.Connection, observable: Observable, limit: int, *, exercise: bool
) -> list[tuple[str, str, str, int]]:
    """See `Active.tellers`."""
    terms = (observable.type, observable.value, int(exercise), limit)
    return db.execute(_TELLERS, terms).fetchall()


def read_identifiers(db: sqlite3.Connection, object_id: str = "") -> list[Observable]:
    """See `Active.every_identifier` and `Active.identifiers_of`."""
    query = _IDENTIFIERS_OF if object_id else _IDENTIFIERS
    terms = {"types": json.dumps(sorted(IDENTIFIERS)), "object_id": object_id}
    return [Observable(*row) for row in db.execute(query, terms)]
