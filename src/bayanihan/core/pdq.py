"""PDQ: what a picture looks like, in 256 bits that survive resizing and compression.

A cut of more than a fiftieth changes the whole hash, so that a picture is told by several: the
whole, what is left without a plain border, its inner parts, and what is left when one edge is
cut by so much. Two pictures are alike when any two of theirs differ in 31 bits or fewer.

Source: Meta, "The TMK+PDQF video-hashing and PDQ image-hashing algorithms" (2019). Written
anew; held to the reference by the tests.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from bayanihan.core.near_bits import BITS_MOST, apart

__all__ = [
    "BITS_APART",
    "BITS_SURE",
    "CUTS",
    "INNER",
    "LEAST_QUALITY",
    "Picture",
    "apart",
    "hashes",
    "words",
]

BITS_APART = BITS_MOST
# Many parts beside many parts come near by accident, most of all of pages that are nearly empty:
# beyond this, a likeness is worth a look and no more.
BITS_SURE = 20
# Less detail than this, and pictures that have nothing in common look alike.
LEAST_QUALITY = 50
_SIDE, _KEPT = 64, 16
# The share of the sides that each further hash is made of, about the middle.
INNER = (0.96, 0.92, 0.88, 0.84, 0.8)
# What is cut from one edge, as a share of that side.
CUTS = (0.04, 0.08, 0.12, 0.16, 0.2)
# A border is rows or columns of one shade, give or take so much of 255.
_PLAIN = 12.0


class Picture(msgspec.Struct, frozen=True):
    """A hash as 64 hexadecimal digits, with its quality from 0 to 100."""

    hash: str
    quality: int


def hashes(grey: Any, *, parts: bool = True) -> list[Picture]:
    """The hashes of a picture: the whole first, then of its parts.

    Args:
        grey: rows of luminance from 0 to 255, as an array of floats, 5 x 5 at least.
        parts: whether to tell it by its parts as well, which takes five times as long.
    """
    found = [_hash(grey)]
    if not parts:
        return found
    # Parts are compared with each other and with wholes, which forgive a coarser picture.
    half = _halved(grey)
    bare = _without_border(half)
    bases = [half, bare] if bare.shape != half.shape else [half]
    shapes = bases[1:]
    for base in bases:
        shapes += [_inner(base, share) for share in INNER]
        shapes += [part for cut in CUTS for part in _cut(base, cut)]
    found += [_hash(part) for part in shapes if min(part.shape) >= _SIDE]
    return list({each.hash: each for each in found}.values())


def _halved(grey: Any) -> Any:
    height, width = (side // 2 for side in grey.shape)
    if min(height, width) < 2 * _SIDE:
        return grey
    return grey[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))


def _without_border(grey: Any) -> Any:
    """A picture without its plain edges; as it is where hardly anything would be left."""
    import numpy

    shade = float(numpy.median(numpy.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    busy = numpy.abs(grey - shade) > _PLAIN
    rows, columns = busy.any(axis=1).nonzero()[0], busy.any(axis=0).nonzero()[0]
    if not len(rows) or min(rows[-1] - rows[0], columns[-1] - columns[0]) < _SIDE:
        return grey
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _inner(grey: Any, share: float) -> Any:
    height, width = grey.shape
    top, left = int(height * (1 - share) / 2), int(width * (1 - share) / 2)
    return grey[top : height - top, left : width - left]


def _cut(grey: Any, share: float) -> list[Any]:
    """What is left when the upper, lower, left or right edge is cut."""
    height, width = grey.shape
    rows, columns = int(height * share), int(width * share)
    return [grey[rows:], grey[: height - rows], grey[:, columns:], grey[:, : width - columns]]


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
