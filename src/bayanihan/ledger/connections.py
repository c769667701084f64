"""One reading connection a thread, closed when its thread ends."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable

from bayanihan.errors import Unavailable


class _Held:
    """What a thread holds: when the thread is gone, so is the connection."""

    __slots__ = ("__weakref__", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        weakref.finalize(self, connection.close)


class ThreadConnections:
    """Hands each thread a connection of its own that can only read.

    Args:
        connect: opens one.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._lock = threading.Lock()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._closed = False

    def __len__(self) -> int:
        """How many threads hold one now."""
        return len(self._held)

    def get(self) -> sqlite3.Connection:
        """This thread's connection. Raises `Unavailable("stopping")` once closed."""
        held: _Held | None = getattr(self._local, "held", None)
        if self._closed:
            raise Unavailable("stopping", "The hub is stopping", retry_after_s=5)
        if held is None:
            held = self._local.held = _Held(self._connect())
            held.connection.execute("PRAGMA query_only = ON")
            with self._lock:
                self._held.add(held)
        return held.connection

    def close(self) -> None:
        """Close every thread's connection; no further one is handed out."""
        self._closed = True
        with self._lock:
            for held in self._held:
                held.connection.close()
            self._held.clear()
