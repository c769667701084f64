"""PDQ: what a picture looks like, in 256 bits that survive resizing and compression.

A crop changes the whole hash, so that a picture is told by several: the whole and its inner
parts. Two pictures are alike when any two of theirs differ in 31 bits or fewer.

Source: Meta, "The TMK+PDQF video-hashing and PDQ image-hashing algorithms" (2019). Written
anew; held to the reference by the tests.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from bayanihan.core.near_bits import BITS_MOST, apart

__all__ = ["BITS_APART", "INNER", "LEAST_QUALITY", "Picture", "apart", "hashes", "words"]

BITS_APART = BITS_MOST
# Less detail than this, and pictures that have nothing in common look alike.
LEAST_QUALITY = 50
_SIDE, _KEPT = 64, 16
# The share of the sides that each further hash is made of, about the middle.
INNER = (0.94, 0.88, 0.8)


class Picture(msgspec.Struct, frozen=True):
    """A hash as 64 hexadecimal digits, with its quality from 0 to 100."""

    hash: str
    quality: int


def hashes(grey: Any) -> list[Picture]:
    """The hashes of a picture: the whole, then its inner parts.

    Args:
        grey: rows of luminance from 0 to 255, as an array of floats, 5 x 5 at least.
    """
    height, width = grey.shape
    found = [_hash(grey)]
    for share in INNER:
        top, left = int(height * (1 - share) / 2), int(width * (1 - share) / 2)
        part = grey[top : height - top, left : width - left]
        if min(part.shape) >= _SIDE:
            found.append(_hash(part))
    return found


def _hash(grey: Any) -> Picture:
    import numpy

    height, width = grey.shape
    smooth = grey.astype(numpy.float64)
    for _ in range(2):
        smooth = _blurred(_blurred(smooth, 1, _window(width)), 0, _window(height))
    rows = ((numpy.arange(_SIDE) + 0.5) * height / _SIDE).astype(int)
    columns = ((numpy.arange(_SIDE) + 0.5) * width / _SIDE).astype(int)
    small = smooth[rows][:, columns]
    waves = _waves()
    kept = waves @ small @ waves.T
    bits = (kept > numpy.sort(kept, axis=None)[_KEPT * _KEPT // 2 - 1]).reshape(-1)
    packed = numpy.packbits(bits[::-1]).tobytes()
    return Picture(packed.hex(), _quality(small))


def _window(side: int) -> int:
    return (side + 2 * _SIDE - 1) // (2 * _SIDE)


def _blurred(grey: Any, axis: int, window: int) -> Any:
    """Each value replaced by the mean of a window about it, shorter at the edges."""
    import numpy

    size = grey.shape[axis]
    ahead = (window + 2) // 2
    places = numpy.arange(size)
    first = numpy.maximum(0, places - (window - ahead))
    last = numpy.minimum(size, places + ahead)
    sums = numpy.cumsum(grey, axis=axis)
    zero = numpy.zeros_like(numpy.take(sums, [0], axis=axis))
    sums = numpy.concatenate([zero, sums], axis=axis)
    total = numpy.take(sums, last, axis=axis) - numpy.take(sums, first, axis=axis)
    counts = last - first
    return total / (counts[:, None] if axis == 0 else counts)


_WAVES: list[Any] = []


def _waves() -> Any:
    """The cosines 1 to 16 of a DCT over 64 values."""
    import numpy

    if not _WAVES:
        number = numpy.arange(1, _KEPT + 1)[:, None]
        place = 2 * numpy.arange(_SIDE)[None, :] + 1
        _WAVES.append(math.sqrt(2 / _SIDE) * numpy.cos(math.pi / 2 / _SIDE * number * place))
    return _WAVES[0]


def _quality(small: Any) -> int:
    import numpy

    steps = 0
    for axis in (0, 1):
        apart = numpy.trunc(numpy.diff(small, axis=axis) * 100 / 255)
        steps += int(numpy.abs(apart).sum())
    return min(100, steps // 90)


def words(hashed: list[str]) -> Any:
    """Hashes as rows of four 64-bit words, for `NearBits`."""
    import numpy

    return numpy.frombuffer(bytes.fromhex("".join(hashed)), dtype=">u8").reshape(-1, 4).astype("u8")
