"""The fault table: each step of the hub under each fault, as it turned out.

Every cell is a process of its own, so that a crash is one. After it the record is opened as it
was left, checked, the step is done again, and the record is checked once more.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bayanihan.ledger import Ledger, SqliteStore, check_ledger
from tests.faults.steps import STEPS, Backup, Fold, Sizes, Step, tried

FAULTS = ("failed", "answer lost", "crashed before", "crashed after", "slow")
SLOW_S = 0.3
WITHIN_S = 30.0
CRASHED = 9
# Each process begins as a copy of one that has read all our code already.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.table"])


def broken_disk() -> sqlite3.Error:
    """What SQLite says of a disk that cannot write."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    return error


@contextlib.contextmanager
def going_wrong(fault: str, inner: contextlib.AbstractContextManager[Any]) -> Iterator[Any]:
    """A transaction that goes wrong once: before its commit, or after it."""
    with inner as given:
        yield given
        if fault == "failed":
            raise broken_disk()
        if fault == "crashed before":
            os._exit(CRASHED)
        if fault == "slow":
            time.sleep(SLOW_S)
    if fault == "answer lost":
        raise broken_disk()
    if fault == "crashed after":
        os._exit(CRASHED)


class FaultyStore(SqliteStore):
    """A store whose next transaction goes wrong, once it is armed."""

    armed = ""

    def transaction(self) -> Any:
        fault, self.armed = self.armed, ""
        return going_wrong(fault, super().transaction())


class FaultySizes(Sizes):
    """A projection whose next transaction goes wrong, once it is armed."""

    armed = ""

    def _transaction(self) -> Any:
        fault, FaultySizes.armed = FaultySizes.armed, ""
        return going_wrong(fault, super()._transaction())


def faulty_disk(fault: str) -> Any:
    """A disk that goes wrong where a backup is written, before it has its name or after."""
    replace, open_file = Path.replace, tarfile.open

    def opened(*args: Any, **options: Any) -> Any:
        if fault == "failed":
            raise OSError(errno.ENOSPC, "No space left on device")
        if fault == "slow":
            time.sleep(SLOW_S)
        return open_file(*args, **options)

    def replaced(path: Path, target: Path) -> Path:
        if fault == "crashed before":
            os._exit(CRASHED)
        named = replace(path, target)
        if fault == "crashed after":
            os._exit(CRASHED)
        if fault == "answer lost":
            raise OSError(errno.EIO, "Input/output error")
        return named

    stack = contextlib.ExitStack()
    stack.enter_context(patch.object(tarfile, "open", opened))
    stack.enter_context(patch.object(Path, "replace", replaced))
    return stack


def befall(step: Step, fault: str, told: Connection) -> None:
    """In a process of its own: what was there before, then the step going wrong."""
    ledger = Ledger(step.folder, store=FaultyStore)
    step.prepare(ledger)
    assert isinstance(ledger.store, FaultyStore)
    if isinstance(step, Backup):
        with faulty_disk(fault):
            told.send(tried(step, ledger))
    elif isinstance(step, Fold):
        with contextlib.closing(Sizes(step.folder / "projections", ledger.epoch, 0)):
            pass  # what makes the file is not what goes wrong
        step.kind, FaultySizes.armed = FaultySizes, fault
        told.send(_folded(step, ledger))
    else:
        ledger.store.armed = fault
        told.send(tried(step, ledger))
    ledger.close()


def _folded(step: Step, ledger: Ledger) -> str:
    """The thread that folds tries again after what this names; see `ledger/folding.py`."""
    try:
        return tried(step, ledger)
    except sqlite3.OperationalError:
        return "tried again"


def check(folder: Path) -> None:
    """The checker finds nothing wrong with the record."""
    with contextlib.closing(SqliteStore(folder / "ledger.db", read_only=True)) as store:
        assert check_ledger(store).faults == []


def cell(name: str, fault: str, folder: Path) -> str:
    """One step under one fault: what the caller was told, what was there, and what again."""
    step = STEPS[name](folder / "data")
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = _CONTEXT.Process(target=befall, args=(step, fault, theirs))
    process.start()
    theirs.close()
    process.join(WITHIN_S)
    if process.exitcode not in (0, CRASHED):
        process.kill()
        raise AssertionError(f"{name}, {fault}: the process ended with {process.exitcode}")
    told = "nobody was told" if process.exitcode == CRASHED else str(ours.recv())
    ours.close()
    check(step.folder)
    ledger = Ledger(step.folder)
    try:
        there = "done" if step.is_done(ledger) else "not done"
        again = tried(step, ledger)
        assert step.is_done(ledger), "done again, it is not done"
        assert step.holds(ledger), "something is there twice, half, or not gone"
    finally:
        ledger.close()
    check(step.folder)
    return f"{told}; {there}; again: {again}"


def table() -> Iterator[tuple[str, str, str]]:
    """Every cell: step, fault, outcome."""
    for name in STEPS:
        for fault in FAULTS:
            with tempfile.TemporaryDirectory(prefix="fault-") as folder:
                yield name, fault, cell(name, fault, Path(folder))


def main() -> None:
    """Print the table."""
    for name, fault, outcome in table():
        print(f"| {name} | {fault} | {outcome} |", flush=True)


if __name__ == "__main__":
    main()
