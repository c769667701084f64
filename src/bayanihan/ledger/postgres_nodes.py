"""The nodes of one ledger: each hears when another commits, and proves that it may go on.

LISTEN is a wake-up and no more: what is new is always asked for, at least once a second.
With the same rhythm each node writes a row of its own. That commit needs a standby where
there are any, so a primary that was left behind cannot give it, and a node that talks to
such a one knows after `CONFIRMED_WITHIN_S` that it may have missed what others decided.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from bayanihan.ledger.postgres_link import RETRY_EVERY_S, Links
from bayanihan.ledger.postgres_watch import Watch

logger = logging.getLogger(__name__)

CONFIRMED_WITHIN_S = 5.0
_EVERY_S = 1.0
# From then on somebody looks whether another server was promoted.
LATE_AFTER_S = 1.5 * _EVERY_S
_SEEN = (
    "INSERT INTO nodes VALUES (%s, clock_timestamp())"
    " ON CONFLICT (name) DO UPDATE SET seen = excluded.seen"
)
# Who ends well takes its row out; a row that nobody renews was left by one that was killed.
ALIVE = "SELECT name FROM nodes WHERE seen > clock_timestamp() - interval '10 seconds'"
_GONE = "DELETE FROM nodes WHERE name = %s OR seen < clock_timestamp() - interval '1 day'"


class Nodes:
    """A thread that listens and confirms.

    Args:
        links: opens its connection.
        look: asks how far the record has come, and tells whom it concerns.
    """

    def __init__(self, links: Links, look: Callable[[], None]) -> None:
        self._links = links
        self._look = look
        self.name = f"{socket.gethostname()}/{secrets.token_hex(4)}"
        self.confirmed_s = float("-inf")
        self._began_s = time.monotonic()
        # What was said of the database last, so that an outage is no flood of lines.
        self._told = ""
        self._watch = Watch(links.hosts, self._is_late, links.leave_behind)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nodes", daemon=True)

    def start(self) -> None:
        """Confirm once, then go on in the background."""
        self._thread.start()
        self._watch.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._watch.stop()
        with contextlib.suppress(Exception):  # where nobody answers, it ends by itself
            self._links.ask(lambda link: link.execute("NOTIFY bayanihan"), within_s=0.0)
        if self._thread.ident is not None:
            self._thread.join(2 * _EVERY_S)

    def _is_late(self) -> bool:
        """Whether the row that is written every second has not come."""
        return time.monotonic() - max(self.confirmed_s, self._began_s) > LATE_AFTER_S

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._links.connect()) as link:
                    self._attend(link)
            except Exception as error:
                if self._told != (told := _line(error)) and not self._stopping.is_set():
                    logger.warning("the database at %s is away: %s", self._links.name, told)
                    self._told = told
                # Also one that answers may be of no use, such as one of another history.
                self._stopping.wait(2 * RETRY_EVERY_S)

    def _attend(self, link: Any) -> None:
        warnings: list[Any] = []
        link.add_notice_handler(warnings.append)
        link.execute("LISTEN bayanihan")
        due_s = 0.0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            if began_s >= due_s:
                warnings.clear()
                link.execute(_SEEN, (self.name,))
                if not warnings:  # one that was broken off is on no standby
                    self.confirmed_s = began_s
                due_s = began_s + _EVERY_S
            self._look()
            self._told = ""
            for _ in link.notifies(timeout=max(0.0, due_s - time.monotonic()), stop_after=1):
                pass
        link.execute(_GONE, (self.name,))


def _line(error: Exception) -> str:
    """The first line of what the database's library says."""
    return str(error).partition("\n")[0]
