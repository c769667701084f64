"""Whose word an agent takes: the hub's key, given by a person or kept from the first version.

A digest shows that a file arrived as it was sent; the hub's signature over it shows that the
hub sent it. A key that was kept is never given up by itself: whoever stands between, with a
certificate or without, cannot bring rules into force here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bayanihan.agent.identity import keep
from bayanihan.core import feed_delta, signing
from bayanihan.errors import Refused, Unavailable

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_LABEL = "ed25519="


class Trust:
    """The key of one hub. The first one that signs is kept in a file, and no other after it.

    Args:
        folder: the agent's state folder.
        address: of the hub.
        given: the hub's public key in base64 from a person, which then counts alone.

    Raises:
        Refused: `bad-value` for a key that is none.
    """

    def __init__(self, folder: Path, address: str, given: str = "") -> None:
        name = hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:16]
        self.path = folder / f"hub-{name}.pub"
        self._given = _key(given, "--hub-key") if given else b""

    def check(self, feed: str, cursor: str, digest: str, signature: str, offered: str) -> None:
        """See that the hub signed a version of a feed.

        Args:
            feed: its name.
            cursor: that came with it.
            digest: of what arrived, with its label.
            signature: the header, "" where there was none.
            offered: the header with the hub's key, "" where there was none.

        Raises:
            Refused: `hub-key-changed` when another key signs than the one that is kept.
            Unavailable: `feed-damaged` when the signature is missing or not the hub's.
        """
        kept = self._given or self._kept()
        if not kept and not signature:
            return  # a hub that signs nothing, and never did
        theirs = _key(offered.removeprefix(_LABEL), "Bayanihan-Key") if offered else kept
        if kept and theirs != kept:
            message = (
                f"The hub signs with another key ({signing.fingerprint(theirs)}) than the one "
                f"that this agent trusts ({signing.fingerprint(kept)}); nothing was changed"
            )
            where = "--hub-key" if self._given else str(self.path)
            raise Refused("hub-key-changed", message, where=where)
        if not signature or not _signed(theirs, feed, cursor, digest, signature):
            message = f"The signature of {feed} is not the hub's, or is missing"
            raise Unavailable("feed-damaged", message, where="Bayanihan-Signature")
        if not kept:
            self._keep(theirs)

    def _kept(self) -> bytes:
        try:
            return _key(self.path.read_text(encoding="ascii").strip(), str(self.path))
        except FileNotFoundError:
            return b""
        except (OSError, UnicodeDecodeError) as error:
            message = f"The hub's key cannot be read: {error}"
            raise Refused("bad-value", message, where=str(self.path)) from error

    def _keep(self, key: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            keep(self.path, signing.to_text(key) + "\n")
        except OSError as error:
            message = f"The hub's key cannot be kept: {error.strerror}"
            raise Refused("cannot-write", message, where=str(self.path)) from error


def _signed(key: bytes, feed: str, cursor: str, digest: str, signature: str) -> bool:
    try:
        text = signature.removeprefix(_LABEL)
        found = signing.from_text(text, size_bytes=_SIGNATURE_BYTES, where="Bayanihan-Signature")
    except Refused:
        return False
    return signing.verify(key, feed_delta.signed_text(feed, cursor, digest), found)


def _key(text: str, where: str) -> bytes:
    return signing.from_text(text, size_bytes=_KEY_BYTES, where=where)
