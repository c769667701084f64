"""The Merkle tree of RFC 9162 section 2.1: roots, inclusion and consistency proofs.

Everything here is a function of hashes. Where the hashes are kept is the caller's affair:
proofs ask for the root of a perfect subtree through `Node`, a callable of (level, index),
where level 0 is the leaves and index counts the perfect subtrees of that level from 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

Node = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to append and to give the root.

    `peaks` are the roots of the perfect subtrees that the size decomposes into, widest
    first; there is one for each bit set in `size`.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError(f"{size} leaves have {size.bit_count()} peaks")

    def copy(self) -> Frontier:
        """A frontier that can be advanced without changing this one."""
        return Frontier(self.size, self.peaks)

    def append(self, leaf: bytes, completed: list[tuple[int, bytes]]) -> None:
        """Add one leaf hash; list each (tile level, hash) that this completes.

        A hash at tree level 8·t is one entry of a tile of tile level t, so the leaf itself
        is always listed as (0, leaf).
        """
        completed.append((0, leaf))
        peaks, index, level, node = self.peaks, self.size, 0, leaf
        while index & 1:
            node = hashlib.sha256(b"\1" + peaks.pop() + node).digest()
            index >>= 1
            level += 1
            if level % TILE_HEIGHT == 0:
                completed.append((level // TILE_HEIGHT, node))
        peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree so far (RFC 9162 section 2.1.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def peaks_of(size: int, node: Node) -> list[bytes]:
    """The peaks of a tree of `size` leaves, widest first."""
    peaks, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(node(level, start >> level))
            start += 1 << level
    return peaks


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, computed from nothing: the checker's own way."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf, [])
    return frontier.root()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _range_hash(start: int, end: int, node: Node) -> bytes:
    """The root of the leaves start..end-1; `start` is a multiple of the range's first peak."""
    root, cursor, peaks = b"", start, []
    while cursor < end:
        level = (end - cursor).bit_length() - 1
        peaks.append(node(level, cursor >> level))
        cursor += 1 << level
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """The proof that leaf `index` (from 0) is in the tree of `size` (section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start = middle
    path.reverse()
    return path


def consistency_path(old: int, new: int, node: Node) -> list[bytes]:
    """The proof that the tree of `new` extends that of `old` (section 2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} does not extend one of {old}")
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start, whole = middle, False
    if not whole:
        path.append(_range_hash(start, end, node))
    path.reverse()
    return path


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            value = node_hash(sibling, value)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        number >>= 1
        last >>= 1
    return last == 0 and value == root


def verify_consistency(
    old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Check a consistency proof (RFC 9162 section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = list(path)
    if old & old - 1 == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        number >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root
