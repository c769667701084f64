"""What a storage failure means for whoever waits: one of our errors for each of an engine's."""

from __future__ import annotations

import errno
import logging
import sqlite3

from bayanihan.errors import BayanihanError, Broken, Unavailable

logger = logging.getLogger(__name__)

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WAIT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DISK = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


def explain(error: Exception) -> BayanihanError:
    """A storage failure as something a caller can act on."""
    if isinstance(error, BayanihanError):
        return error
    text = str(error)
    # The low byte is the kind of failure, the rest says where inside SQLite.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    full = isinstance(error, OSError) and error.errno in _NO_SPACE
    if code == sqlite3.SQLITE_FULL or full:
        return Unavailable("disk-full", "The hub's disk is full", retry_after_s=60)
    if code in _WAIT:
        return Unavailable("overloaded", "The ledger is busy", retry_after_s=1)
    logger.error("the writer failed: %s", error, exc_info=error)
    if code in _DISK or isinstance(error, OSError):
        return Unavailable(
            "disk-full", "The hub cannot write to its disk", where=text, retry_after_s=60
        )
    if code in _DAMAGED:
        return Broken("record-damaged", "The record cannot be read", where=text)
    return Broken("internal", "The writer failed", where=text)
