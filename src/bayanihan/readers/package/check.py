"""Checks a package without the hub: signature, hashes, times and proofs, each told by itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec

from bayanihan.core import checkpoint, moment, signing
from bayanihan.core.merkle import verify_inclusion
from bayanihan.errors import Refused
from bayanihan.ledger import Evidence, leaf_of
from bayanihan.readers.package.archive import MANIFEST, SIGNATURE, unpacked

FORMAT = "bayanihan-package/1"
# Signed before the manifest's bytes, so that no signature made for one is one over anything else.
DOMAIN = b"bayanihan package v1\n"
_KEPT = "that an entry stands at {}; {} keeps the name behind it, and the rest of that proof"
CHECKPOINT, COVER = "checkpoint.txt", "cover.html"


class Listed(msgspec.Struct, frozen=True):
    """A file as the manifest lists it."""

    path: str
    sha256: str
    size_bytes: int


class Act(msgspec.Struct, frozen=True):
    """One act of the custody: what happened, when and by whose clock, by whom, and where it stands.

    `file` holds the bytes and `proof` the proof, where the exporter may see them. `withheld`
    says that a constituent of another member stands behind it, whose name that member keeps:
    the proof shows that an entry stands there and not that it is these bytes.
    """

    act: str
    object_id: str
    at: str
    at_source: str
    by: str
    held_by: str
    level: str
    position: int
    file: str = ""
    proof: str = ""
    withheld: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a package says of itself.

    `position` is the ledger's length that it shows. `personal` says whether the redacted evidence
    of its own side is in it, and `purpose` for what.
    """

    format: str
    hub: str
    verifier_key: str
    epoch: str
    case: str
    position: int
    exercise: bool
    exported_for: str
    personal: bool
    purpose: str
    custody: tuple[Act, ...]
    files: tuple[Listed, ...]


class Proof(msgspec.Struct, frozen=True):
    """The pre-image of an entry's leaf, and its inclusion path."""

    evidence: Evidence
    size: int
    path: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """What a check found: the manifest, what holds, and the key that signed it."""

    manifest: Manifest
    held: tuple[str, ...]
    key: str


def check(data: bytes, hub_key: str = "") -> Checked:
    """Check a package.

    Args:
        data: the file.
        hub_key: the verifier key that the hub must have, got by another way; "" takes the one
            that the package names, which whoever forged it may have chosen.

    Raises:
        Refused: `bad-value`, `bad-signature`, `hub-key-changed`, with what does not hold.
    """
    files = unpacked(data)
    raw, signature = files.get(MANIFEST), files.get(SIGNATURE, b"")
    if raw is None:
        raise Refused("bad-value", "It has no manifest", where=MANIFEST)
    manifest = _read(raw, Manifest, MANIFEST)
    if manifest.format != FORMAT:
        raise Refused("bad-value", "Its format is another", where=f"{MANIFEST}: format")
    name, public = checkpoint.public_of(manifest.verifier_key)
    if hub_key and checkpoint.public_of(hub_key)[1] != public:
        message = f"It is signed by {manifest.verifier_key}, which is not the hub's key"
        raise Refused("hub-key-changed", message, where=f"{MANIFEST}: verifier_key")
    signed = signing.from_text(
        signature.decode("ascii", "replace").strip(), size_bytes=64, where=SIGNATURE
    )
    if not signing.verify(public, DOMAIN + raw, signed):
        raise Refused("bad-signature", "The hub's signature does not hold", where=SIGNATURE)
    listed = {each.path: each for each in manifest.files}
    if set(listed) != set(files) - {MANIFEST, SIGNATURE}:
        raise Refused("bad-value", "The manifest lists other files than there are", where=MANIFEST)
    for path, each in listed.items():
        body = files[path]
        if (hashlib.sha256(body).hexdigest(), len(body)) != (each.sha256, each.size_bytes):
            raise Refused("bad-value", "This file was changed", where=path)
    note = files.get(CHECKPOINT, b"").decode("utf-8", "replace")
    head = checkpoint.opened(note, name, public)
    if (head.size, head.epoch.hex()) != (manifest.position, manifest.epoch):
        raise Refused("bad-value", "The checkpoint is of another moment", where=CHECKPOINT)
    proven = sum(_is_proven(act, files, head) for act in manifest.custody)
    held = (
        f"the signature of {name} over the manifest",
        f"{len(listed)} files by their SHA-256",
        f"the signed head of {head.size} entries",
        f"{proven} of {len(manifest.custody)} acts by their proofs, with their times",
        *(_KEPT.format(act.position, act.held_by) for act in manifest.custody if act.withheld),
    )
    return Checked(manifest, held, manifest.verifier_key)


def _is_proven(act: Act, files: dict[str, bytes], head: checkpoint.Checkpoint) -> bool:
    """Whether an act comes with its whole proof; a proof that does not hold is refused.

    Of what another member's constituent did there is half a proof: that the leaf stands there.
    """
    if not act.proof:
        return False
    proof = _read(files.get(act.proof, b""), Proof, act.proof)
    told = proof.evidence
    try:
        leaf = bytes.fromhex(told.leaf) if act.withheld else leaf_of(told)
        path = [base64.b64decode(node, validate=True) for node in proof.path]
    except (ValueError, KeyError, binascii.Error):
        raise Refused("bad-value", "This proof cannot be read", where=act.proof) from None
    fits = (told.position, told.object_id, told.origin, told.kind, told.audience_definition.level)
    said = (act.position, act.object_id, act.held_by, act.act, act.level)
    if fits != said or moment.render(told.stamp_us) != act.at:
        message = "The proof is of another act than the manifest says"
        raise Refused("bad-value", message, where=act.proof)
    digest = hashlib.sha256(files.get(act.file, b"")).hexdigest()
    if act.withheld != (told.salt == ""):
        raise Refused("bad-value", "The manifest says another thing of it", where=act.proof)
    sound = leaf.hex() == told.leaf and proof.size == head.size
    if not sound or not verify_inclusion(leaf, act.position - 1, head.size, path, head.root):
        raise Refused("bad-value", "This proof does not lead to the signed head", where=act.proof)
    if act.file and digest != told.digest:
        raise Refused("bad-value", "These are not the bytes of the entry", where=act.file)
    return not act.withheld


def _read(raw: bytes, shape: type[Any], where: str) -> Any:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad-value", f"This cannot be read: {error}", where=where) from None
