"""Has this been said before? Keyed 64-bit hashes of what makes an entry the same entry.

Identity is (origin, object id, version, audience), so that "duplicate" and "conflict" are
judged only against the submitter's own entries in the same audience and tell nothing of
any other. The hash is keyed with a secret that never leaves the hub.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bayanihan.ledger.entry import Draft
from bayanihan.ledger.runs import SortedRuns
from bayanihan.ledger.sqlite import SqliteStore

_FILL_PAGE = 10_000


class Identity:
    """Two sorted-run indexes over all entries: by identity, and by object id.

    Args:
        folder: where their files live; they may be deleted and are filled in again.
        key: the secret hash key of this ledger.
        recent_limit: passed to `SortedRuns`.
    """

    def __init__(self, folder: Path, key: bytes, *, recent_limit: int | None = None) -> None:
        limit = {} if recent_limit is None else {"recent_limit": recent_limit}
        self._hash = hashlib.blake2b(key=key, digest_size=8)
        self._same = SortedRuns(folder / "identity", **limit)
        self._objects = SortedRuns(folder / "objects", **limit)

    def _key(self, text: bytes) -> int:
        state = self._hash.copy()
        state.update(text)
        return int.from_bytes(state.digest(), "big")

    def key(self, draft: Draft, audience: int) -> int:
        """The identity of a draft in an interned audience.

        What has no version of its own is the same only when its bytes are.
        """
        if draft.version_us is None:
            version = b"#" + hashlib.sha256(draft.body).digest()
        else:
            version = b"%d" % draft.version_us
        head = f"{draft.origin}\0{draft.object_id}\0{audience}\0"
        return self._key(head.encode() + version)

    def object_key(self, object_id: str) -> int:
        """The key of an object id."""
        return self._key(b"\1" + object_id.encode())

    def add(self, key: int, object_key: int, position: int) -> None:
        """Enter one committed entry; positions are consecutive."""
        self._same.add(key, position)
        self._objects.add(object_key, position)

    def positions(self, keys: list[int]) -> dict[int, list[int]]:
        """Where entries with these identities may stand; each must be checked by its row."""
        return self._same.find_many(keys)

    def of_object(self, object_id: str) -> list[int]:
        """Where entries about an object may stand, ascending; check each by its row."""
        return self._objects.find(self.object_key(object_id))

    def fill(self, store: SqliteStore) -> None:
        """Enter what the ledger holds beyond the files: at start, after a crash."""
        for index, by_object in ((self._same, False), (self._objects, True)):
            position = index.covered
            while page := self._page(store, position):
                for position, origin, object_id, version_us, audience, own, digest in page:
                    if by_object:
                        key = self.object_key(object_id or "")
                    else:
                        version = b"%d" % version_us if own else b"#" + (digest or b"")
                        head = f"{origin}\0{object_id}\0{audience}\0"
                        key = self._key(head.encode() + version)
                    index.add(key, position)

    @staticmethod
    def _page(store: SqliteStore, after: int) -> list[tuple[int, str, str, int, int, bool, bytes]]:
        # An object without a version of its own was given its stamp as version.
        rows = store.reading.execute(
            "SELECT position, origin, object_id, coalesce(version, 0), audience,"
            " version <> stamp, digest FROM entries WHERE position > ? ORDER BY position LIMIT ?",
            (after, _FILL_PAGE),
        )
        return rows.fetchall()

    def flush(self) -> None:
        """Write both indexes out, so that the next start is quick."""
        self._same.flush()
        self._objects.flush()
