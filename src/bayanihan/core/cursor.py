"""Cursors: where a reader stands, as a token from which nothing can be read.

A cursor is (epoch, position), encrypted deterministically (AES-SIV, RFC 5297), so that
the same place is the same token, no count or gap can be read from it, and a forged one is
noticed. It holds no rights: these are checked anew at each use.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from bayanihan.errors import Refused

EPOCH_SIZE_BYTES = 8

# Of a token, in characters of base64url.
TOKEN_SIZE = 43


class Cursors:
    """Seals and opens the cursors of one hub.

    Args:
        key: 32 secret bytes that never leave the hub.
        epoch: the 8-byte id of the ledger's history.
    """

    def __init__(self, key: bytes, epoch: bytes) -> None:
        self._cipher = AESSIV(key)
        self._epoch = epoch

    def seal(self, position: int) -> str:
        """The token of a position; 43 characters of base64url."""
        sealed = self._cipher.encrypt(self._epoch + position.to_bytes(8, "big"), None)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, token: str, *, where: str = "after") -> int:
        """The position of a token; "" is the beginning.

        Raises:
            Refused: `bad-cursor` for what this hub never sealed; `reset` for a token of
                an earlier epoch.
        """
        if not token:
            return 0
        try:
            padded = token + "=" * (-len(token) % 4)
            plain = self._cipher.decrypt(base64.b64decode(padded, b"-_", validate=True), None)
        except (InvalidTag, binascii.Error, ValueError):
            raise Refused("bad-cursor", "This cursor is not of this hub", where=where) from None
        if plain[:EPOCH_SIZE_BYTES] != self._epoch:
            raise Refused(
                "reset", "This cursor is older than the hub's present history", where=where
            )
        return int.from_bytes(plain[EPOCH_SIZE_BYTES:], "big")
