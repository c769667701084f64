"""Where the record of a cell is, and how its store goes wrong: a file, or PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg.errors

from bayanihan.ledger import ConnectionLost, Ledger, SqliteStore, Store, check_ledger, store_at
from bayanihan.ledger.postgres import PostgresStore

SLOW_S = 0.3
CRASHED = 9


def broken_disk() -> Exception:
    """What SQLite says of a disk that cannot write."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    return error


def full_server() -> Exception:
    """What a server says whose disk is full."""
    return psycopg.errors.DiskFull("No space left on device")


def lost_server() -> Exception:
    """What the store makes of a server that went during the commit."""
    return ConnectionLost("The database is away", committing=True)


@contextlib.contextmanager
def going_wrong(
    fault: str,
    inner: contextlib.AbstractContextManager[Any],
    failed: Callable[[], Exception] = broken_disk,
    unanswered: Callable[[], Exception] = broken_disk,
) -> Iterator[Any]:
    """A transaction that goes wrong once: before its commit, or after it."""
    with inner as given:
        yield given
        if fault == "failed":
            raise failed()
        if fault == "crashed before":
            os._exit(CRASHED)
        if fault == "slow":
            time.sleep(SLOW_S)
    if fault == "answer lost":
        raise unanswered()
    if fault == "crashed after":
        os._exit(CRASHED)


class FaultyFile(SqliteStore):
    """A store whose next transaction goes wrong, once it is armed."""

    armed = ""

    def transaction(self) -> Any:
        fault, self.armed = self.armed, ""
        return going_wrong(fault, super().transaction())


class FaultyPostgres(PostgresStore):
    """A store whose next transaction goes wrong, once it is armed."""

    armed = ""

    def transaction(self) -> Any:
        fault, self.armed = self.armed, ""
        return going_wrong(fault, super().transaction(), full_server, lost_server)


@dataclass(frozen=True)
class Place:
    """The record of one cell.

    Args:
        folder: the data directory.
        address: "" for a file there, or `postgresql://…`.
    """

    folder: Path
    address: str = ""

    def opened(self) -> Ledger:
        """The ledger as it was left."""
        return Ledger(self.folder, store=store_at(self.address))

    def faulty(self) -> tuple[Ledger, FaultyFile | FaultyPostgres]:
        """The ledger, and the store that can be armed."""
        made: list[FaultyFile | FaultyPostgres] = []

        def make(path: Path) -> Store:
            made.append(FaultyPostgres(self.address) if self.address else FaultyFile(path))
            return made[0]

        return Ledger(self.folder, store=make), made[0]

    def check(self) -> None:
        """The checker finds nothing wrong with the record."""
        store = store_at(self.address, read_only=True)(self.folder / "ledger.db")
        with contextlib.closing(store):
            assert check_ledger(store).faults == []
