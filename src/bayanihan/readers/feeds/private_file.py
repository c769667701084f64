"""A database in a file without a name, which the system takes away by itself.

For what is too large to stand in memory and is worth nothing after a restart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bayanihan.errors import Unavailable

CACHE_KIB = 32 * 1024

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_TRY_AGAIN_S = 60


def private(schema: str = "") -> sqlite3.Connection:
    """A fresh one; only what the cache does not hold is written."""
    db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(schema)
    return db


def is_full(error: BaseException) -> bool:
    """Whether something failed because there is no room for the file."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in _NO_ROOM


def no_room() -> Unavailable:
    """What is said then."""
    message = "The disk is full where the hub keeps its temporary files"
    return Unavailable("disk-full", message, retry_after_s=_TRY_AGAIN_S)


@contextmanager
def room() -> Iterator[None]:
    """Where there is no room inside, that is said. Raises `Unavailable("disk-full")`."""
    try:
        yield
    except sqlite3.Error as error:
        if is_full(error):
            raise no_room() from error
        raise
