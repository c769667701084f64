"""A folder to work in, that a crash does not leave behind for ever.

A backup and a restore hold a whole copy of the record while they work. After a crash such a
copy would outlive every erasure, so whoever works in the same place next removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_LOCK = "lock"


@contextlib.contextmanager
def workplace(parent: Path, prefix: str) -> Iterator[Path]:
    """A new empty folder below `parent`, removed at the end; stale ones are removed first.

    Args:
        parent: where the result will lie, so that it can be moved into place.
        prefix: begins the names of all such folders, and of nothing else.
    """
    with contextlib.ExitStack() as held:
        with _locked(parent, os.O_RDONLY, fcntl.LOCK_EX):  # nobody sweeps what is being made
            _sweep(parent.glob(prefix + "*"))
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            held.enter_context(_held(folder))
        inside = folder / "work"
        inside.mkdir(mode=0o700)
        yield inside


@contextlib.contextmanager
def _locked(path: Path, flags: int, how: int) -> Iterator[None]:
    """A lock that ends with its process. Raises `BlockingIOError` where that is asked for."""
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _held(folder: Path) -> contextlib.AbstractContextManager[None]:
    return _locked(folder / _LOCK, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(folders: Iterable[Path]) -> None:
    """Remove the folders that nobody works in."""
    for folder in folders:
        with contextlib.suppress(OSError), _held(folder):
            shutil.rmtree(folder)
