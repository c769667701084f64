"""The lines of a feed in chunks, so that a change of some lines costs these and no others.

Chunks end where `core.feed_delta` says: behind a line whose CRC-32 divides by a number. So a
change of lines changes the chunks that they stand in, and the digest of the whole follows
from the digests of the chunks. Chunks are kept packed: a feed of a million lines takes a
fraction of its size.
"""

from __future__ import annotations

import functools
import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import zstandard

from bayanihan.core import feed_delta
from bayanihan.core.feed_delta import ends_chunk

_LEVEL = 1
_PACKED_MIN_BYTES = 512
# What a chunk takes beside its lines.
_CHUNK_BYTES = 300


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Some lines in order. `first` is the first of them, `kept` all with their ends, packed."""

    first: bytes
    digest: bytes
    size_bytes: int
    kept: bytes
    packed: bool
    end: bytes = b"\n"

    def text(self) -> bytes:
        """The lines with their ends."""
        if not self.packed:
            return self.kept
        return zstandard.ZstdDecompressor().decompress(self.kept, self.size_bytes)

    def lines(self) -> list[bytes]:
        """The lines without their ends."""
        return self.text().split(self.end)[:-1]


class File(msgspec.Struct, frozen=True, dict=True):
    """One file: its head and tail with their ends of line, and the chunks between."""

    head: bytes
    chunks: tuple[Chunk, ...]
    tail: bytes

    @functools.cached_property
    def size_bytes(self) -> int:
        """Of the whole."""
        return len(self.head) + sum([each.size_bytes for each in self.chunks]) + len(self.tail)

    @functools.cached_property
    def kept_bytes(self) -> int:
        """What it takes in memory, about."""
        return (
            len(self.head)
            + sum([len(each.kept) + _CHUNK_BYTES for each in self.chunks])
            + len(self.tail)
        )

    @functools.cached_property
    def tree_digest(self) -> str:
        """As `feed_delta.tree_digest`: it costs the number of chunks, not of bytes."""
        digests = [each.digest for each in self.chunks]
        return feed_delta.tree_digest(self.head, digests, self.tail)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes in hexadecimal; reads them all, once."""
        whole = hashlib.sha256()
        for piece in self.pieces():
            whole.update(piece)
        return whole.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """The bytes, a piece at a time."""
        yield self.head
        for chunk in self.chunks:
            yield chunk.text()
        yield self.tail

    def body(self) -> bytes:
        """The bytes."""
        return b"".join(self.pieces())


class Elements(File, frozen=True, dict=True):
    """A file whose lines are elements of a JSON list, each with a comma, but for the last."""

    @functools.cached_property
    def size_bytes(self) -> int:
        """Of the whole."""
        return File(self.head, self.chunks, self.tail).size_bytes - bool(self.chunks)

    def pieces(self) -> Iterator[bytes]:
        """The bytes, a piece at a time."""
        yield self.head
        for chunk in self.chunks[:-1]:
            yield chunk.text()
        for chunk in self.chunks[-1:]:
            yield chunk.text().removesuffix(b",\n") + b"\n"
        yield self.tail


class Lines:
    """The lines between head and tail: in order, each once. Not safe for two threads."""

    def __init__(self, lines: Sequence[bytes] = (), end: bytes = b"\n") -> None:
        """From lines in ascending order, each once; `end` is what ends each."""
        self._end = end
        self.chunks = list(_cut(lines, _stops(lines), end))
        self._firsts = [chunk.first for chunk in self.chunks]

    @property
    def kept_bytes(self) -> int:
        """What they take in memory, about."""
        return sum([len(chunk.kept) + _CHUNK_BYTES for chunk in self.chunks])

    def has(self, line: bytes) -> bool:
        """Whether it is there."""
        if not self.chunks:
            return False
        return line in self.chunks[self._place(line)].lines()

    def edit(self, want: Mapping[bytes, bool]) -> tuple[list[bytes], list[bytes]]:
        """Bring lines in or take them out.

        Args:
            want: for each line whether it shall be there.

        Returns:
            The lines that came and those that went, each ascending: what was so already
            is in neither.
        """
        asked: dict[int, list[bytes]] = {}
        for line in want:
            asked.setdefault(self._place(line), []).append(line)
        come: list[bytes] = []
        gone: list[bytes] = []
        # From the last to the first, so that the places of those before stay what they are.
        for place in sorted(asked, reverse=True):
            lines = self.chunks[place].lines() if self.chunks else []
            end = lines[-1:]
            came, went = _changed(lines, asked[place], want)
            if came or went:
                ends = {line for line in (*came, *end) if ends_chunk(line)}.difference(went)
                self._replace(place, lines, ends)
                come += came
                gone += went
        return sorted(come), sorted(gone)

    def _place(self, line: bytes) -> int:
        """The chunk that a line stands in or would."""
        return max(0, bisect_right(self._firsts, line) - 1)

    def _replace(self, place: int, lines: list[bytes], ends: set[bytes]) -> None:
        """Put lines in place of a chunk; what has lost its end takes the next chunk along."""
        after = place + 1
        while lines and lines[-1] not in ends and after < len(self.chunks):
            lines += self.chunks[after].lines()
            if ends_chunk(lines[-1]):
                ends.add(lines[-1])
            after += 1
        stops = sorted([bisect_right(lines, end) for end in ends])
        made = list(_cut(lines, stops, self._end))
        self.chunks[place:after] = made
        self._firsts[place:after] = [chunk.first for chunk in made]


class Shared:
    """Lines that several things may have and that are written once: how many beyond the first."""

    def __init__(self) -> None:
        self._extra: Counter[bytes] = Counter()

    def unique(self, lines: list[bytes]) -> list[bytes]:
        """The lines ascending, each once."""
        lines.sort()
        found: list[bytes] = []
        for line in lines:
            if found and found[-1] == line:
                self._extra[line] += 1
            else:
                found.append(line)
        return found

    def want(self, net: Mapping[bytes, int], has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """Which lines shall be there, where so many more or fewer have each."""
        want: dict[bytes, bool] = {}
        for line, more in net.items():
            if more > 0:
                beyond = more - (not has(line))
                want[line] = True
                if beyond:
                    self._extra[line] += beyond
            elif more < 0:
                left = self._extra.pop(line, 0) + more
                if left < 0:
                    want[line] = False
                elif left:
                    self._extra[line] = left
        return want


def ended(lines: Iterable[str]) -> bytes:
    """Lines as bytes, each with its end."""
    return "".join([f"{line}\n" for line in lines]).encode()


def changes(old: File, new: File) -> tuple[list[bytes], list[bytes]]:
    """The lines that `new` has and `old` has not, and the reverse, both ascending."""
    before = {each.digest for each in old.chunks}
    after = {each.digest for each in new.chunks}
    gone = {line for each in old.chunks if each.digest not in after for line in each.lines()}
    come = {line for each in new.chunks if each.digest not in before for line in each.lines()}
    return sorted(come - gone), sorted(gone - come)


def _changed(
    lines: list[bytes], asked: Iterable[bytes], want: Mapping[bytes, bool]
) -> tuple[list[bytes], list[bytes]]:
    """Change lines in their order; what came and what went."""
    came: list[bytes] = []
    went: list[bytes] = []
    for line in asked:
        at = bisect_left(lines, line)
        there = at < len(lines) and lines[at] == line
        if want[line] and not there:
            lines.insert(at, line)
            came.append(line)
        elif there and not want[line]:
            del lines[at]
            went.append(line)
    return came, went


def _stops(lines: Sequence[bytes]) -> list[int]:
    """Behind how many lines a chunk ends, wherever one does."""
    return [number for number, line in enumerate(lines, 1) if ends_chunk(line)]


def _cut(lines: Sequence[bytes], stops: Iterable[int], end: bytes) -> Iterator[Chunk]:
    start = 0
    for stop in (*stops, len(lines)):
        if stop > start:
            yield _chunk(lines[start:stop], end)
            start = stop


def _chunk(lines: Sequence[bytes], end: bytes) -> Chunk:
    text = end.join((*lines, b""))
    packed = len(text) >= _PACKED_MIN_BYTES
    kept = zstandard.ZstdCompressor(level=_LEVEL).compress(text) if packed else text
    return Chunk(lines[0], hashlib.sha256(text).digest(), len(text), kept, packed, end)
