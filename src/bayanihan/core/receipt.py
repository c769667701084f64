"""The receipt: a defender's signed word about one feed in one place.

It says how far a feed has come there (see `STATES`), and up to which version of the feed:
the opaque cursor that came with it. It is signed over its canonical bytes, so anyone who
holds the document and the key can check it without the hub.

Source: RFC 8785 (canonical JSON), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import re
from typing import Any, Literal, NoReturn

import msgspec

from bayanihan.core import moment, signing
from bayanihan.errors import Refused

STATES = ("fetched", "loaded", "probed", "shadow", "failed")
State = Literal["fetched", "loaded", "probed", "shadow", "failed"]

# Signed before the receipt's bytes, so that no signature made for a receipt can be shown
# as one over something else.
DOMAIN = b"bayanihan receipt v1\n"

CURSOR_LIMIT = 512
DETAIL_LIMIT = 1_000
FEED_LIMIT = 64
EXCEPT_LIMIT = 10_000
VALUE_LIMIT = 2_048

_FEED = re.compile(r"[a-z0-9]+(?:[./-][a-z0-9]+)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a defender says.

    `cursor` is the token that came with the file, `digest` the SHA-256 (hex) of the file's
    bytes. `except_` lists values of the feed that are not applied here. `at` is the
    defender's clock. `fetched`: the file is in its place; `loaded`: the engine took it;
    `probed`: the running engine was asked and blocks; `shadow`: it only watches; `failed`:
    this version is not in force, `detail` says why, and `in_force` is the cursor of the
    older version that still is, or "" when there is none.
    """

    feed: str
    cursor: str
    digest: str
    state: State
    at: str
    except_: tuple[str, ...] = msgspec.field(name="except", default=())
    detail: str = ""
    in_force: str = ""


class _Sealed(msgspec.Struct, frozen=True):
    receipt: dict[str, Any]
    public_key: str
    signature: str


def sign(receipt: Receipt, key: signing.SigningKey) -> dict[str, Any]:
    """The document `{"receipt", "public_key", "signature"}` that is sent to the hub.

    Raises:
        Refused: `bad-value` when the receipt breaks a limit that `opened` holds it to.
    """
    _check(receipt)
    body = msgspec.json.decode(msgspec.json.encode(receipt))
    return {
        "receipt": body,
        "public_key": signing.to_text(key.public),
        "signature": signing.to_text(key.sign(_message(body))),
    }


def opened(document: Any) -> tuple[Receipt, bytes]:
    """The receipt in a signed document, and the 32-byte public key that signed it.

    Properties that this version does not know are covered by the signature and kept out
    of the receipt. Whether the key may speak for anyone is the caller's question.

    Args:
        document: parsed JSON.

    Raises:
        Refused: `missing-property`, `bad-value`, `bad-signature`, with the JSON path.
    """
    sealed = _converted(document, _Sealed, "")
    public = signing.from_text(sealed.public_key, size_bytes=32, where="$.public_key")
    signature = signing.from_text(sealed.signature, size_bytes=64, where="$.signature")
    message = _message(sealed.receipt)
    receipt = _converted(sealed.receipt, Receipt, ".receipt")
    _check(receipt)
    if not signing.verify(public, message, signature):
        raise Refused(
            "bad-signature", "The signature is not that of this receipt", where="$.signature"
        )
    return receipt, public


def is_feed(name: str) -> bool:
    """Whether this could be the name of a feed."""
    return len(name) <= FEED_LIMIT and _FEED.fullmatch(name) is not None


def _message(body: dict[str, Any]) -> bytes:
    try:
        return DOMAIN + signing.canonical(body)
    except (Refused, UnicodeEncodeError):
        message = "The receipt holds a number or a text that has no one spelling."
        raise Refused("bad-value", message, where="$.receipt") from None


def _converted(value: Any, shape: type[Any], prefix: str) -> Any:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        where = f"${prefix}{path.rstrip('`')}"
        code = "missing-property" if "missing required field" in message else "bad-value"
        raise Refused(code, f"{message}.", where=where) from None


def _check(receipt: Receipt) -> None:
    """Hold a receipt to its limits."""
    if not is_feed(receipt.feed):
        _refuse("This cannot be the name of a feed", "feed")
    if not _DIGEST.fullmatch(receipt.digest):
        _refuse("The digest is 64 hex digits in lower case", "digest")
    if moment.parse(receipt.at) is None:
        _refuse("The time is no RFC 3339 time in UTC", "at")
    if not receipt.cursor:
        _refuse("The cursor of the file is missing", "cursor")
    if len(receipt.cursor) > CURSOR_LIMIT:
        _refuse(f"A cursor has {CURSOR_LIMIT} characters at most", "cursor")
    if len(receipt.in_force) > CURSOR_LIMIT:
        _refuse(f"A cursor has {CURSOR_LIMIT} characters at most", "in_force")
    if receipt.in_force and receipt.state != "failed":
        _refuse("Only a failed version leaves an older one in force", "in_force")
    if len(receipt.detail) > DETAIL_LIMIT:
        _refuse(f"The detail has {DETAIL_LIMIT} characters at most", "detail")
    if len(receipt.except_) > EXCEPT_LIMIT:
        _refuse(f"A receipt excepts {EXCEPT_LIMIT} values at most", "except")
    for number, value in enumerate(receipt.except_):
        if not 0 < len(value) <= VALUE_LIMIT:
            _refuse(f"A value has 1 to {VALUE_LIMIT} characters", f"except[{number}]")


def _refuse(message: str, place: str) -> NoReturn:
    raise Refused("bad-value", f"{message}.", where=f"$.receipt.{place}")
