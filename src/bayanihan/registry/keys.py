"""API keys: made, read and compared.

A key is `byn_<id>_<secret>`; the secret is 256 random bits, so its plain SHA-256 is safe
to keep and quick to compare: no slow password hashing on each request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import msgspec

from bayanihan.errors import Refused

PREFIX = "byn"
SCOPES = ("report", "read", "feed", "receipt", "notice", "sandbox", "regulate", "admin")
_ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 10


class Key(msgspec.Struct, frozen=True):
    """What the registry keeps of a key; never its secret.

    `member` is "" for the operator. `level` and `group` mark what this key submits
    without a marking of its own.
    """

    id: str
    digest: bytes
    member: str
    scopes: tuple[str, ...]
    constituent: str = ""
    person: str = ""
    label: str = ""
    level: str = "amber+strict"
    group: str = "region"


def make_key(entropy: Callable[[int], bytes]) -> tuple[str, str, bytes]:
    """A new key: its id, the whole text to hand over once, and the digest to keep."""
    letters = (_ID_ALPHABET[byte % len(_ID_ALPHABET)] for byte in entropy(_ID_LENGTH))
    key_id = "".join(letters)
    secret = base64.urlsafe_b64encode(entropy(32)).rstrip(b"=").decode()
    return key_id, f"{PREFIX}_{key_id}_{secret}", digest_of(secret)


def digest_of(secret: str) -> bytes:
    """SHA-256 of a key's secret part."""
    return hashlib.sha256(secret.encode()).digest()


def parts_of(text: str) -> tuple[str, str]:
    """The id and the secret of a key's text. Raises `Refused("not-signed-in")`."""
    prefix, _, rest = text.strip().partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not key_id or not secret:
        raise Refused("not-signed-in", "This is not a Bayanihan key")
    return key_id, secret


def matches(key: Key, secret: str) -> bool:
    """Whether `secret` is this key's, compared in constant time."""
    return hmac.compare_digest(key.digest, digest_of(secret))
