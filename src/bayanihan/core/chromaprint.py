"""Comparing audio fingerprints: the same recording, sent again, cut or quieter.

It is no proof of a voice: the same words in a cloned voice are as far apart as strangers.

Source: Chromaprint's own matching, by the share of bits that differ at the best offset.
"""

from __future__ import annotations

_OFFSET_LIMIT = 80
_OVERLAP_LEAST = 16


def error_rate(one: bytes, other: bytes) -> float:
    """The share of bits that differ where two recordings fit best; 0.5 for strangers.

    Args:
        one: 32-bit numbers, little-endian, about eight a second.
        other: the same.
    """
    import numpy

    left = numpy.frombuffer(one[: len(one) // 4 * 4], dtype="<u4")
    right = numpy.frombuffer(other[: len(other) // 4 * 4], dtype="<u4")
    best = 1.0
    for offset in range(-_OFFSET_LIMIT, _OFFSET_LIMIT + 1):
        a, b = (left[offset:], right) if offset >= 0 else (left, right[-offset:])
        size = min(len(a), len(b))
        if size >= max(_OVERLAP_LEAST, min(len(left), len(right)) // 2):
            errors = int(numpy.bitwise_count(a[:size] ^ b[:size]).sum())
            best = min(best, errors / (32 * size))
    return best
