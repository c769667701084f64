"""Rows of 256 bits that are found again when up to 31 of their bits were turned.

By the pigeonhole principle: of 16 parts of 16 bits, at least one has then at most one bit
turned. So the rows that share a part with the one sought, but for one bit, hold every answer,
and each is verified. What is found is exact; only the order of the work differs from looking
at all. Rows that were added since the parts were last sorted are looked at one by one.

Source: Norouzi, Punjani, Fleet, "Fast exact search in Hamming space with multi-index hashing"
(2014).
"""

from __future__ import annotations

from typing import Any

BITS_MOST = 31
_PARTS, _PART_BITS = 16, 16
_KEYS = 1 << _PART_BITS
# So few are looked at one by one as fast as through the parts.
_UNSORTED_LEAST = 4_096
# Sorted anew when so many were added, as a share of what is sorted.
_GROWN_BY = 8


def apart(one: Any, others: Any) -> Any:
    """In how many bits one row differs from each of many; a row is four 64-bit words."""
    import numpy

    turned = numpy.bitwise_count(others ^ one)
    return turned.sum(axis=1, dtype=numpy.uint16)


class NearBits:
    """Grows by `add`, answers by `within`. Not safe to share between threads."""

    def __init__(self) -> None:
        import numpy

        self._rows = numpy.empty((1_024, 4), dtype=numpy.uint64)
        self._count = 0
        self._sorted = 0
        self._order: Any = None
        self._starts: Any = None
        turns = [0, *(1 << bit for bit in range(_PART_BITS))]
        self._turns = numpy.array(turns, dtype=numpy.int64)

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Any) -> None:
        """Take in rows of four 64-bit words; their places go on from those before."""
        import numpy

        count = self._count + len(rows)
        if count > len(self._rows):
            grown = numpy.empty((max(count, 2 * len(self._rows)), 4), dtype=numpy.uint64)
            grown[: self._count] = self._rows[: self._count]
            self._rows = grown
        self._rows[self._count : count] = rows
        self._count = count
        if count - self._sorted > max(_UNSORTED_LEAST, self._sorted // _GROWN_BY):
            self._sort()

    def _sort(self) -> None:
        import numpy

        parts = _parts(self._rows[: self._count])
        order = numpy.empty((_PARTS, self._count), dtype=numpy.uint32)
        starts = numpy.zeros((_PARTS, _KEYS + 1), dtype=numpy.int64)
        for at in range(_PARTS):
            part = numpy.ascontiguousarray(parts[:, at])
            order[at] = numpy.argsort(part, kind="stable")
            starts[at, 1:] = numpy.bincount(part, minlength=_KEYS).cumsum()
        # All parts in one line, so that one look gathers from all of them.
        self._starts = starts + numpy.arange(_PARTS)[:, None] * self._count
        self._order = order.reshape(-1)
        self._sorted = self._count

    def within(self, row: Any, most: int = BITS_MOST) -> tuple[Any, Any]:
        """The places of the rows that differ in at most so many bits, and in how many.

        Args:
            row: four 64-bit words.
            most: 31 at most, since more could be missed.
        """
        import numpy

        if not 0 <= most <= BITS_MOST:
            raise ValueError(f"most is 0 to {BITS_MOST}")
        new = numpy.arange(self._sorted, self._count)
        looked = numpy.concatenate([self._candidates(row), new])
        far = apart(row, self._rows[looked])
        near = far <= most
        places, first = numpy.unique(looked[near], return_index=True)
        return places, far[near][first]

    def _candidates(self, row: Any) -> Any:
        """The sorted rows that share a part with one, but for one bit; or all of them."""
        import numpy

        if not self._sorted:
            return numpy.arange(0)
        at = numpy.arange(_PARTS)[:, None]
        keys = _parts(row.reshape(1, 4))[0].astype(numpy.int64)[:, None] ^ self._turns[None, :]
        begin, end = self._starts[at, keys].reshape(-1), self._starts[at, keys + 1].reshape(-1)
        sizes = end - begin
        total = int(sizes.sum())
        if total >= self._sorted:  # many alike: looking at all of them is the bound
            return numpy.arange(self._sorted)
        skipped = numpy.repeat(begin - (sizes.cumsum() - sizes), sizes)
        return self._order[skipped + numpy.arange(total)].astype(numpy.int64)


def _parts(rows: Any) -> Any:
    import numpy

    return numpy.ascontiguousarray(rows).view(numpy.uint16).reshape(len(rows), _PARTS)
