"""The way in as another interface uses it: submissions, and taking back, with its own limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bayanihan.core.marking import Viewer
from bayanihan.intake import take_back
from bayanihan.intake.objects import Result
from bayanihan.intake.objects_api import TOGETHER_LIMIT_BYTES, Intake
from bayanihan.intake.upload import Uploads
from bayanihan.ledger import Ledger


class Entrance:
    """The way in, as the TAXII interface uses it. See `taxii.api.Entrance`.

    Args:
        ledger: the record.
        intake: takes submissions.
        withdrawn: told the positions of withdrawals, on a worker thread.
        limit_bytes: of one submission.
    """

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        withdrawn: Callable[[Sequence[int]], None],
        limit_bytes: int,
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._withdrawn = withdrawn
        self.upload = Uploads(limit_bytes, max(2 * limit_bytes, TOGETHER_LIMIT_BYTES)).upload

    async def submit(
        self, viewer: Viewer, data: bytes, terms: Mapping[str, Any]
    ) -> Sequence[Result]:
        """Submit an envelope; what became of each object."""
        results: Sequence[Result] = (await self._intake.take(viewer, data, terms))["results"]
        return results

    async def withdraw(self, viewer: Viewer, object_id: str, *, exercise: bool) -> None:
        """Take back what the viewer published under an id, for real or as an exercise."""
        asked = (self._ledger, viewer, object_id, "deleted over TAXII", self._withdrawn)
        await take_back.withdraw(*asked, exercise=exercise)
