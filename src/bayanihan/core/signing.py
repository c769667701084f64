"""Ed25519 keys and detached signatures over canonical JSON (RFC 8032, RFC 8785)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bayanihan.errors import Refused


def to_text(data: bytes) -> str:
    """Standard base64, as keys and signatures are written."""
    return base64.b64encode(data).decode()


def from_text(text: str, *, size_bytes: int, where: str) -> bytes:
    """The bytes behind base64 text of a known length. Raises `Refused("bad-value")`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != size_bytes:
        raise Refused("bad-value", f"Expected {size_bytes} bytes in base64", where=where)
    return data


class SigningKey:
    """An Ed25519 private key. `seed` is its 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.seed = seed
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return self._key.sign(message)


def fingerprint(public: bytes) -> str:
    """A short name for a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `message` under the 32-byte public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def canonical(document: Any) -> bytes:
    """The one spelling of a JSON document (RFC 8785). Raises `Refused("bad-value")`."""
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise Refused("bad-value", f"This cannot be written canonically: {error}") from error
