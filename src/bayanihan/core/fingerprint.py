"""What a piece of evidence is like, so that it is found again and need not be shown.

A report carries these in a property extension of its incident:

    "extensions": {"extension-definition--5d4c1b0f-...": {
        "extension_type": "property-extension", "text": ["<base64 of 256 bytes>"], ...}}

From a fingerprint nobody reads the text that it was made of. Each kind of likeness is a field
of its own and is compared by itself.

Source: Broder, "On the resemblance and containment of documents" (1997), for MinHash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from typing import Any

import msgspec

from bayanihan.core.extract import plain_text
from bayanihan.core.spaceless import SPACELESS

EXTENSION_ID = "extension-definition--5d4c1b0f-6c53-4f0e-9d0a-2f1f6f3b7c11"

HASHES = 128
BAND_ROWS = 4
BANDS = HASHES // BAND_ROWS
# What a text needs, so that likeness of two is no accident.
LEAST_SHINGLES = 16
SHINGLE_TEXT_LIMIT = 20_000
_LIST_LIMIT = 64

_ADDRESS = re.compile(r"(?:https?|hxxps?)\S*?://\S+|www\.\S+|\S+@\S+|\S+\[\.\]\S+", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+(?:[ .,:/-][0-9]+)*")
_GAP = re.compile(r"[\W_]+")
_WIDE = re.compile(f"[{SPACELESS}]")

Texts = tuple[str, ...]


class Fingerprints(msgspec.Struct, frozen=True, omit_defaults=True):
    """All likenesses of one piece of evidence. Empty fields tell of nothing.

    `text` holds MinHash signatures in base64; `structure` the lure's traits, see `core.lure`;
    `infrastructure` observables as `type:value`; `files` SHA-256 digests; `tlsh` and `pdq`
    their digests; `chromaprint` compressed audio fingerprints in base64.
    """

    text: Texts = ()
    structure: Texts = ()
    infrastructure: Texts = ()
    files: Texts = ()
    tlsh: Texts = ()
    pdq: Texts = ()
    chromaprint: Texts = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to find it by."""
        return self == _NONE


_NONE = Fingerprints()


class _Extension(Fingerprints, frozen=True):
    extension_type: str = ""


_read = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder(_Extension).decode


def fingerprints_of(extensions: dict[str, msgspec.Raw] | None) -> Fingerprints:
    """What an object's `extensions` tell; empty where they tell nothing or nothing sound."""
    body = extensions.get(EXTENSION_ID) if extensions else None
    if body is None:
        return _NONE
    try:
        found = _decode(body)
    except msgspec.MsgspecError:
        return _NONE
    return Fingerprints(
        tuple(each for each in found.text[:_LIST_LIMIT] if len(unpacked(each)) == HASHES * 2),
        found.structure[:_LIST_LIMIT],
        found.infrastructure[: 4 * _LIST_LIMIT],
        tuple(each for each in found.files[:_LIST_LIMIT] if _is_hex(each, 64)),
        tuple(each for each in found.tlsh[:_LIST_LIMIT] if _is_hex(each.removeprefix("T1"), 70)),
        tuple(each for each in found.pdq[:_LIST_LIMIT] if _is_hex(each, 64)),
        found.chromaprint[:4],
    )


def as_extension(prints: Fingerprints) -> dict[str, Any]:
    """The extension's body for an object."""
    return {"extension_type": "property-extension", **msgspec.to_builtins(prints)}


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and re.fullmatch(r"[0-9A-Fa-f]*", text) is not None


def skeleton_of(text: str) -> str:
    """A text as it is compared: no addresses, one sign for every number, no punctuation.

    A lure that is sent a thousand times differs in exactly these.
    """
    shown = plain_text(text[:SHINGLE_TEXT_LIMIT]).casefold()
    shown = _NUMBER.sub("0", _ADDRESS.sub(" ", shown))
    kept = "".join([char if _is_letter(char) else " " for char in shown])
    return _GAP.sub(" ", kept).strip() if kept.isascii() else " ".join(kept.split())


def _is_letter(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def shingles(text: str) -> Any:
    """The pieces of a text of three characters (scripts without spaces) or five, as hashes."""
    import numpy

    bare = skeleton_of(text)
    wide = len(_WIDE.findall(bare)) * 3 > len(bare)
    size = 3 if wide else 5
    if wide:
        bare = bare.replace(" ", "")
    points = numpy.frombuffer(bare.encode("utf-32-le"), dtype=numpy.uint32).astype(numpy.uint64)
    if len(points) < size:
        return points[:0]
    mixed = numpy.zeros(len(points) - size + 1, dtype=numpy.uint64)
    with numpy.errstate(over="ignore"):
        for place in range(size):
            part = points[place : len(points) - size + 1 + place]
            mixed = (mixed ^ part) * numpy.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> numpy.uint64(29)
    return numpy.unique(mixed)


_FAMILY: list[Any] = []


def _family() -> tuple[Any, Any]:
    """The numbers of the hash functions, the same everywhere and for ever."""
    import numpy

    if not _FAMILY:
        raw = hashlib.shake_256(b"bayanihan minhash 1").digest(HASHES * 16)
        both = numpy.frombuffer(raw, dtype="<u8").reshape(2, HASHES, 1)
        _FAMILY.extend([both[0] | numpy.uint64(1), both[1]])
    return _FAMILY[0], _FAMILY[1]


def signature(text: str) -> bytes:
    """The MinHash signature of a text: 128 numbers of 16 bits; b"" when it is too short."""
    import numpy

    found = shingles(text)
    if len(found) < LEAST_SHINGLES:
        return b""
    times, plus = _family()
    with numpy.errstate(over="ignore"):
        least = ((found[None, :] * times + plus) >> numpy.uint64(24)).min(axis=1)
    return bytes((least & numpy.uint64(0xFFFF)).astype("<u2").tobytes())


def packed(raw: bytes) -> str:
    """A signature as text."""
    return base64.b64encode(raw).decode("ascii")


def unpacked(text: str) -> bytes:
    """A signature from text; b"" when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def bands(raw: bytes) -> list[int]:
    """The keys by which a signature is found: equal in one, two texts are looked at closer."""
    import numpy

    rows: Any = numpy.frombuffer(raw, dtype="<u8").astype(numpy.uint64)
    with numpy.errstate(over="ignore"):
        mixed = (rows + numpy.arange(BANDS, dtype=numpy.uint64)) * numpy.uint64(0xD6E8FEB86659FD93)
    return [int(key) for key in (mixed >> numpy.uint64(2))]


def resemblance(one: bytes, others: list[bytes]) -> list[float]:
    """The estimated share of pieces that a text has in common with each of others, 0 to 1."""
    import numpy

    if not others:
        return []
    left = numpy.frombuffer(one, dtype="<u2")
    right = numpy.frombuffer(b"".join(others), dtype="<u2").reshape(len(others), HASHES)
    return [float(share) for share in (right == left).mean(axis=1)]
