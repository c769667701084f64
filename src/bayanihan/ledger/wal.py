"""Folding the write-ahead log back, apart from the writer, whose batches would wait for it."""

from __future__ import annotations

import logging
import sqlite3
import threading

logger = logging.getLogger(__name__)

_EVERY_S = 0.25
# While it waits for readers, a truncation holds off the writer too: so it is short, and tried
# again.
_BUSY_TIMEOUT_MS = 100


class WalFolder:
    """A thread that moves committed pages from the WAL into the file.

    Args:
        connection: one of its own, to the store whose WAL is folded back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        self._wake = threading.Condition()
        self._stopping = False
        self._wanted = self._done = 0
        self._thread = threading.Thread(target=self._run, name="wal-folder", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def empty(self, timeout_s: float) -> bool:
        """Empty the WAL of everything committed before this call; whether that is done.

        A reader in the middle of a page holds it up; it is tried until it succeeds, also
        after this call has given up waiting.
        """
        with self._wake:
            self._wanted += 1
            wanted = self._wanted
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._done >= wanted or self._stopping, timeout_s)
            return self._done >= wanted

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._wanted > self._done, _EVERY_S)
                if self._stopping:
                    return
                wanted = self._wanted
            emptied = self._fold("TRUNCATE" if wanted > self._done else "PASSIVE")
            with self._wake:
                if emptied:
                    self._done = wanted
                    self._wake.notify_all()
                elif wanted > self._done:
                    self._wake.wait_for(lambda: self._stopping, _EVERY_S)

    def _fold(self, how: str) -> bool:
        try:
            busy, _, _ = self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except sqlite3.Error as error:
            logger.warning("the write-ahead log could not be folded back: %s", error)
            return False
        return how == "TRUNCATE" and not busy
