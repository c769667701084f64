"""Content Credentials (C2PA) in a JPEG, PNG or MP4: what they say, never whether it is true.

Their signature is not checked here: that needs a list of whom to trust. What they say is told as
the file's own word, beside a sentence that says so.

Source: C2PA technical specification 2.1; ISO/IEC 19566-5 (JUMBF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from bayanihan.core import cbor
from bayanihan.errors import Refused

STORE_LIMIT_BYTES = 4 * 1024 * 1024
_BOXES_LIMIT = 2_000
_DEPTH_LIMIT = 8
_SAID_LIMIT = 8
_WORD_LIMIT = 120
_MP4_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_UNCHECKED = "Their signature was not checked: this is what the file says of itself."
_MADE_BY_AI = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"}
)


class Box(NamedTuple):
    """A box: its type and content."""

    kind: bytes
    body: bytes


def said_by(data: bytes) -> list[str]:
    """What a file's Content Credentials say, in sentences; [] where it carries none."""
    store = store_of(data)
    if not store:
        return []
    generators: list[str] = []
    actions: list[str] = []
    faults = 0
    for label, body in _labelled(store, 0, [_BOXES_LIMIT]):
        try:
            if label.startswith("c2pa.claim"):
                generators += _generators(cbor.decode(body))
            elif label.startswith("c2pa.actions"):
                actions += _actions(cbor.decode(body))
        except Refused:
            faults += 1
    told = [f"It carries Content Credentials (C2PA). {_UNCHECKED}"]
    told += [f"They name what made it: {each}." for each in dict.fromkeys(generators)]
    told += list(dict.fromkeys(actions))
    if faults or not (generators or actions):
        told.append("Some of them could not be read.")
    return told[: 2 * _SAID_LIMIT]


def store_of(data: bytes) -> bytes:
    """The bytes of the manifest store in a file, b"" where there is none."""
    if data.startswith(b"\xff\xd8\xff"):
        found = b"".join(_jpeg(data))
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        found = next(_png(data), b"")
    elif data[4:8] == b"ftyp":
        found = next(_mp4(data), b"")
    else:
        found = b""
    return found if b"c2pa" in found[:4096] else b""


def _jpeg(data: bytes) -> Iterator[bytes]:
    """The parts of a JUMBF box in segments APP11; each repeats the box's head but the first."""
    at, taken = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if size < 2:
            return
        part = data[at + 4 : at + 2 + size]
        if data[at + 1] == 0xEB and part[:2] == b"JP" and len(part) > 16:
            number = int.from_bytes(part[4:8], "big")
            piece = part[8:] if number == 1 else part[16:]
            taken += len(piece)
            if taken > STORE_LIMIT_BYTES:
                return
            yield piece
        at += 2 + size


def _png(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"caBX" and size <= STORE_LIMIT_BYTES:
            yield data[at + 8 : at + 8 + size]
        at += 12 + size


def _mp4(data: bytes) -> Iterator[bytes]:
    for box in _boxes(data, [_BOXES_LIMIT]):
        if box.kind == b"uuid" and box.body.startswith(_MP4_UUID):
            # Version and flags, a purpose ended by a zero, an offset of eight bytes.
            purpose, _, rest = box.body[20 : 20 + STORE_LIMIT_BYTES].partition(b"\0")
            if purpose == b"manifest":
                yield rest[8:]


def _boxes(data: bytes, left: list[int]) -> Iterator[Box]:
    """The boxes in these bytes; whatever claims to be longer than they are ends it."""
    at = 0
    while at + 8 <= len(data) and left[0] > 0:
        left[0] -= 1
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head or at + size > len(data):
            return
        yield Box(kind, data[at + head : at + size])
        at += size


def _labelled(data: bytes, depth: int, left: list[int]) -> Iterator[tuple[str, bytes]]:
    """Each CBOR box with the label of the box around it."""
    if depth > _DEPTH_LIMIT:
        return
    label = ""
    for box in _boxes(data, left):
        if box.kind == b"jumd":
            label = box.body[17:].partition(b"\0")[0].decode("utf-8", "replace")
        elif box.kind == b"cbor":
            yield label, box.body
        elif box.kind == b"jumb":
            yield from _labelled(box.body, depth + 1, left)


def _generators(claim: Any) -> list[str]:
    if not isinstance(claim, dict):
        return []
    info = claim.get("claim_generator_info")
    listed = info if isinstance(info, list) else [info]
    named = [_word(each.get("name")) for each in listed if isinstance(each, dict)]
    return [each for each in named or [_word(claim.get("claim_generator"))] if each][:_SAID_LIMIT]


def _actions(assertion: Any) -> list[str]:
    listed = assertion.get("actions") if isinstance(assertion, dict) else None
    told = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or not (name := _word(each.get("action"))):
            continue
        source = _word(each.get("digitalSourceType")).rpartition("/")[2]
        what = f"They say `{name}`"
        if source:
            what += f" from `{source}`"
        if source in _MADE_BY_AI:
            what += ", which means that a model made it, or part of it"
        told.append(f"{what}.")
    return told[:_SAID_LIMIT]


def _word(value: Any) -> str:
    """A word of a stranger's on one line."""
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in value[:_WORD_LIMIT]).strip()
