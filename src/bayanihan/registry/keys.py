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

from bayanihan.core.entrance_order import Limits
from bayanihan.errors import Refused

PREFIX = "byn"
SCOPES = ("report", "read", "feed", "receipt", "notice", "sandbox", "regulate", "admin")
_ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 10


class Key(msgspec.Struct, frozen=True):
    """What the registry keeps of a key; never its secret.

    `member` is "" for the operator. `level` and `group` mark what this key submits
    without a marking of its own. `until_us` is when it ends by itself, 0 for never. After a
    rotation the secret `before` opens as well, until `before_until_us`. `serves` is the member
    in whose name it reports, as its named proxy.
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
    until_us: int = 0
    before: bytes = b""
    before_until_us: int = 0
    limits: Limits = Limits()
    serves: str = ""

    def ended(self, now_us: int) -> bool:
        """Whether its time is over."""
        return 0 < self.until_us <= now_us

    def opens(self, secret: str, now_us: int) -> bool:
        """Whether `secret` is this key's now, compared in constant time."""
        digest = digest_of(secret)
        if hmac.compare_digest(self.digest, digest):
            return not self.ended(now_us)
        if now_us >= self.before_until_us or self.ended(now_us):
            return False
        return hmac.compare_digest(self.before, digest)


def make_key(entropy: Callable[[int], bytes]) -> tuple[str, str, bytes]:
    """A new key: its id, the whole text to hand over once, and the digest to keep."""
    letters = (_ID_ALPHABET[byte % len(_ID_ALPHABET)] for byte in entropy(_ID_LENGTH))
    key_id = "".join(letters)
    return key_id, *make_secret(key_id, entropy)


def make_secret(key_id: str, entropy: Callable[[int], bytes]) -> tuple[str, bytes]:
    """A new secret for a key: the whole text to hand over once, and the digest to keep."""
    secret = base64.urlsafe_b64encode(entropy(32)).rstrip(b"=").decode()
    return f"{PREFIX}_{key_id}_{secret}", digest_of(secret)


def digest_of(secret: str) -> bytes:
    """SHA-256 of a key's secret part."""
    return hashlib.sha256(secret.encode()).digest()


def parts_of(text: str) -> tuple[str, str]:
    """The id and the secret of a key's text. Raises `Refused("not-signed-in")`."""
    prefix, _, rest = text.strip().partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not key_id or not secret:
        raise Refused(
            "not-signed-in",
            "This is not a Bayanihan key",
            next_step="Copy the whole key: `byn_`, ten characters, `_` and the secret.",
        )
    return key_id, secret
