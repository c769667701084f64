"""The file behind a ledger, for tests that look at how SQLite itself answers."""

from __future__ import annotations

import sqlite3

from bayanihan.ledger import Ledger, SqliteStore


def sqlite_of(ledger: Ledger) -> SqliteStore:
    """The ledger's store, which is SQLite's."""
    assert isinstance(ledger.store, SqliteStore)
    return ledger.store


def reading(ledger: Ledger) -> sqlite3.Connection:
    """This thread's reading connection."""
    return sqlite_of(ledger).reading
