"""What this node knows is what is in force: asked once for all requests that arrive together.

Where several nodes serve one ledger, a request must see what was acknowledged before it
came, at whichever node: reports, and above all revoked keys. So each request waits for one
question to the database that was put after it arrived. Requests that arrive meanwhile
share the next question, as commits share a batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from bayanihan.errors import BayanihanError
from bayanihan.ledger.door import Ledger

logger = logging.getLogger(__name__)

CONFIRMED_WITHIN_S = 5.0
_EVERY_S = 1.0


class Confirming:
    """Asks how far the record has come, and lets what follows it catch up.

    Args:
        ledger: the record.
        follow: brings up what must never be behind, such as the registry; it may block.
        edition: another object each time that something changed there.
        told: called on the event loop after such a change, whichever node made it.
    """

    def __init__(
        self,
        ledger: Ledger,
        follow: Callable[[], None],
        edition: Callable[[], object],
        told: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._follow = follow
        self._edition, self._told = edition, told
        self._seen = edition()
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._asked_s = float("-inf")
        self._trouble = ""
        self.failed: BayanihanError | None = None

    @property
    def shared(self) -> bool:
        """Whether other nodes serve this ledger too."""
        return self._ledger.store.confirmed_s is not None

    @property
    def holds(self) -> bool:
        """Whether this node knew what was in force a few seconds ago at most."""
        proved_s = self._ledger.store.confirmed_s
        if proved_s is None:
            return True
        if self.failed:
            return False
        return time.monotonic() - min(proved_s, self._asked_s) <= CONFIRMED_WITHIN_S

    def start(self) -> None:
        """Go on asking while nobody else does; needs a running event loop."""
        if self.shared:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Stop asking."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self.ask()
            self._tell()
            await self._ledger.wait_soon(self._ledger.length, _EVERY_S)

    def _tell(self) -> None:
        """Tell of a change; where that fails it is told at the next turn."""
        edition = self._edition()
        if edition is self._seen:
            return
        try:
            self._told()
        except Exception:
            logger.exception("a change of the registry could not be told yet")
        else:
            self._seen = edition

    async def ask(self) -> None:
        """Wait for an answer that is younger than this call; `holds` says what it was."""
        if self._next is None or self._next.done():
            self._next = asyncio.ensure_future(self._after(self._asking))
        await asyncio.shield(self._next)

    async def _after(self, asking: asyncio.Task[None] | None) -> None:
        if asking is not None and not asking.done():
            await asyncio.wait([asking])
        self._asking, self._next = self._next, None
        await asyncio.to_thread(self.ask_now)

    def ask_now(self) -> None:
        """Ask, and follow; blocks. What is wrong is kept in `failed`."""
        began_s = time.monotonic()
        try:
            self._ledger.refresh()
            self._follow()
        except BayanihanError as error:
            if error.family == "broken":
                logger.critical("%s", error.message)
                self.failed = error
        except Exception as error:  # of this disk, say: nobody is let in until it is well
            if self._trouble != (trouble := str(error)):
                logger.exception("what is in force cannot be followed")
                self._trouble = trouble
        else:
            self._asked_s, self._trouble = began_s, ""
