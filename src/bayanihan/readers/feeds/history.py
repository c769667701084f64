"""What changed from version to version of a feed, for those who come with an older cursor.

Kept in memory and bounded: after a restart, or for a cursor that is too old, the whole file
is the answer.
"""

from __future__ import annotations

from collections import deque

import msgspec

STEPS_LIMIT = 256
LINES_LIMIT = 50_000


class Step(msgspec.Struct, frozen=True):
    """From one version to the next: its cursor, the shape of its file, and the lines."""

    cursor: str
    head_lines: int
    tail_lines: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


class History:
    """The steps that led to the present version of one feed for one class of rights."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque()
        self._lines = 0

    def note(self, step: Step) -> None:
        """One step more; the oldest are forgotten."""
        self._steps.append(step)
        self._lines += len(step.added) + len(step.removed)
        while len(self._steps) > STEPS_LIMIT or self._lines > LINES_LIMIT:
            old = self._steps.popleft()
            self._lines -= len(old.added) + len(old.removed)

    def since(self, cursor: str) -> Step | None:
        """Everything since the first version that bore a cursor, as one step.

        A version can change by time alone, under one cursor. So a line is told as it is in
        the end, and what was added and removed in between is removed: that serves every
        version that bore the cursor. None when it is not known.
        """
        found: Step | None = None
        there: dict[str, bool] = {}
        for step in self._steps:
            if found is None and step.cursor != cursor:
                continue
            found = found or step
            there |= dict.fromkeys(step.removed, False)
            there |= dict.fromkeys(step.added, True)
        if found is None:
            return None
        return msgspec.structs.replace(
            found,
            added=tuple(sorted([line for line, is_there in there.items() if is_there])),
            removed=tuple(sorted([line for line, is_there in there.items() if not is_there])),
        )
