"""Attestations: a trial as an in-toto Statement v1, signed in a DSSE envelope.

The subject is the tool's digest. The predicate has the words of in-toto's test-result
(result, configuration, passed, warned and failed tests) and beside them the whole trial:
corpus roots, environment, seed, isolation, limits, scores, slices, gates and verdicts. Scores
are computed anew from the verdicts before anything is signed.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bayanihan.core.signing import canonical
from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Corpus
from bayanihan.sandbox.gate import read_rule
from bayanihan.sandbox.isolate.remote import TOLD
from bayanihan.sandbox.result import FAULT, FORMAT, Result, weakest
from bayanihan.sandbox.score import (
    asked_of,
    claims_of,
    gates_of,
    honesty_of,
    scores_of,
    slices_of,
)
from bayanihan.sandbox.shift import digest_of_verdicts

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:bayanihan:attestation:trial:v1"
MAX_BYTES = 64 << 20

# Four years: the shortest life of a certificate for a high-risk system (Regulation 2024/1689,
# Article 44). A policy of one's own is usually shorter.
MOST_DAYS = 4 * 366


Word = Literal["PASSED", "WARNED", "FAILED"]


class Descriptor(msgspec.Struct, frozen=True):
    """A ResourceDescriptor of in-toto: a name and a digest."""

    name: str
    digest: dict[str, str]


class Predicate(msgspec.Struct, frozen=True):
    """What is said of the subject.

    Attributes:
        result: PASSED when every gate passed, FAILED when one failed, else WARNED.
        configuration: what the trial was made with, by digest.
        passedTests, warnedTests, failedTests: the gates.
        issued, expires: UTC.
        trial: the whole result.
    """

    result: Word
    configuration: list[Descriptor]
    passedTests: list[str]  # noqa: N815 (the name that in-toto gives it)
    warnedTests: list[str]  # noqa: N815 (the name that in-toto gives it)
    failedTests: list[str]  # noqa: N815 (the name that in-toto gives it)
    issued: str
    expires: str
    trial: Result


class Statement(msgspec.Struct, frozen=True):
    """An in-toto Statement v1."""

    type_: str = msgspec.field(name="_type")
    subject: list[Descriptor]
    predicateType: str  # noqa: N815 (the name that in-toto gives it)
    predicate: Predicate


class Signature(msgspec.Struct, frozen=True):
    """One signature: whose, and the bytes in base64."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True):
    """A DSSE envelope as it stands in a file."""

    payload: str
    payloadType: str  # noqa: N815 (the name that DSSE gives it)
    signatures: list[Signature]

    @property
    def payload_bytes(self) -> bytes:
        """The signed bytes. Raises `Refused("bad-value")`."""
        try:
            return base64.b64decode(self.payload, validate=True)
        except binascii.Error:
            raise Refused("bad-value", "The payload is no base64", where="$.payload") from None

    @property
    def digest(self) -> str:
        """The name of the attestation, for lists of revoked ones."""
        return f"sha256:{hashlib.sha256(self.payload_bytes).hexdigest()}"


_ATTESTED_LEVELS = frozenset({"L2", "L1", "R"})


def check_result(result: Result, corpus: Corpus) -> None:
    """Compute everything anew that follows from the verdicts.

    Raises:
        Refused: `not-attestable`, with what does not follow; or `conflict`, another corpus.
    """
    if result.format != FORMAT:
        raise Refused("bad-value", f"This result has the format {result.format}", where="$.format")
    if result.isolation.get("level") not in _ATTESTED_LEVELS:
        raise Refused(
            "not-attestable",
            "Nothing isolated the tool in this trial, so nobody can sign for it",
            where="$.isolation.level",
        )
    if result.isolation["level"] == "R" and result.isolation.get("remote") != TOLD:
        raise Refused(
            "not-attestable", "A remote tool is attested as one", where="$.isolation.remote"
        )
    if result.laboratories and result.isolation["level"] > weakest(
        each.level for each in result.laboratories
    ):
        raise Refused(
            "not-attestable",
            "A laboratory isolated less than this result says",
            where="$.isolation.level",
        )
    if result.corpus.root != f"sha256:{corpus.root}":
        raise Refused("conflict", "This result is about another corpus", where="$.corpus.root")
    if result.verdicts_digest != digest_of_verdicts(result.verdicts):
        raise Refused("not-attestable", "The verdicts have been changed", where="$.verdicts")
    if len(result.verdicts) != len(corpus.items) or set(result.verdicts) - set("mbx"):
        raise Refused("not-attestable", "The verdicts are not whole", where="$.verdicts")
    rules = [read_rule(gate.rule) for gate in result.gates]
    scores = scores_of(corpus, result.verdicts, result.seed)
    honesty = honesty_of(corpus, result.verdicts, {}, result.laboratories)
    warned = {*honesty.told, *claims_of(result.tool.declared, scores)}
    for name, made in (
        ("corpus", asked_of(corpus)),
        ("scores", scores),
        ("slices", slices_of(corpus, result.verdicts, result.seed)),
        ("gates", gates_of(corpus, result.verdicts, rules, result.seed)),
    ):
        if made != getattr(result, name):
            raise Refused(
                "not-attestable",
                f"The result's {name} does not follow from corpus and verdicts",
                where=f"$.{name}",
            )
    said = result.honesty
    if (
        (said.canaries, said.canaries_agreed) != (honesty.canaries, honesty.canaries_agreed)
        or warned - set(said.told)
        or (said.differing and not said.told)
    ):
        raise Refused("not-attestable", "A warning was taken out", where="$.honesty")
    if sum(result.faults.values()) != result.verdicts.count(FAULT):
        raise Refused(
            "not-attestable", "The faults are not those of the verdicts", where="$.faults"
        )


def statement_of(result: Result, issued: dt.datetime, days: int) -> bytes:
    """The statement about a checked result, as the one spelling of its JSON.

    Args:
        result: see `check_result`.
        issued: now, UTC.
        days: how long it holds. Raises `Refused("wrong-use")` when out of bounds.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Refused("wrong-use", f"An attestation holds for 1 to {MOST_DAYS} days")
    word, passed, warned, failed = _judged(result)
    named = {
        f"corpus {result.corpus.name} {result.corpus.version}": result.corpus.root,
        "training items": result.corpus.training_root,
        "verdicts": result.verdicts_digest,
        "call filter": str(result.isolation.get("seccomp") or ""),
        "record of what was disclosed": str(result.isolation.get("record") or ""),
        **{f"environment of {each.origin}": each.environment for each in result.laboratories},
    }
    predicate = Predicate(
        word,
        [_described(name, digest) for name, digest in named.items() if digest],
        passed,
        warned,
        failed,
        _utc(issued),
        _utc(issued + dt.timedelta(days=days)),
        result,
    )
    subject = _described(f"{result.tool.id}@{result.tool.version}", result.tool.digest)
    statement = Statement(STATEMENT_TYPE, [subject], PREDICATE_TYPE, predicate)
    return canonical(msgspec.to_builtins(statement))


def _judged(result: Result) -> tuple[Word, list[str], list[str], list[str]]:
    """What a statement says of a result in one word, and of its gates: passed, warned, failed."""
    passed, warned, failed = (
        [gate.rule for gate in result.gates if gate.verdict == verdict]
        for verdict in ("passed", "insufficient evidence", "failed")
    )
    if failed:
        return "FAILED", passed, warned, failed
    return ("PASSED" if passed and result.passed else "WARNED"), passed, warned, failed


def _described(name: str, digest: str) -> Descriptor:
    algorithm, _, value = digest.partition(":")
    return Descriptor(name, {algorithm: value})


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def sign(payload: bytes, key: Ed25519PrivateKey, earlier: Envelope | None = None) -> bytes:
    """An envelope of the payload with this key's signature, beside earlier ones.

    Raises:
        Refused: this key has signed already.
    """
    from securesystemslib.dsse import Envelope as Dsse
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

    dsse = Dsse(payload, PAYLOAD_TYPE, {})
    signature = dsse.sign(CryptoSigner(key))
    made = Signature(signature.keyid, base64.b64encode(bytes.fromhex(signature.signature)).decode())
    others = earlier.signatures if earlier else []
    if any(other.keyid == made.keyid for other in others):
        raise Refused("conflict", "This key has signed already; another authority must sign")
    envelope = Envelope(base64.b64encode(payload).decode(), PAYLOAD_TYPE, [*others, made])
    return msgspec.json.encode(envelope) + b"\n"


def read_envelope(path: Path) -> Envelope:
    """The envelope in a file. Raises `Refused`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Refused("too-large", "This is too large for an attestation", where=str(path))
        data = path.read_bytes()
    except OSError as error:
        raise Refused("cannot-read", error.strerror or str(error), where=str(path)) from None
    return decode_envelope(data, str(path))


def decode_envelope(data: bytes, where: str) -> Envelope:
    """The envelope in these bytes. Raises `Refused`."""
    try:
        envelope = msgspec.json.decode(data, type=Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-value", f"This is no DSSE envelope: {error}", where=where) from None
    if envelope.payloadType != PAYLOAD_TYPE:
        raise Refused("bad-value", "This envelope holds no in-toto statement", where=where)
    return envelope


def read_statement(payload: bytes) -> Statement:
    """The statement in verified bytes; only the spelling that we write is taken.

    Raises:
        Refused: it is no statement about a trial.
    """
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-value", f"This is no statement about a trial: {error}") from None
    if (statement.type_, statement.predicateType) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise Refused("bad-value", "This statement is not about a trial", where="$.predicateType")
    trial = statement.predicate.trial
    if statement.subject != [
        _described(f"{trial.tool.id}@{trial.tool.version}", trial.tool.digest)
    ]:
        raise Refused("bad-value", "Subject and trial name different tools", where="$.subject")
    said = statement.predicate
    if (said.result, said.passedTests, said.warnedTests, said.failedTests) != _judged(trial):
        raise Refused(
            "bad-value",
            "The word on the cover is not that of the trial",
            where="$.predicate.result",
        )
    if trial.isolation.get("level") not in _ATTESTED_LEVELS:
        raise Refused(
            "bad-value",
            "Nothing isolated the tool in this trial, so no signature makes it count",
            where="$.predicate.trial.isolation.level",
        )
    return statement


def new_key(path: Path) -> Path:
    """Write a signing key (mode 0600) and its public half beside it; returns the latter's place.

    Raises:
        Refused: one of the two is there already.
    """
    key = Ed25519PrivateKey.generate()
    public_path = path.with_name(path.name + ".pub")
    if public_path.exists():
        raise Refused("cannot-write", "There is a key already", where=str(public_path))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused("cannot-write", "There is a key already", where=str(path)) from None
    except OSError as error:
        raise Refused("cannot-write", error.strerror or str(error), where=str(path)) from None
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(private)
        public_path.write_bytes(public_pem(key.public_key()))
    except OSError:
        # Half a key is none, and would be in the way of the next one.
        path.unlink(missing_ok=True)
        public_path.unlink(missing_ok=True)
        raise
    return public_path


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as PEM text."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_key(path: Path) -> Ed25519PrivateKey:
    """The signing key in a file. Raises `Refused`."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise Refused("cannot-read", error.strerror or str(error), where=str(path)) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(
            "bad-value",
            "This is no Ed25519 signing key",
            where=str(path),
            next_step="Make one with `bayanihan trial signing-key --out FILE`.",
        )
    return key
