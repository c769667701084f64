"""The entry: what the ledger holds, and how it is committed to the Merkle tree.

An entry has a public header, frozen for ever, and an erasable part that goes as one. The
header's `leaf` commits to both, with 32 random bytes of salt, so that a neighbour's leaf
cannot be guessed and a proof stays valid after the erasable part is gone.
"""

from __future__ import annotations

import hashlib
import struct

import msgspec

from bayanihan.core.marking import Audience

# The order is part of the leaf: append to it, never change it.
KINDS = (
    "object",
    "withdrawn",
    "erased",
    "registry",
    "notice",
    "answer",
    "attestation",
    "decision",
)
KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}

SALT_SIZE_BYTES = 32

_HEADER = struct.Struct(">QQBBI")
_LENGTHS = struct.Struct(">7I")


class Draft(msgspec.Struct, frozen=True):
    """What a room hands to `append`: everything but what the writer gives.

    `version_us` is the object's own version in UTC microseconds, or None where it has none:
    then the stamp becomes its version. An unversioned `object` with equal bytes is a
    duplicate; an unversioned draft of any other kind is a fact of its own, however often it
    is said (a name changed to A, to B and to A again). A room that wants such a fact to be
    repeatable gives it a version.
    `original` is the SHA-256 of what was submitted where `body` is an upgrade of it.
    """

    kind: str
    audience: Audience
    author: str
    origin: str
    object_id: str
    body: bytes
    version_us: int | None = None
    exercise: bool = False
    collection: str = ""
    original: bytes = b""


class Header(msgspec.Struct, frozen=True):
    """The public, frozen part of an entry."""

    position: int
    stamp_us: int
    kind: str
    audience: int
    exercise: bool
    leaf: bytes


class Entry(msgspec.Struct, frozen=True):
    """A header with its erasable part. The body is read apart, through `body`.

    After erasure `erased` is true and every field of the erasable part is empty.
    """

    header: Header
    author: str
    origin: str
    collection: str
    object_id: str
    version_us: int
    original: bytes
    digest: bytes
    size_bytes: int
    erased: bool = False

    @property
    def position(self) -> int:
        """1, 2, 3 ... as given by the one writer."""
        return self.header.position

    @property
    def stamp_us(self) -> int:
        """Strictly increasing UTC microseconds, as given by the one writer."""
        return self.header.stamp_us


class Appended(msgspec.Struct, frozen=True):
    """The outcome of one draft: `accepted`, `duplicate` or `conflict`.

    `position` is the entry's own, or that of the entry it repeats or contradicts.
    """

    outcome: str
    position: int
    stamp_us: int


def audience_digest(audience: Audience) -> bytes:
    """SHA-256 over the audience's one canonical form."""
    return hashlib.sha256(msgspec.json.encode(audience)).digest()


def header_bytes(
    position: int, stamp_us: int, kind: int, exercise: bool, audience: int, digest: bytes
) -> bytes:
    """The header as the leaf commits to it. `digest` is the audience's."""
    return _HEADER.pack(position, stamp_us, kind, exercise, audience) + digest


def erasable_bytes(
    author: str,
    origin: str,
    collection: str,
    object_id: str,
    version_us: int,
    original: bytes,
    body_digest: bytes,
) -> bytes:
    """The erasable part as the leaf commits to it: the seven lengths, then the fields."""
    fields = (
        author.encode(),
        origin.encode(),
        collection.encode(),
        object_id.encode(),
        b"%d" % version_us,
        original,
        body_digest,
    )
    return _LENGTHS.pack(*map(len, fields)) + b"".join(fields)


def leaf_hash(salt: bytes, header: bytes, erasable: bytes) -> bytes:
    """Leaf = H(0 || salt || header || H(erasable part)), RFC 9162 section 2.1.1."""
    return hashlib.sha256(b"\0" + salt + header + hashlib.sha256(erasable).digest()).digest()
