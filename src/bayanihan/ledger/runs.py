"""Sorted runs: find positions by a 64-bit key without a random B-tree.

New keys live in a dict. When it is full it is sorted and written once, as one file, off
the writer; eight files of one size are merged into one of the next. A look-up asks the
dict and each file by binary search. Nothing is ever written in the middle of anything,
so appending costs the same at ten million entries as at ten.

A run is disposable: what files do not cover is filled in again from the ledger.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

RECENT_LIMIT = 262_144
FAN_IN = 8


class _Run:
    """One immutable file: `size` sorted keys, then the position of each."""

    __slots__ = ("first", "keys", "last", "path", "positions", "units")

    def __init__(self, path: Path) -> None:
        import numpy

        first, last, units = path.stem.split("-")
        self.path, self.first, self.last, self.units = path, int(first), int(last), int(units)
        table = numpy.memmap(path, dtype="<u8", mode="r").reshape(2, -1)
        self.keys: Any = table[0]
        self.positions: Any = table[1]

    def find(self, keys: Any) -> list[tuple[int, int]]:
        """Every (key, position) of this run whose key is among `keys`, an array."""
        found: list[tuple[int, int]] = []
        left = self.keys.searchsorted(keys, "left")
        right = self.keys.searchsorted(keys, "right")
        for at in (right > left).nonzero()[0].tolist():
            key = int(keys[at])
            found += [(key, int(p)) for p in self.positions[int(left[at]) : int(right[at])]]
        return found


def _write(path: Path, keys: Any, positions: Any) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        keys.tofile(file)
        positions.tofile(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class SortedRuns:
    """A multi-map of 64-bit keys to positions, filled in ascending order of position.

    Only one thread adds (the writer); any thread may look up.

    Args:
        folder: where the run files live; made when absent.
        recent_limit: how many entries the dict takes before it becomes a file.
        spawn: starts the background work; `run_now` in tests makes it synchronous.
    """

    def __init__(
        self,
        folder: Path,
        *,
        recent_limit: int = RECENT_LIMIT,
        spawn: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._folder = folder
        self._limit = recent_limit
        self._spawn = spawn or run_in_background
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._recent: dict[int, int | list[int]] = {}
        self._recent_span = (0, 0)
        self._sealing: list[tuple[dict[int, int | list[int]], tuple[int, int]]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._runs: list[_Run] = self._load()

    @property
    def covered(self) -> int:
        """The position up to which the files hold everything."""
        return self._runs[-1].last if self._runs else 0

    def _load(self) -> list[_Run]:
        for stale in self._folder.glob("*.partial"):
            stale.unlink()
        paths = sorted(
            self._folder.glob("*.run"),
            key=lambda path: (int(path.stem.split("-")[0]), -int(path.stem.split("-")[1])),
        )
        chain: list[_Run] = []
        for path in paths:
            first, last, _ = map(int, path.stem.split("-"))
            covered = chain[-1].last if chain else 0
            if first == covered + 1 and path.stat().st_size == 16 * (last - first + 1):
                chain.append(_Run(path))
            else:  # already inside a merged run, or cut off from the chain by a lost file
                path.unlink()
        return chain

    def add(self, key: int, position: int) -> None:
        """Enter one key. Positions must be consecutive."""
        recent = self._recent
        known = recent.setdefault(key, position)
        if known != position:
            if isinstance(known, list):
                known.append(position)
            else:
                recent[key] = [known, position]
        start = self._recent_span[0] or position
        self._recent_span = (start, position)
        if position - start + 1 >= self._limit:
            self._seal()

    def _seal(self) -> None:
        with self._lock:
            self._sealing.append((self._recent, self._recent_span))
            self._recent, self._recent_span = {}, (0, 0)
        self._spawn(self._settle)

    def _settle(self) -> None:
        with self._busy:
            try:
                self._write_sealed()
            except OSError as error:  # a full disk: the keys stay in memory, tried again later
                logger.warning("the run files in %s cannot be written: %s", self._folder, error)

    def _write_sealed(self) -> None:
        while self._sealing:
            recent, (first, last) = self._sealing[0]
            path = self._folder / f"{first}-{last}-1.run"
            keys, positions = _arrays(recent)
            _write(path, keys, positions)
            run = _Run(path)
            with self._lock:
                self._runs = [*self._runs, run]
                self._sealing = self._sealing[1:]
            self._merge()

    def _merge(self) -> None:
        import numpy

        while True:
            tail = self._runs[-FAN_IN:]
            if len(tail) < FAN_IN or len({run.units for run in tail}) > 1:
                return
            keys = numpy.concatenate([run.keys for run in tail])
            positions = numpy.concatenate([run.positions for run in tail])
            order = numpy.argsort(keys, kind="stable")
            units = tail[0].units * FAN_IN
            path = self._folder / f"{tail[0].first}-{tail[-1].last}-{units}.run"
            _write(path, keys[order], positions[order])
            merged = _Run(path)
            with self._lock:
                self._runs = [*self._runs[:-FAN_IN], merged]
            for run in tail:
                run.path.unlink()

    def find(self, key: int) -> list[int]:
        """The positions entered under `key`, ascending. A hit must be checked by its row."""
        return self.find_many((key,)).get(key, [])

    def find_many(self, keys: Sequence[int]) -> dict[int, list[int]]:
        """The positions of each key that has any; one pass over the files for all keys."""
        with self._lock:
            runs, memory = self._runs, [held for held, _ in self._sealing]
            memory.append(self._recent)
        found: dict[int, list[int]] = {}
        if runs:
            import numpy

            wanted = numpy.array(sorted(set(keys)), dtype="<u8")
            for run in runs:
                for key, position in run.find(wanted):
                    found.setdefault(key, []).append(position)
        for held in memory:
            for key in keys:
                known = held.get(key)
                if known is not None:
                    more = known if isinstance(known, list) else [known]
                    found.setdefault(key, []).extend(more)
        return found

    def flush(self) -> None:
        """Write what is still in memory, so that the next start need not fill it in."""
        if self._recent_span[0]:
            with self._lock:
                self._sealing.append((self._recent, self._recent_span))
                self._recent, self._recent_span = {}, (0, 0)
        self._settle()

    def settle(self) -> None:
        """Wait until the background work is done."""
        self._settle()


def _arrays(recent: dict[int, int | list[int]]) -> tuple[Any, Any]:
    import numpy

    pairs: Iterable[tuple[int, int]] = (
        (key, position)
        for key, known in recent.items()
        for position in (known if isinstance(known, list) else (known,))
    )
    table = numpy.array(sorted(pairs), dtype="<u8").reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def run_in_background(work: Callable[[], None]) -> None:
    """Start `work` on a thread of its own."""
    threading.Thread(target=work, name="runs", daemon=True).start()
