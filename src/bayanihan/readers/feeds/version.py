"""One version of a feed for one class of rights, as it is served."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

import msgspec

from bayanihan.readers.feeds.left_out import LeftOut
from bayanihan.readers.feeds.lines import File


def unsigned(digest: str) -> str:
    """For a hub that signs nothing."""
    return ""


class Rendered(msgspec.Struct, frozen=True, dict=True):
    """One version of a feed for one class of rights.

    `etag` is the entity tag without quotes and the `version` that the file names, `cursor`
    the sealed `position`. `held` and `not_expressed` are the first that are listed; their
    totals count all. `verified` says that the real engine accepted exactly these bytes;
    `checked` what else was done about them, in a sentence. `pages` are the other files of a
    feed that is a folder.
    """

    feed: str
    file: File
    media_type: str
    etag: str
    cursor: str
    level: str
    position: int
    changed_us: int
    boundary_us: int
    next_change_us: int
    items: int
    held: tuple[LeftOut, ...]
    held_total: int
    not_expressed: tuple[LeftOut, ...]
    not_expressed_total: int
    verified: bool = False
    checked: str = ""
    sign: Callable[[str], str] = unsigned
    pages: Mapping[str, File] = {}
    asked: int = 0

    @property
    def body(self) -> bytes:
        """The file, put together anew at each call."""
        return self.file.body()

    @property
    def digest(self) -> str:
        """SHA-256 of the file in hexadecimal; the first call reads it all."""
        return self.file.digest

    @functools.cached_property
    def signature(self) -> str:
        """The hub's over the digest, base64; "" where it has no key."""
        return self.sign(f"sha-256={self.digest}")

    @property
    def sealed(self) -> bool:
        """Whether digest and signature are known already."""
        return "signature" in self.__dict__

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return self.file.size_bytes + sum([page.size_bytes for page in self.pages.values()])

    @property
    def kept_bytes(self) -> int:
        """What it takes in memory, about."""
        return self.file.kept_bytes + sum([page.kept_bytes for page in self.pages.values()])

    def pieces(self) -> Iterator[bytes]:
        """The file, a piece at a time."""
        return self.file.pieces()
