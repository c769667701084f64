"""TLSH: what a file is like, whatever a few changes did to it (version 1, 128 buckets).

A digest names what a file is like and never one file. Small or monotonous files have none.

Source: Oliver, Cheng, Chen, "TLSH: a locality sensitive hash" (2013), as its reference
implementation computes it: a window of 5 bytes, 6 triplets, one byte of checksum. Written
anew; held to the reference's own vectors by the tests.
"""

from __future__ import annotations

import math
from typing import Any

# Pearson's permutation, which the digests depend on.
_TABLE = bytes.fromhex(
    "0157310cb0b266a679c10654f9e62ca30ec5d5b5a155da5040ef18e2ec8e26c8"
    "6eb168678dfdff324d6551122d601fde196bbe4656edf02248f214d6f4e395eb"
    "61ea39163cfa52afd0057fc76f3e87f8aea9d33a429a6ac3f5ab11bbb6b300f3"
    "8438944b80859e64827e5b0d99f6d8db7744df4e5358c9637a0b5c208872340a"
    "8a1e30b79c233d1a8f4afb5e81a23f98aa0773a7f1ce0396373b97dc5a351783"
    "7dad0fee4f5f59106989e1e0d9a0257b7649029d2e74099186e4cfd4cad745e5"
    "1bbc437ca8fc2a041d6c15f713cd27cbe928ba93c6c09b21a4bf62cca5b4754c"
    "8c24d2ac29369f08b9e871c4e72f927833411c90fedd5dbdc28b702b476db8d1"
)
_LEAST_BYTES = 50
LIMIT_BYTES = 8 * 1024 * 1024
_BUCKETS = 128
# (salt, the two older bytes of the window that go with the newest)
_TRIPLETS = ((2, 1, 2), (3, 1, 3), (5, 2, 3), (7, 2, 4), (11, 1, 4), (13, 3, 4))


def digest(data: bytes) -> str:
    """The digest, `T1` and 70 digits; "" for what is too short, too long or too monotonous."""
    import numpy

    if not _LEAST_BYTES <= len(data) <= LIMIT_BYTES:
        return ""
    table = numpy.frombuffer(_TABLE, dtype=numpy.uint8)
    raw = numpy.frombuffer(data, dtype=numpy.uint8)
    window = [raw[4 - back : len(raw) - back] for back in range(5)]
    counts = numpy.zeros(256, dtype=numpy.int64)
    for salt, second, third in _TRIPLETS:
        mixed = table[table[table[_TABLE[salt] ^ window[0]] ^ window[second]] ^ window[third]]
        counts += numpy.bincount(mixed, minlength=256)
    buckets = counts[:_BUCKETS]
    ordered = numpy.sort(buckets)
    q1, q2, q3 = (int(ordered[_BUCKETS * part // 4 - 1]) for part in (1, 2, 3))
    if q3 == 0 or int((buckets > 0).sum()) <= _BUCKETS // 2:
        return ""
    check = 0
    for step in table[table[_TABLE[0] ^ window[0]] ^ window[1]].tolist():
        check = _TABLE[step ^ check]
    levels = (buckets > q1).astype(int) + (buckets > q2) + (buckets > q3)
    body = levels.reshape(32, 4) @ numpy.array([1, 4, 16, 64])
    head = (check, _length(len(data)), (q1 * 100 // q3 % 16) | (q2 * 100 // q3 % 16) << 4)
    swapped = bytes([(byte & 15) << 4 | byte >> 4 for byte in head])
    return "T1" + (swapped + bytes(body[::-1].tolist())).hex().upper()


def _length(size: int) -> int:
    if size <= 656:
        return int(math.log(size) / 0.4054651) & 255
    if size <= 3199:
        return int(math.log(size) / 0.26236426 - 8.72777) & 255
    return int(math.log(size) / 0.095310180 - 62.5472) & 255


def rows(digests: list[str]) -> Any:
    """Digests as the rows of an array of 35 bytes each, for `distances`."""
    import numpy

    whole = bytes.fromhex("".join([each[-70:] for each in digests]))
    return numpy.frombuffer(whole, dtype=numpy.uint8).reshape(len(digests), 35)


def distance(one: str, other: str) -> int:
    """How far two digests are apart: 0 for alike, below 50 for variants, 300 for strangers."""
    return int(distances(rows([one])[0], rows([other]))[0])


def distances(one: Any, others: Any) -> Any:
    """The distance of one row to each of many, as `rows` makes them."""
    import numpy

    check = (others[:, 0] != one[0]).astype(numpy.int32)
    length = _around(_swap(one[1]), _swap(others[:, 1]), 256)
    total = check + numpy.where(length <= 1, length, length * 12)
    for shift in (4, 0):
        apart = _around(one[2] >> shift & 15, others[:, 2] >> shift & 15, 16)
        total += numpy.where(apart <= 1, apart, (apart - 1) * 12)
    return total + _pair_table()[one[3:], others[:, 3:]].sum(axis=1)


def _swap(byte: Any) -> Any:
    return (byte & 15) << 4 | byte >> 4


def _around(one: Any, others: Any, size: int) -> Any:
    import numpy

    apart = numpy.abs(numpy.int32(one) - others.astype(numpy.int32))
    return numpy.minimum(apart, size - apart)


_PAIRS: list[Any] = []


def _pair_table() -> Any:
    """The distance of two bytes of the body: of four pairs of bits, 3 counting as 6."""
    import numpy

    if not _PAIRS:
        found = numpy.zeros((256, 256), dtype=numpy.int32)
        values = numpy.arange(256)
        for shift in (0, 2, 4, 6):
            part = values >> shift & 3
            apart = numpy.abs(part[:, None] - part[None, :])
            found += numpy.where(apart == 3, 6, apart)
        _PAIRS.append(found)
    return _PAIRS[0]
