"""Sealing: from drafts to rows with position, stamp, salt and leaf.

Everything here works on a `Batch` beside the writer's memory; nothing is kept of it until
the batch is committed and absorbed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayanihan.core.marking import Audience, canonical
from bayanihan.core.merkle import Frontier
from bayanihan.core.same import same_content
from bayanihan.ledger.engine import Identities, Store
from bayanihan.ledger.entry import (
    KIND_NUMBER,
    SALT_SIZE_BYTES,
    Appended,
    Draft,
    audience_digest,
    erasable_bytes,
    header_bytes,
    leaf_hash,
)
from bayanihan.ledger.gaps import AHEAD_US, Random, gaps

Interned = tuple[int, bytes]


@dataclass(slots=True)
class Batch:
    """What one transaction will add: rows, their places in the indexes, tree and audiences.

    `size` is how many drafts it takes, and `gaps` what lies between their stamps.
    """

    before: int
    position: int
    stamp_us: int
    frontier: Frontier
    size: int
    gaps: Iterator[int] | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    keys: dict[int, list[int]] = field(default_factory=dict)
    indexed: list[tuple[int, int, int]] = field(default_factory=list)
    completed: list[tuple[int, bytes]] = field(default_factory=list)
    audiences: dict[Audience, Interned] = field(default_factory=dict)
    interned: list[tuple[int, Audience]] = field(default_factory=list)
    newest: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Held:
    """An earlier entry, as far as a repetition is judged by it."""

    stamp_us: int
    what: tuple[str, int, str, str]
    version_us: int
    digest: bytes
    body: bytes | None


class Sealer:
    """Gives drafts their place, or finds the entry that they repeat.

    Args:
        store: read for earlier entries.
        identity: finds the entries that a draft may repeat.
        random: for salts and for the gaps between stamps.
    """

    def __init__(self, store: Store, identity: Identities, random: Random) -> None:
        self._store = store
        self._identity = identity
        self._random = random
        self._audiences: dict[Audience, Interned] = {}
        self._learnt = 0
        self.learn()

    def seal(self, batch: Batch, drafts: Sequence[Draft], now_us: int) -> list[Appended]:
        """Add drafts to a batch: the outcome of each, in order."""
        if batch.gaps is None:
            room_us = now_us + AHEAD_US - max(batch.stamp_us, now_us)
            batch.gaps = iter(gaps(batch.size, room_us, self._random))
        audiences = [self._intern(batch, draft.audience) for draft in drafts]
        digests = [hashlib.sha256(draft.body).digest() for draft in drafts]
        keys = [
            self._identity.key(
                draft.kind, draft.origin, draft.object_id, number, draft.version_us, digest
            )
            for draft, (number, _), digest in zip(drafts, audiences, digests, strict=True)
        ]
        known = self._identity.positions(keys)
        salts = self._random(SALT_SIZE_BYTES * len(drafts))
        appended = []
        for at, (draft, audience, digest, key) in enumerate(
            zip(drafts, audiences, digests, keys, strict=True)
        ):
            candidates = [*known.get(key, ()), *batch.keys.get(key, ())]
            found = candidates and self._repeated(batch, draft, audience[0], digest, candidates)
            if not found:
                salt = salts[at * SALT_SIZE_BYTES : (at + 1) * SALT_SIZE_BYTES]
                found = self._number(batch, draft, audience, digest, salt, now_us)
                batch.keys.setdefault(key, []).append(batch.position)
                batch.indexed.append(
                    (key, self._identity.object_key(draft.object_id), batch.position)
                )
            appended.append(found)
        return appended

    def learn(self) -> None:
        """Take over audiences that were interned elsewhere."""
        audiences = self._store.audiences()
        for number in range(self._learnt, len(audiences)):
            audience = audiences[number]
            self._audiences[audience] = (number + 1, audience_digest(audience))
        self._learnt = len(audiences)

    def absorb(self, batch: Batch) -> None:
        """Take over what a batch added, once it is committed."""
        self._audiences.update(batch.audiences)
        for key, object_key, position in batch.indexed:
            self._identity.add(key, object_key, position)

    def _intern(self, batch: Batch, audience: Audience) -> Interned:
        found = self._audiences.get(audience) or batch.audiences.get(audience)
        if found:
            return found
        one = canonical(audience)
        found = self._audiences.get(one) or batch.audiences.get(one)
        if found is None:
            number = len(self._store.audiences()) + len(batch.interned) + 1
            found = batch.audiences[one] = (number, audience_digest(one))
            batch.interned.append((number, one))
        batch.audiences[audience] = found
        return found

    def _repeated(
        self, batch: Batch, draft: Draft, audience: int, digest: bytes, candidates: list[int]
    ) -> Appended | None:
        """The earlier entry that this draft repeats or contradicts, if one really does."""
        if draft.version_us is None and draft.kind != "object":
            return None
        for position in candidates:
            held = self._held(batch, position)
            if not held or held.what != (draft.kind, audience, draft.origin, draft.object_id):
                continue  # erased, or another identity with the same 64-bit key
            if held.digest == digest:
                return Appended("duplicate", position, held.stamp_us)
            if draft.version_us is None or held.version_us != draft.version_us:
                continue
            body = held.body if held.body is not None else self._store.body(position)
            same = body is not None and same_content(body, draft.body)
            return Appended("duplicate" if same else "conflict", position, held.stamp_us)
        return None

    def _held(self, batch: Batch, position: int) -> _Held | None:
        if position > batch.before:
            row = batch.rows[position - batch.before - 1]
            what = (_KIND_OF_NUMBER[row[2]], row[3], row[7], row[9])
            return _Held(row[1], what, row[10], row[13], row[15])
        entry = self._store.entry(position)
        if entry is None or entry.erased:
            return None
        what = (entry.header.kind, entry.header.audience, entry.origin, entry.object_id)
        return _Held(entry.stamp_us, what, entry.version_us, entry.digest, None)

    def _number(
        self,
        batch: Batch,
        draft: Draft,
        audience: Interned,
        digest: bytes,
        salt: bytes,
        now_us: int,
    ) -> Appended:
        position = batch.position = batch.position + 1
        assert batch.gaps is not None
        stamp_us = max(batch.stamp_us + next(batch.gaps), now_us)
        if stamp_us == draft.version_us:
            stamp_us += 1  # version = stamp marks what has no version of its own
        batch.stamp_us = stamp_us
        version_us = stamp_us if draft.version_us is None else draft.version_us
        kind, (number, definition) = KIND_NUMBER[draft.kind], audience
        author, origin, collection = draft.author, draft.origin, draft.collection
        object_id, original, body = draft.object_id, draft.original, draft.body
        leaf = leaf_hash(
            salt,
            header_bytes(position, stamp_us, kind, draft.exercise, number, definition),
            erasable_bytes(author, origin, collection, object_id, version_us, original, digest),
        )
        batch.frontier.append(leaf, batch.completed)
        batch.newest[number] = position
        batch.rows.append(
            (
                *(position, stamp_us, kind, number, int(draft.exercise), leaf),
                *(author, origin, collection, object_id, version_us),
                *(original, salt, digest, len(body), body),
            )
        )
        return Appended("accepted", position, stamp_us)


_KIND_OF_NUMBER = {number: kind for kind, number in KIND_NUMBER.items()}
