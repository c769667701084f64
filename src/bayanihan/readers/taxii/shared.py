"""Answers that a crowd shares: who asks the same, with the same rights, gets the same bytes.

A thousand clients whose timers go off together ask for what was added since the same moment.
What is kept holds for one state of the record and of what was folded from it; when either moves
all of it is forgotten, so that what was taken back or erased is in no later answer. Rights are
looked at for every request, and a person who may see RED shares with nobody: who reads RED is
noted for each by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

from bayanihan.core.marking import Viewer
from bayanihan.ledger import Ledger
from bayanihan.readers.taxii.catalogue import Catalogue

KEPT_LIMIT = 512
KEPT_LIMIT_BYTES = 16 * 1024 * 1024
SHARED_LIMIT_BYTES = 256 * 1024


class Answer(NamedTuple):
    """A response's headers and its body."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


State = tuple[int, int]


class Shared:
    """Keeps answers while nothing changes. Belongs to the event loop.

    Args:
        ledger: the record, which decides about rights.
        catalogue: what was folded from it.
    """

    def __init__(self, ledger: Ledger, catalogue: Catalogue) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._state: State = (-1, -1)
        self._kept: dict[Hashable, Answer] = {}
        self._kept_bytes = 0

    def find(self, viewer: Viewer, asked: Hashable) -> Answer | None:
        """What was answered to the same question under the same rights, if that still holds."""
        self._look()
        return self._kept.get((self._ledger.sharing(viewer), asked))

    def keeper(self, viewer: Viewer, asked: Hashable) -> Callable[[Answer], None]:
        """Keeps the answer to a question; to be taken before anything is read for it."""
        state, same = self._look(), self._ledger.sharing(viewer)

        def keep(answer: Answer) -> None:
            size_bytes = len(answer.body)
            length, shown_to = state
            # Behind the record an answer is only for who waited; RED is noted for each person.
            if shown_to < length or same[1] or size_bytes > SHARED_LIMIT_BYTES:
                return
            if self._look() != state:
                return
            if len(self._kept) >= KEPT_LIMIT or self._kept_bytes + size_bytes > KEPT_LIMIT_BYTES:
                self._forget()
            self._kept[same, asked] = answer
            self._kept_bytes += size_bytes

        return keep

    def _look(self) -> State:
        """The state now; what was kept for another one is forgotten."""
        state = (self._ledger.length, self._catalogue.shown_to)
        if state != self._state:
            self._state = state
            self._forget()
        return state

    def _forget(self) -> None:
        self._kept.clear()
        self._kept_bytes = 0
