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

from bayanihan.ledger import Ledger
from tests.faults.places import CRASHED, SLOW_S, Place, going_wrong
from tests.faults.steps import STEPS, Backup, Fold, Sizes, Step, tried
from tests.sim.databases import Databases
from tests.sim.postgres import Server

# The database's own tools copy it.
NOT_ON_POSTGRES = ("backup",)
FAULTS = ("failed", "answer lost", "crashed before", "crashed after", "slow")
WITHIN_S = 30.0
# Each process begins as a copy of one that has read all our code already.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.table"])


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


def befall(step: Step, fault: str, place: Place, told: Connection) -> None:
    """In a process of its own: what was there before, then the step going wrong."""
    ledger, store = place.faulty()
    step.prepare(ledger)
    if isinstance(step, Backup):
        with faulty_disk(fault):
            told.send(tried(step, ledger))
    elif isinstance(step, Fold):
        with contextlib.closing(Sizes(step.folder / "projections", ledger.epoch, 0)):
            pass  # what makes the file is not what goes wrong
        step.kind, FaultySizes.armed = FaultySizes, fault
        told.send(_folded(step, ledger))
    else:
        store.armed = fault
        told.send(tried(step, ledger))
    ledger.close()


def _folded(step: Step, ledger: Ledger) -> str:
    """The thread that folds tries again after what this names; see `ledger/folding.py`."""
    try:
        return tried(step, ledger)
    except sqlite3.OperationalError:
        return "tried again"


def cell(name: str, fault: str, folder: Path, address: str = "") -> str:
    """One step under one fault: what the caller was told, what was there, and what again.

    `address` is an empty database, or "" for a file in the folder.
    """
    step, place = STEPS[name](folder / "data"), Place(folder / "data", address)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = _CONTEXT.Process(target=befall, args=(step, fault, place, theirs))
    process.start()
    theirs.close()
    process.join(WITHIN_S)
    if process.exitcode not in (0, CRASHED):
        process.kill()
        raise AssertionError(f"{name}, {fault}: the process ended with {process.exitcode}")
    told = "nobody was told" if process.exitcode == CRASHED else str(ours.recv())
    ours.close()
    place.check()
    ledger = place.opened()
    try:
        there = "done" if step.is_done(ledger) else "not done"
        again = tried(step, ledger)
        assert step.is_done(ledger), "done again, it is not done"
        assert step.holds(ledger), "something is there twice, half, or not gone"
    finally:
        ledger.close()
    place.check()
    return f"{told}; {there}; again: {again}"


def on_postgres(name: str, fault: str, folder: Path, databases: Databases) -> str:
    """The same on PostgreSQL; "-" where the step is not the hub's there."""
    if name in NOT_ON_POSTGRES:
        return "-"
    return cell(name, fault, folder, databases.fresh())


def table(databases: Databases) -> Iterator[tuple[str, str, str, str]]:
    """Every cell: step, fault, outcome in a file and on PostgreSQL."""
    for name in STEPS:
        for fault in FAULTS:
            with tempfile.TemporaryDirectory(prefix="fault-") as folder:
                in_file = cell(name, fault, Path(folder) / "file")
                there = on_postgres(name, fault, Path(folder) / "postgres", databases)
                yield name, fault, in_file, "the same" if there == in_file else there


def main() -> None:
    """Print the table."""
    server = Server().make().start()
    try:
        for row in table(Databases(server)):
            print(f"| {' | '.join(row)} |", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
