"""What a leaf commits to: everything that somebody needs to compute it again by themselves."""

from __future__ import annotations

import msgspec

from bayanihan.core.marking import Audience, Viewer, told_origin
from bayanihan.ledger.engine import Store
from bayanihan.ledger.entry import (
    KIND_NUMBER,
    audience_digest,
    erasable_bytes,
    header_bytes,
    leaf_hash,
)
from bayanihan.ledger.rows import entry_of_columns


class Evidence(msgspec.Struct, frozen=True):
    """One entry's header and erasable part, with the salt: the pre-image of its leaf.

    Hashes and the salt are hexadecimal. The body is not repeated; its digest is `digest`.
    """

    position: int
    stamp_us: int
    kind: str
    exercise: bool
    audience: int
    audience_definition: Audience
    author: str
    origin: str
    collection: str
    object_id: str
    version_us: int
    original: str
    digest: str
    salt: str
    leaf: str


def evidence_of(store: Store, position: int) -> Evidence | None:
    """The evidence of an entry, whoever may see it; None when absent or erased."""
    row = store.row(position)
    if row is None:
        return None
    entry, salt = entry_of_columns(row)
    if entry.erased:
        return None
    number = entry.header.audience
    return Evidence(
        position,
        entry.stamp_us,
        entry.header.kind,
        entry.header.exercise,
        number,
        store.audiences()[number - 1],
        entry.author,
        entry.origin,
        entry.collection,
        entry.object_id,
        entry.version_us,
        entry.original.hex(),
        entry.digest.hex(),
        salt.hex(),
        entry.header.leaf.hex(),
    )


def told_to(viewer: Viewer, evidence: Evidence) -> Evidence:
    """The evidence as a viewer is told it.

    Where a constituent stands behind the entry, others than its own side get no author and no
    salt: the leaf still stands in the tree, and what it commits to is its member's to show.
    With the salt the name could be found by trying all. The author is in the audience as well.
    """
    origin = told_origin(viewer, evidence.origin)
    if origin == evidence.origin:
        return evidence
    sides = {each: each.rpartition("/")[0] for each in evidence.audience_definition.persons}
    known = tuple(each for each, side in sides.items() if told_origin(viewer, side) == side)
    audience = msgspec.structs.replace(evidence.audience_definition, persons=known)
    return msgspec.structs.replace(
        evidence, origin=origin, author=origin, audience_definition=audience, salt=""
    )


def leaf_of(evidence: Evidence) -> bytes:
    """The leaf that the evidence amounts to, computed anew."""
    header = header_bytes(
        evidence.position,
        evidence.stamp_us,
        KIND_NUMBER[evidence.kind],
        evidence.exercise,
        evidence.audience,
        audience_digest(evidence.audience_definition),
    )
    erasable = erasable_bytes(
        evidence.author,
        evidence.origin,
        evidence.collection,
        evidence.object_id,
        evidence.version_us,
        bytes.fromhex(evidence.original),
        bytes.fromhex(evidence.digest),
    )
    return leaf_hash(bytes.fromhex(evidence.salt), header, erasable)
