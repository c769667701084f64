"""Signed heads of the ledger, in the form that other transparency logs use.

A checkpoint is a note: the log's name, the tree's size, its root in base64, and our own
line with the epoch; then an empty line and a signature line. Whoever keeps an old one can
ask for a consistency proof and so notice if the record was ever rewritten.

Source: C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from bayanihan.core.signing import SigningKey, verify
from bayanihan.errors import Refused

_ED25519 = b"\x01"
_DASH = "\N{EM DASH}"


class Checkpoint(msgspec.Struct, frozen=True):
    """What a head says: the log's name, how many leaves, the root over them, the epoch."""

    origin: str
    size: int
    root: bytes
    epoch: bytes

    def text(self) -> str:
        """The note's text, each line ended."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nepoch {self.epoch.hex()}\n"


def key_hash(name: str, public: bytes) -> bytes:
    """The four bytes that name a key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """The public key as one line: `<name>+<hash>+<key>`, to be handed to witnesses."""
    encoded = base64.b64encode(_ED25519 + public).decode()
    return f"{name}+{key_hash(name, public).hex()}+{encoded}"


def public_of(line: str) -> tuple[str, bytes]:
    """The name and the 32 bytes of a verifier key. Raises `Refused("bad-value")`."""
    try:
        name, digest, encoded = line.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise Refused("bad-value", "This is no verifier key", where="key") from None
    public = raw[1:]
    if raw[:1] != _ED25519 or len(public) != 32 or key_hash(name, public).hex() != digest:
        raise Refused("bad-value", "This is no Ed25519 verifier key", where="key")
    return name, public


def sign(checkpoint: Checkpoint, key: SigningKey) -> str:
    """The whole note, signed under the log's own name."""
    text = checkpoint.text()
    signature = key_hash(checkpoint.origin, key.public) + key.sign(text.encode())
    encoded = base64.b64encode(signature).decode()
    return f"{text}\n{_DASH} {checkpoint.origin} {encoded}\n"


def opened(note: str, name: str, public: bytes) -> Checkpoint:
    """The checkpoint of a note, once a signature by `public` under `name` is found on it.

    Raises:
        Refused: `bad-signature` without a good signature, `bad-value` for another text.
    """
    text, blank, signatures = note.rpartition("\n\n")
    text += "\n"
    wanted = key_hash(name, public)
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            continue
        if dash != _DASH or signer != name or raw[:4] != wanted:
            continue
        if blank and verify(public, text.encode(), raw[4:]):
            return _read(text)
    raise Refused("bad-signature", f"No signature of {name} on this checkpoint holds")


def _read(text: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root, epoch = lines[:4]
        checkpoint = Checkpoint(
            origin,
            int(size),
            base64.b64decode(root, validate=True),
            bytes.fromhex(epoch.removeprefix("epoch ")),
        )
    except (ValueError, binascii.Error):
        raise Refused("bad-value", "This checkpoint cannot be read") from None
    if checkpoint.text() != text or len(checkpoint.root) != 32:
        raise Refused("bad-value", "This checkpoint is not in its one form")
    return checkpoint
