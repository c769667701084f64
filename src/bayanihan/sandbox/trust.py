"""Whose word counts: a trust list, and what an attestation comes to under it. Works off-line.

threshold = 2              # so many of the authorities must have signed
max_age_days = 365         # older ones are refused, whatever they say of themselves
revoked = ["sha256:..."]   # attestations that are no longer good

[[authority]]
name = "Cyber authority"
member = "SG"
key_file = "sg.key.pub"    # beside this file; or key = "-----BEGIN PUBLIC KEY-----..."
from = 2026-01-01          # of signatures on statements issued from that day on
until = 2027-12-31

[[reservation]]            # what this member does not recognise
member = "MY"
about = "language:th"      # or vector:..., or any word such as sector:banking
reason = "Tested on too few messages"
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bayanihan.errors import Refused
from bayanihan.sandbox.attest import Envelope, Statement, public_pem, read_statement

MEMBERS = "BN KH ID LA MY MM PH SG TH TL VN".split()
# A clock may be wrong by so much before an attestation counts as made in the future.
_SKEW = dt.timedelta(minutes=10)


class Authority(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One whose signature counts, and when."""

    name: str
    member: str = ""
    key: str = ""
    key_file: str = ""
    from_: dt.date | None = msgspec.field(name="from", default=None)
    until: dt.date | None = None

    def counts_on(self, day: dt.date) -> bool:
        """Whether the authority's signature counts on a statement of that day."""
        return (self.from_ or day) <= day <= (self.until or day)


class Reservation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a member does not recognise, with its reason."""

    member: str
    about: str
    reason: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    authority: list[Authority]
    threshold: int = 1
    max_age_days: int = 1464
    revoked: list[str] = []
    reservation: list[Reservation] = []


@dataclass(frozen=True)
class Trust:
    """A trust list, read: each authority with its key.

    Attributes:
        keys: each public key once, with who it belongs to.
        threshold: so many authorities must have signed.
        max_age_days: the oldest that is taken.
        revoked: digests of attestations.
        reservations: of members.
    """

    keys: Sequence[tuple[Authority, Ed25519PublicKey]]
    threshold: int = 1
    max_age_days: int = 1464
    revoked: Sequence[str] = ()
    reservations: Sequence[Reservation] = ()


@dataclass(frozen=True)
class Verified:
    """An attestation that holds.

    Attributes:
        statement: what was signed.
        signers: the authorities whose signatures count.
        reservations: those of members that touch it.
        digest: its name.
    """

    statement: Statement
    signers: Sequence[Authority]
    reservations: Sequence[Reservation]
    digest: str


def read_trust(path: Path) -> Trust:
    """The trust in a `trust.toml`, or in one public key. Raises `Refused`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused("cannot-read", error.strerror or str(error), where=str(path)) from None
    if data.lstrip().startswith(b"-----BEGIN"):
        return Trust([(Authority(path.name), _public_key(data, str(path)))])
    try:
        raw: Any = tomllib.loads(data.decode())
        file = msgspec.convert(raw, _File)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Refused("bad-value", f"This is no trust list: {error}", where=str(path)) from None
    keys = []
    for number, one in enumerate(file.authority):
        place = f"{path} authority[{number}]"
        _check_member(one.member, place, optional=True)
        keys.append((one, _key_of(one, path.parent, place)))
    for number, reservation in enumerate(file.reservation):
        _check_member(reservation.member, f"{path} reservation[{number}]")
    distinct = {public_pem(key) for _, key in keys}
    if len(distinct) < len(keys):
        raise Refused("duplicate-key", "Two authorities have the same key", where=str(path))
    if not 1 <= file.threshold <= len(keys):
        raise Refused(
            "bad-value", f"The threshold must be 1 to {len(keys)}", where=f"{path} threshold"
        )
    return Trust(keys, file.threshold, file.max_age_days, file.revoked, file.reservation)


def _check_member(member: str, where: str, *, optional: bool = False) -> None:
    if member not in MEMBERS and not (optional and not member):
        raise Refused("bad-value", f"{member!r} is no member", where=where)


def _key_of(authority: Authority, folder: Path, where: str) -> Ed25519PublicKey:
    if bool(authority.key) == bool(authority.key_file):
        raise Refused("bad-value", "Give either key or key_file", where=where)
    if authority.key:
        return _public_key(authority.key.encode(), where)
    try:
        return _public_key((folder / authority.key_file).read_bytes(), authority.key_file)
    except OSError as error:
        raise Refused(
            "cannot-read", error.strerror or str(error), where=authority.key_file
        ) from None


def _public_key(data: bytes, where: str) -> Ed25519PublicKey:
    if b"PRIVATE KEY" in data:
        raise Refused(
            "bad-value",
            "This is a private key: nobody but its owner should hold it",
            where=where,
            next_step="Trust the public half, the file that ends in .pub.",
        )
    try:
        key = serialization.load_pem_public_key(data.strip() + b"\n")
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Refused("bad-value", "This is no Ed25519 public key", where=where)
    return key


def verify(envelope: Envelope, trust: Trust, now: dt.datetime) -> Verified:
    """What an attestation comes to under a trust list, at a time.

    Raises:
        Refused: `bad-signature`, `not-trusted`, `expired`, `revoked` or `bad-value`.
    """
    payload = envelope.payload_bytes
    signers = _signers(envelope, payload, trust)
    statement = read_statement(payload)
    issued, expires = (
        _moment(text) for text in (statement.predicate.issued, statement.predicate.expires)
    )
    signers = [each for each in signers if each.counts_on(issued.date())]
    if len(signers) < trust.threshold:
        raise Refused(
            "not-trusted",
            f"{len(signers)} of the trusted authorities signed, {trust.threshold} must",
            next_step="Ask another authority to counter-sign: `bayanihan trial countersign`.",
        )
    if envelope.digest in trust.revoked:
        raise Refused("revoked", "This attestation has been revoked", where=envelope.digest)
    if issued > now + _SKEW:
        raise Refused("bad-value", f"This attestation is from the future: {issued}")
    if now >= min(expires, issued + dt.timedelta(days=trust.max_age_days)):
        raise Refused("expired", f"This attestation was good until {expires:%d %B %Y}")
    touched = [each for each in trust.reservations if _touches(each, statement)]
    return Verified(statement, signers, touched, envelope.digest)


def _signers(envelope: Envelope, payload: bytes, trust: Trust) -> list[Authority]:
    """The authorities with a good signature. A bad one in a trusted name is an alarm."""
    from securesystemslib.dsse import Envelope as Dsse
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    try:
        dsse = Dsse.from_dict(msgspec.to_builtins(envelope))
    except (KeyError, ValueError, TypeError) as error:
        raise Refused("bad-value", f"The signatures cannot be read: {error}") from None
    found = []
    for authority, key in trust.keys:
        known = SSlibKey.from_crypto(key)
        if known.keyid not in dsse.signatures:
            continue
        try:
            dsse.verify([known], 1)
        except VerificationError:
            raise Refused(
                "bad-signature",
                f"The signature in the name of {authority.name} is not over these bytes",
                next_step="The file was changed or damaged: get it again from its authority.",
            ) from None
        found.append(authority)
    assert dsse.payload == payload
    if not found:
        raise Refused("not-trusted", "No authority of your trust list has signed this")
    return found


def _moment(text: str) -> dt.datetime:
    try:
        moment: dt.datetime | None = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused("bad-value", f"{text!r} is no time with a zone")
    return moment


def _touches(reservation: Reservation, statement: Statement) -> bool:
    """Whether a reservation is about this tool; what we cannot judge is always told."""
    kind, _, value = reservation.about.partition(":")
    tool = statement.predicate.trial.tool
    if kind == "language":
        return value in tool.languages or not tool.languages
    if kind == "vector":
        return value in tool.vectors
    return True
