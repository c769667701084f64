"""Sorted runs: find positions by a 64-bit key without a random B-tree.

New keys live in a dict. When it is full it is sorted and written once, as one file, off
the writer; eight files of one size are merged into one of the next. A look-up asks the
dict and each file by binary search. Nothing is ever written in the middle of anything,
so appending costs the same at ten million entries as at ten.

A run is disposable: what files do not cover is filled in again from the ledger.
"""

from __future__ import annotations

import logging
import mmap
import os
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

RECENT_LIMIT = 262_144
FAN_IN = 8
# What an erased entry is filed under; a real key that is equal is told apart by its row.
ERASED_KEY = 0
# After so many keys looked up, the pages that this touched are let go of.
LOOKED_UP_LIMIT = 16_384
# Set in the position of an entry that was erased after its file was written.
GONE = 1 << 63

_Recent = dict[int, int | list[int]]


class _Run:
    """One immutable file: `size` sorted keys, then the position of each.

    It is opened at the first look-up, so that a start does not wait for what opens it.
    """

    def __init__(self, path: Path) -> None:
        first, last, units = path.stem.split("-")
        self.path, self.first, self.last, self.units = path, int(first), int(last), int(units)

    @cached_property
    def _map(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @cached_property
    def _table(self) -> Any:
        import numpy as np

        return np.frombuffer(self._map, dtype="<u8").reshape(2, -1)

    def let_go(self) -> None:
        """Leave what was looked at to the system's cache, out of this process's own memory."""
        if "_map" in self.__dict__ and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    @cached_property
    def keys(self) -> Any:
        """The sorted keys."""
        return self._table[0]

    @cached_property
    def positions(self) -> Any:
        """The position of each key."""
        return self._table[1]

    def find(self, keys: Any) -> list[tuple[int, int]]:
        """Every (key, position) of this run whose key is among `keys`, a sorted array."""
        left = self.keys.searchsorted(keys, "left")
        last = len(self.keys) - 1
        hits = (self.keys[left.clip(max=last)] == keys).nonzero()[0]
        if not len(hits):
            return []
        right = self.keys.searchsorted(keys[hits], "right")
        found: list[tuple[int, int]] = []
        for at, end in zip(hits.tolist(), right.tolist(), strict=True):
            key = int(keys[at])
            slots = self.positions[left[at] : end].tolist()
            found += [(key, slot) for slot in slots if not slot & GONE]
        return found

    def pairs_of(self, positions: Sequence[int]) -> list[tuple[int, int]]:
        """(key, position) of those positions that are not gone; reads the whole run."""
        import numpy as np

        at = np.isin(self.positions, np.array(positions, dtype="<u8")).nonzero()[0]
        return list(zip(self.keys[at].tolist(), self.positions[at].tolist(), strict=True))

    def erase(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Mark the positions of (key, position) pairs as gone, and overwrite their keys.

        What is gone goes to the front of its key's slice, under the key before it: so the
        order holds, and a key of which nothing is left stands nowhere in the file.
        """
        import numpy as np

        with self.path.open("r+b") as file:
            for key, position in pairs:
                wanted = np.uint64(key)
                left = int(self.keys.searchsorted(wanted, "left"))
                right = int(self.keys.searchsorted(wanted, "right"))
                slots = self.positions[left:right].tolist()
                if position not in slots:
                    continue
                gone = [*(slot for slot in slots if slot & GONE), position | GONE]
                left_over = [slot for slot in slots if slot != position and not slot & GONE]
                before = int(self.keys[left - 1]) if left else ERASED_KEY
                file.seek(8 * left)
                np.full(len(gone), before, dtype="<u8").tofile(file)
                file.seek(8 * (len(self.keys) + left))
                np.array([*gone, *left_over], dtype="<u8").tofile(file)
                file.flush()
            os.fsync(file.fileno())


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
        self._looked_up = 0
        self._recent: _Recent = {}
        self._recent_span = (0, 0)
        self._sealing: list[tuple[_Recent, tuple[int, int]]] = []
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._runs: list[_Run] = self._load()
        self.reached = self._runs[-1].last if self._runs else 0

    @property
    def covered(self) -> int:
        """The position up to which the files hold everything."""
        return self._runs[-1].last if self._runs else 0

    def _load(self) -> list[_Run]:
        for stale in self._folder.glob("*.partial"):
            stale.unlink()
        spans = []
        for path in self._folder.glob("*.run"):
            try:
                first, last, _ = map(int, path.stem.split("-"))
            except ValueError:
                path.unlink()  # not a name of ours
            else:
                spans.append((first, -last, path))
        chain: list[_Run] = []
        for first, negative, path in sorted(spans):
            covered = chain[-1].last if chain else 0
            size_bytes = 16 * (-negative - first + 1)
            if first == covered + 1 and path.stat().st_size == size_bytes > 0:
                chain.append(_Run(path))
            else:  # already inside a merged run, or cut off from the chain by a lost file
                path.unlink()
        return chain

    def clear(self) -> None:
        """Forget everything and delete the files; before the first `add` alone."""
        for run in self._runs:
            run.path.unlink()
        self._runs, self._recent, self._recent_span, self.reached = [], {}, (0, 0), 0

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
        self.reached = position
        if position - start + 1 >= self._limit:
            self._seal()
            self._spawn(self._settle)

    def _seal(self) -> None:
        with self._lock:
            self._sealing = [*self._sealing, (self._recent, self._recent_span)]
            self._recent, self._recent_span = {}, (0, 0)

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
        import numpy as np

        while True:
            tail = self._runs[-FAN_IN:]
            if len(tail) < FAN_IN or len({run.units for run in tail}) > 1:
                return
            keys = np.concatenate([run.keys for run in tail])
            positions = np.concatenate([run.positions for run in tail])
            order = np.argsort(keys, kind="stable")
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
        return sorted(self.find_many((key,)).get(key, []))

    def find_many(self, keys: Sequence[int]) -> dict[int, list[int]]:
        """The positions of each key that has any; one pass over the files for all keys."""
        with self._lock:
            runs, memory = self._runs, [held for held, _ in self._sealing]
            memory.append(self._recent)
        wanted = set(keys)
        found: dict[int, list[int]] = {}
        if runs:
            import numpy as np

            ordered = np.array(sorted(wanted), dtype="<u8")
            for run in runs:
                for key, position in run.find(ordered):
                    found.setdefault(key, []).append(position)
            self._looked_up += len(wanted)
            if self._looked_up > LOOKED_UP_LIMIT:
                self._looked_up = 0
                for run in runs:
                    run.let_go()
        for held in memory:
            for key in wanted & held.keys() if len(wanted) > 1 else wanted:
                known = held.get(key, [])
                found.setdefault(key, []).extend(known if isinstance(known, list) else [known])
        return {key: positions for key, positions in found.items() if positions}

    def forget_recent(self, pairs: Sequence[tuple[int, int]]) -> None:
        """File what memory holds of (key, position) `pairs` under `ERASED_KEY` instead.

        On the adding thread alone, and before `forget`.
        """
        for key, position in pairs:
            if position >= self._recent_span[0] > 0:
                _file_as_erased(self._recent, key, position)

    def forget(self, pairs: Sequence[tuple[int, int]]) -> None:
        """The same for what is sealed or in files.

        Raises:
            OSError: when a file cannot be written; what stands in it is then still there.
        """
        with self._busy:
            for held, _ in self._sealing:
                for key, position in pairs:
                    _file_as_erased(held, key, position)
            for run in self._runs:
                within = [pair for pair in pairs if run.first <= pair[1] <= run.last]
                if within:
                    run.erase(within)

    def forget_positions(self, positions: Sequence[int]) -> None:
        """As `forget`, where the keys are not known any more: what a crash left behind."""
        with self._busy:
            for run in self._runs:
                within = [each for each in positions if run.first <= each <= run.last]
                if within and (pairs := run.pairs_of(within)):
                    run.erase(pairs)

    def flush(self) -> None:
        """Write what is still in memory, so that the next start need not fill it in."""
        if self._recent_span[0]:
            self._seal()
        self._settle()

    def close(self) -> None:
        """Write out what is in memory and let go of the files."""
        self.flush()
        with self._busy, self._lock:
            self._runs, self._sealing = [], []

    def settle(self) -> None:
        """Wait until the background work is done."""
        self._settle()


def _file_as_erased(held: _Recent, key: int, position: int) -> None:
    known = held.get(key)
    if known == position:
        del held[key]
    elif isinstance(known, list) and position in known:
        held[key] = [other for other in known if other != position]
    else:
        return
    erased = held.get(ERASED_KEY, [])
    held[ERASED_KEY] = sorted([*(erased if isinstance(erased, list) else [erased]), position])


def _arrays(recent: _Recent) -> tuple[Any, Any]:
    """The keys and positions of a dict, sorted by both. Made without a tuple for each."""
    import numpy as np

    lists = {key: known for key, known in recent.items() if isinstance(known, list)}
    single = len(recent) - len(lists)
    keys = np.fromiter((k for k in recent if k not in lists), dtype="<u8", count=single)
    positions = np.fromiter(
        (p for p in recent.values() if not isinstance(p, list)), dtype="<u8", count=single
    )
    more = [np.full(len(known), key, dtype="<u8") for key, known in lists.items()]
    keys = np.concatenate([keys, *more])
    positions = np.concatenate([positions, *(np.array(p, dtype="<u8") for p in lists.values())])
    order = np.lexsort((positions, keys))
    return keys[order], positions[order]


def run_in_background(work: Callable[[], None]) -> None:
    """Start `work` on a thread of its own."""
    threading.Thread(target=work, name="runs", daemon=True).start()
