r"""What changed between two versions of a feed, and a digest that both sides can follow.

A feed's file is a head, then lines in order, each once, then a tail. A `Delta` gives the new
head and tail, and the lines to add and to remove. Both are said as they are in the end, not
as steps: a line to add may be there already, and one to remove may be gone, so that one
delta serves every version that bore the same cursor. Where lines are texts of several lines,
`end` says what ends each of them.

The digest of a file is that of its head, its tail and its chunks. A chunk ends behind a line
whose CRC-32 divides by `CHUNK_LINES`, so that where chunks end follows from the lines alone,
and a change of some lines changes some chunks and no others:

    SHA-256("bayanihan-tree-1\n" + SHA-256(head) + SHA-256(tail) + SHA-256(chunk 1) + ...)
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bayanihan.errors import Refused

CHUNK_LINES = 256
MEDIA_TYPE = "application/vnd.bayanihan.feed-delta+json"

_PREFIX = b"bayanihan-tree-1\n"


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """From the versions of `since` to the version of `cursor`.

    `head_lines` and `tail_lines` are how many lines the old file's head and tail have,
    `head` and `tail` the new ones. `digest` is `tree-sha-256=` and the result's digest in
    hexadecimal, `signature` the hub's over it, see `signed_text`.
    """

    feed: str
    since: str
    cursor: str
    etag: str
    digest: str
    signature: str
    items: int
    head_lines: int
    tail_lines: int
    head: tuple[str, ...]
    tail: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    end: str = "\n"


class Parts(msgspec.Struct, frozen=True):
    """A file in its parts: head and tail with their ends of line, and the chunks."""

    head: bytes
    chunks: tuple[bytes, ...]
    tail: bytes
    digests: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """`tree-sha-256=` and the digest in hexadecimal."""
        return tree_digest(self.head, self.digests, self.tail)

    def body(self) -> bytes:
        """The file."""
        return b"".join((self.head, *self.chunks, self.tail))


def tree_digest(head: bytes, digests: Iterable[bytes], tail: bytes) -> str:
    """`tree-sha-256=` and the digest of a file in hexadecimal, from those of its chunks."""
    whole = hashlib.sha256(_PREFIX)
    for part in (head, tail):
        whole.update(hashlib.sha256(part).digest())
    whole.update(b"".join(digests))
    return f"tree-sha-256={whole.hexdigest()}"


def ends_chunk(line: bytes) -> bool:
    """Whether a chunk ends behind a line, given without its end."""
    return zlib.crc32(line) % CHUNK_LINES == 0


def parts(head: Sequence[str], lines: Iterable[str], tail: Sequence[str], end: str = "\n") -> Parts:
    """A file of these lines, given without their ends. `lines` ascend, each comes once."""
    return assembled(head, _chunks([line.encode() for line in lines], end.encode()), tail)


def assembled(head: Sequence[str], chunks: Sequence[bytes], tail: Sequence[str]) -> Parts:
    """A file of chunks that are cut already."""
    return Parts(
        _joined(head),
        tuple(chunks),
        _joined(tail),
        tuple([hashlib.sha256(chunk).digest() for chunk in chunks]),
    )


def apply(body: bytes, delta: Delta) -> bytes:
    """The file after a delta.

    Args:
        body: the file of a version that bore the cursor `delta.since`.
        delta: what changed.

    Raises:
        Refused: `bad-value` when the result has another digest: fetch the whole file.
    """
    begin, stop = _between(body, delta)
    lines = _merged(_lines(body, begin, stop, delta.end.encode()), delta)
    result = assembled(delta.head, _chunks(lines, delta.end.encode()), delta.tail)
    if result.digest != delta.digest:
        raise Refused("bad-value", "The changed file has another digest", where="digest")
    return result.body()


def signed_text(feed: str, cursor: str, digest: str) -> bytes:
    """What a hub signs about a version: its feed, its cursor and the digest with its label."""
    return f"bayanihan-feed-1\n{feed}\n{cursor}\n{digest}\n".encode()


def _between(body: bytes, delta: Delta) -> tuple[int, int]:
    """Where the lines between head and tail begin and stop."""
    wrong = Refused("bad-value", "The file is not one that this delta changes", where="since")
    if delta.head_lines < 0 or delta.tail_lines < 0 or not delta.end:
        raise wrong
    begin, stop = 0, body.rfind(b"\n") + 1
    for _ in range(delta.head_lines):
        begin = body.find(b"\n", begin) + 1
        if not begin:
            raise wrong
    for _ in range(delta.tail_lines):
        if stop <= begin:
            raise wrong
        stop = body.rfind(b"\n", 0, stop - 1) + 1
    if stop < begin:
        raise wrong
    return begin, stop


def _lines(body: bytes, begin: int, stop: int, end: bytes) -> Iterator[bytes]:
    """The lines between two places, one at a time: a file may be large."""
    while (at := body.find(end, begin, stop)) >= 0:
        yield body[begin:at]
        begin = at + len(end)


def _merged(lines: Iterable[bytes], delta: Delta) -> Iterator[bytes]:
    """Ascending lines with those that shall be there, and without those that shall not."""
    removed = {line.encode() for line in delta.removed}
    added = sorted({line.encode() for line in delta.added})
    removed.difference_update(added)
    at = 0
    for line in lines:
        while at < len(added) and added[at] <= line:
            if added[at] < line:
                yield added[at]
            at += 1
        if line not in removed:
            yield line
    yield from added[at:]


def _chunks(lines: Iterable[bytes], end: bytes) -> list[bytes]:
    """Lines as chunks, each line with its end."""
    chunks: list[bytes] = []
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if ends_chunk(line):
            chunks.append(end.join((*chunk, b"")))
            chunk = []
    if chunk:
        chunks.append(end.join((*chunk, b"")))
    return chunks


def _joined(lines: Sequence[str]) -> bytes:
    return "".join([f"{line}\n" for line in lines]).encode()
