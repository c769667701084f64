"""Pictures, files and sounds that look or sound alike: digests compared by their distance.

They are kept in memory beside who was told of them, so that a viewer's own rights decide
before anything is counted: what is hidden can crowd out nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from bayanihan.core import chromaprint, fingerprint, pdq, tlsh
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.near_bits import NearBits
from bayanihan.readers.alike.match import Evidence
from bayanihan.readers.alike.projection import Alike

TLSH_MOST = 50
CHROMAPRINT_MOST = 0.15
NEAREST_LIMIT = 500
_TLSH_BYTES = 35
_FIRST_ROOM = 1_024


class _Told:
    """Of each row of a kind: the position of its case, and who was told of it."""

    def __init__(self) -> None:
        import numpy

        self._rows = numpy.empty((_FIRST_ROOM, 3), dtype=numpy.int64)
        self.count = 0

    def add(self, position: int, audience: int, exercise: int) -> None:
        self._rows = _with_room(self._rows, self.count)
        self._rows[self.count] = (position, audience, exercise)
        self.count += 1

    def positions(self, places: Any) -> list[int]:
        return [int(each) for each in self._rows[places, 0]]

    def seen(self, places: Any, audiences: Sequence[int], *, exercise: bool) -> Any:
        """Which of some rows these audiences were told of."""
        import numpy

        rows = self._rows[places]
        return numpy.isin(rows[:, 1], list(audiences)) & (rows[:, 2] == int(exercise))


def _with_room(rows: Any, count: int) -> Any:
    """An array with room for one row more; a full one is doubled."""
    import numpy

    if count < len(rows):
        return rows
    grown = numpy.empty((2 * len(rows), *rows.shape[1:]), dtype=rows.dtype)
    grown[:count] = rows
    return grown


class Shapes:
    """The digests of all cases, as they were folded.

    Args:
        alike: the projection that they come from.
    """

    def __init__(self, alike: Alike) -> None:
        self._alike = alike
        self._lock = threading.Lock()
        # The first look loads: what reads numbers costs a start a tenth of a second.
        self._taken_out: int | None = None

    def _empty(self) -> None:
        import numpy

        self._last = 0
        self._told = {kind: _Told() for kind in ("pdq", "tlsh", "chromaprint")}
        self._pictures = NearBits()
        self._files = numpy.empty((_FIRST_ROOM, _TLSH_BYTES), dtype=numpy.uint8)
        self._sounds: list[bytes] = []

    def near(
        self, prints: Fingerprints, audiences: Sequence[int], *, exercise: bool
    ) -> dict[int, list[Evidence]]:
        """The cases whose pictures, files or sounds are near, by position, the nearest first."""
        found: dict[int, list[Evidence]] = {}
        if not (prints.pdq or prints.tlsh or prints.chromaprint):
            return found

        def keep(kind: str, places: Any, far: Any, score: Callable[[float], float]) -> None:
            told = self._told[kind]
            seen = told.seen(places, audiences, exercise=exercise)
            places, far = places[seen], far[seen]
            nearest = far.argsort(kind="stable")[:NEAREST_LIMIT]
            for position, apart in zip(told.positions(places[nearest]), far[nearest], strict=True):
                weak = kind == "pdq" and apart > pdq.BITS_SURE
                evidence = Evidence(kind, round(score(float(apart)), 3), candidate=bool(weak))
                found.setdefault(position, []).append(evidence)

        with self._lock:
            self._load()
            for row in pdq.words(list(prints.pdq)) if prints.pdq else ():
                keep("pdq", *self._pictures.within(row), lambda bits: 1 - bits / 256)
            for digest in prints.tlsh:
                keep("tlsh", *self._near_files(digest), lambda apart: 1 - apart / 300)
            for code in prints.chromaprint:
                keep("chromaprint", *self._near_sounds(code), lambda errors: 1 - errors)
        return found

    def _near_files(self, digest: str) -> tuple[Any, Any]:
        far = tlsh.distances(tlsh.rows([digest])[0], self._files[: self._told["tlsh"].count])
        places = (far <= TLSH_MOST).nonzero()[0]
        return places, far[places]

    def _near_sounds(self, code: str) -> tuple[Any, Any]:
        import numpy

        raw = fingerprint.unpacked(code)
        far = numpy.array([chromaprint.error_rate(raw, each) for each in self._sounds], dtype=float)
        places = (far <= CHROMAPRINT_MOST).nonzero()[0]
        return places, far[places]

    def _load(self) -> None:
        """Take in what was folded since; all anew where something was taken out."""
        import numpy

        taken_out = self._alike.taken_out
        if taken_out != self._taken_out:
            self._empty()
            self._taken_out = taken_out
        pictures = []
        for shape in self._alike.shapes(self._last):
            self._last = shape.position
            told = self._told[shape.kind]
            if shape.kind == "pdq":
                pictures.append(shape.value.hex())
            elif shape.kind == "tlsh":
                self._files = _with_room(self._files, told.count)
                self._files[told.count] = numpy.frombuffer(shape.value, dtype=numpy.uint8)
            else:
                self._sounds.append(shape.value)
            told.add(shape.position, shape.audience, shape.exercise)
        if pictures:
            self._pictures.add(pdq.words(pictures))
