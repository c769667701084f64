"""Has this been said before? Keyed 64-bit hashes of what makes an entry the same entry.

Identity is (kind, origin, object id, version, audience), so that "duplicate" and "conflict"
are judged only against the submitter's own entries in the same audience and tell nothing
of any other. The hash is keyed with a secret that never leaves the hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bayanihan.ledger.engine import Row, Store
from bayanihan.ledger.entry import KINDS, Entry
from bayanihan.ledger.runs import ERASED_KEY, RECENT_LIMIT, SortedRuns

_FILL_PAGE = 10_000


class IdentityKeys:
    """The keyed hashes, whoever keeps them.

    Args:
        key: the secret hash key of this ledger.
    """

    def __init__(self, key: bytes) -> None:
        self._hash = hashlib.blake2b(key=key, digest_size=8)

    def _key(self, text: bytes) -> int:
        state = self._hash.copy()
        state.update(text)
        return int.from_bytes(state.digest(), "big")

    def key(
        self,
        kind: str,
        origin: str,
        object_id: str,
        audience: int,
        version_us: int | None,
        digest: bytes,
    ) -> int:
        """The identity of what is said to an interned audience.

        What has no version of its own is the same only when its bytes are.
        """
        head = f"{kind}\0{origin}\0{object_id}\0{audience}\0{version_us}\0"
        return self._key(head.encode() + (digest if version_us is None else b""))

    def object_key(self, object_id: str) -> int:
        """The key of an object id."""
        return self._key(b"\1" + object_id.encode())

    def keys_of(self, entry: Entry) -> tuple[int, int]:
        """The identity and the object key of an entry that is not erased."""
        version_us = None if entry.version_us == entry.stamp_us else entry.version_us
        header = entry.header
        same = self.key(
            header.kind, entry.origin, entry.object_id, header.audience, version_us, entry.digest
        )
        return same, self.object_key(entry.object_id)


class Identity(IdentityKeys):
    """Two sorted-run indexes over all entries: by identity, and by object id.

    Args:
        folder: where their files live; they may be deleted and are filled in again.
        key: the secret hash key of this ledger.
        recent_limit: passed to `SortedRuns`.
    """

    def __init__(self, folder: Path, key: bytes, *, recent_limit: int | None = None) -> None:
        limit = RECENT_LIMIT if recent_limit is None else recent_limit
        super().__init__(key)
        self._same = SortedRuns(folder / "identity", recent_limit=limit)
        self._objects = SortedRuns(folder / "objects", recent_limit=limit)

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

    def fill(self, store: Store) -> None:
        """Enter what the ledger holds beyond the indexes: at start, after a crash."""
        length = store.last()[0]
        for index in (self._same, self._objects):
            if index.reached > length:  # the files are of a longer history than this one
                index.clear()
            while page := store.facts(index.reached, _FILL_PAGE):
                for row in page:
                    same, object_key = self._keys_of_row(row)
                    index.add(same if index is self._same else object_key, row[0])

    def _keys_of_row(self, row: Row) -> tuple[int, int]:
        _, stamp, kind, audience, _, _, author, origin, _, object_id, version, _, digest, _ = row
        if author is None:
            return ERASED_KEY, ERASED_KEY
        # An object without a version of its own was given its stamp as version.
        version_us = None if version == stamp else version
        same = self.key(KINDS[kind], origin, object_id, audience, version_us, digest)
        return same, self.object_key(object_id)

    def forget_recent(self, entries: Sequence[Entry]) -> None:
        """Take erased entries, as they were, out of memory; on the adding thread alone."""
        self._same.forget_recent([(self.keys_of(entry)[0], entry.position) for entry in entries])
        self._objects.forget_recent([(self.keys_of(e)[1], e.position) for e in entries])

    def forget(self, entries: Sequence[Entry]) -> None:
        """Take erased entries, as they were, out of the files; after `forget_recent`.

        Raises `OSError` when a file cannot be written.
        """
        self._same.forget([(self.keys_of(entry)[0], entry.position) for entry in entries])
        self._objects.forget([(self.keys_of(entry)[1], entry.position) for entry in entries])

    def forget_positions(self, positions: Sequence[int]) -> None:
        """Take entries out of the files that a crash kept `forget` from; at opening alone.

        Raises `OSError` when a file cannot be written.
        """
        self._same.forget_positions(positions)
        self._objects.forget_positions(positions)

    def close(self) -> None:
        """Write both indexes out, so that the next start is quick, and let go of the files."""
        self._same.close()
        self._objects.close()
