"""One version of a feed for one class of rights, as it is served."""

from __future__ import annotations

import msgspec

from bayanihan.core.feed_delta import Parts
from bayanihan.readers.feeds.parted import LeftOut


class Rendered(msgspec.Struct, frozen=True):
    """One version of a feed for one class of rights.

    `digest` is the SHA-256 of `body` in hexadecimal, `etag` the entity tag without quotes
    and the `version` that the body names, `cursor` the sealed `position`, `signature` the
    hub's over the digest, "" where it has no key. `held` and `not_expressed` are the first
    `LISTED_LIMIT`; their totals count all. `verified` says that the real engine accepted
    exactly these bytes; `checked` what else was done about them, in a sentence. `pages` are
    the other files of a feed that is a folder. `parts` has None where no deltas are made.
    """

    feed: str
    body: bytes
    media_type: str
    digest: str
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
    signature: str = ""
    pages: dict[str, bytes] = {}
    parts: Parts | None = None
    head_lines: int = 0
    tail_lines: int = 0

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.body) * (2 if self.parts else 1) + sum(map(len, self.pages.values()))
