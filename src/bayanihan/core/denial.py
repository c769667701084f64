"""The denial: an office's signed word that something which passes as its own is not.

"This recording is not ours." It names what it denies by digests and fingerprints, or by cases, so
that nobody has to pass the forgery on. It is signed over its canonical bytes, so anyone who holds
the document and the office's key can check it without the hub.

Source: RFC 8785 (canonical JSON), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bayanihan.core import moment, signing
from bayanihan.core.fingerprint import (
    EXTENSION_ID,
    Fingerprints,
    as_extension,
    fingerprints_of,
)
from bayanihan.errors import Refused

# Signed before the denial's bytes, so that no signature made for one is one over anything else.
DOMAIN = b"bayanihan denial v1\n"
STATEMENT_LIMIT = 2_000
CASES_LIMIT = 50

_ID = re.compile(r"denial--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_CASE = re.compile(r"[a-z-]{1,40}--[0-9a-f-]{36}")


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """What an office says.

    `office` is its name as `member` registered it. `prints` are the likenesses of what is denied:
    files, texts, pictures, recordings, and never a structure, a host or a contact, which others
    may share. `cases` are ids of reported cases that it denies. `at` is the office's clock.
    """

    id: str
    member: str
    office: str
    statement: str
    at: str
    prints: Fingerprints = Fingerprints()
    cases: tuple[str, ...] = ()


class _Sealed(msgspec.Struct, frozen=True):
    denial: dict[str, Any]
    public_key: str
    signature: str


def deniable(prints: Fingerprints) -> Fingerprints:
    """What of some evidence's likenesses can be denied."""
    return msgspec.structs.replace(prints, structure=(), infrastructure=())


def sign(denial: Denial, key: signing.SigningKey) -> dict[str, Any]:
    """The document `{"denial", "public_key", "signature"}` that is sent to the hub.

    Raises:
        Refused: `bad-value` when the denial breaks a limit that `opened` holds it to.
    """
    _check(denial)
    body = msgspec.json.decode(msgspec.json.encode(denial))
    return {
        "denial": body,
        "public_key": signing.to_text(key.public),
        "signature": signing.to_text(key.sign(DOMAIN + signing.canonical(body))),
    }


def opened(document: Any) -> tuple[Denial, bytes]:
    """The denial in a signed document, and the 32-byte public key that signed it.

    Whether the key may speak for the office is the caller's question.

    Raises:
        Refused: `bad-value`, `bad-signature`, with the JSON path.
    """
    try:
        sealed = msgspec.convert(document, _Sealed)
        denial = msgspec.convert(sealed.denial, Denial)
    except msgspec.ValidationError as error:
        raise Refused("bad-value", f"This is no denial: {error}", where="$.denial") from None
    public = signing.from_text(sealed.public_key, size_bytes=32, where="$.public_key")
    signature = signing.from_text(sealed.signature, size_bytes=64, where="$.signature")
    _check(denial)
    try:
        message = DOMAIN + signing.canonical(sealed.denial)
    except UnicodeEncodeError:
        raise Refused("bad-value", "It holds a text of no spelling", where="$.denial") from None
    if not signing.verify(public, message, signature):
        text = "The signature is not that of this denial"
        raise Refused("bad-signature", text, where="$.signature")
    return denial, public


def _check(denial: Denial) -> None:
    """Hold a denial to its limits."""
    _need(_ID.fullmatch(denial.id), "The id is `denial--` and a random UUID", "id")
    _need(moment.parse(denial.at) is not None, "The time is no RFC 3339 time in UTC", "at")
    fits = bool(denial.statement.strip()) and len(denial.statement) <= STATEMENT_LIMIT
    _need(fits, f"The statement has 1 to {STATEMENT_LIMIT} characters", "statement")
    prints = denial.prints
    bare = not prints.structure and not prints.infrastructure
    _need(bare, "Hosts, contacts and structure are shared by others: they are not denied", "prints")
    read = fingerprints_of({EXTENSION_ID: msgspec.Raw(msgspec.json.encode(as_extension(prints)))})
    _need(read == prints, "A fingerprint is none, or there are too many", "prints")
    _need(len(denial.cases) <= CASES_LIMIT, f"It denies {CASES_LIMIT} cases at most", "cases")
    _need(all(_CASE.fullmatch(each) for each in denial.cases), "A case is named by its id", "cases")
    _need(not prints.is_empty or denial.cases, "It denies nothing: name a file or a case", "prints")


def _need(holds: Any, message: str, place: str) -> None:
    if not holds:
        raise Refused("bad-value", f"{message}.", where=f"$.denial.{place}")
