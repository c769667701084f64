"""Who read RED, or was told that it is there: noted once for each person and entry.

The door notes it: it is queued when the page is handed out, so no exit can forget it. The
author's own reading is not noted.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.errors import BayanihanError
from bayanihan.ledger.engine import Store
from bayanihan.ledger.state import Documents

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
        store: Store,
        submit: Callable[[Callable[[Documents], None]], None],
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
        others = self._store.paging.by_others(positions, viewer.person)
        keys = [f"{position:016d}/{viewer.person}" for position in others]
        fresh = [key for key in keys if key not in self._noted]
        if not fresh:
            return
        value = msgspec.json.encode({"at_us": self._now_us(), "key": viewer.key})
        try:
            self._submit(lambda documents: documents.note_once(ROOM, fresh, value))
        except BayanihanError as error:
            logger.critical("who read RED could not be noted: %s", error)
            return
        self._noted.update(dict.fromkeys(fresh))
        while len(self._noted) > _REMEMBERED:
            self._noted.popitem(last=False)
