"""Who read RED: noted once for each person and entry, by the door itself.

The note is queued when the page is handed out, so no exit can forget it. The author's own
reading is not noted.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.errors import BayanihanError
from bayanihan.ledger.sqlite import SqliteStore
from bayanihan.ledger.state import note_once

logger = logging.getLogger(__name__)

ROOM = "red-read"
_REMEMBERED = 65_536


class RedAudit:
    """Notes which person was handed which RED entry.

    Args:
        store: where entries are.
        submit: runs a change in the writer's next batch without waiting for it.
        now_us: the wall clock.
    """

    def __init__(
        self,
        store: SqliteStore,
        submit: Callable[[Callable[[sqlite3.Connection], None]], None],
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._submit = submit
        self._now_us = now_us
        self._noted: OrderedDict[str, None] = OrderedDict()

    def handed_out(self, viewer: Viewer, positions: Sequence[int]) -> None:
        """Note that this viewer was handed the RED entries at these positions."""
        if not positions:
            return
        rows = self._store.reading.execute(
            "SELECT position FROM entries WHERE author <> ?"
            " AND position IN (SELECT value FROM json_each(?))",
            (viewer.person, msgspec.json.encode(positions).decode()),
        )
        keys = [f"{position:016d}/{viewer.person}" for (position,) in rows]
        fresh = [key for key in keys if key not in self._noted]
        if not fresh:
            return
        value = msgspec.json.encode({"at_us": self._now_us(), "key": viewer.key})
        try:
            self._submit(lambda connection: note_once(connection, ROOM, fresh, value))
        except BayanihanError as error:
            logger.critical("who read RED could not be noted: %s", error)
            return
        self._noted.update(dict.fromkeys(fresh))
        while len(self._noted) > _REMEMBERED:
            self._noted.popitem(last=False)
