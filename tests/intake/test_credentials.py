"""Content Credentials: read where present, never believed, and no file gets past the bounds."""

from __future__ import annotations

import contextlib
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core import cbor
from bayanihan.errors import Refused
from bayanihan.intake.evidence.credentials import said_by
from bayanihan.intake.evidence.media import provenance

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def encoded(value: Any) -> bytes:
    """CBOR, as a writer of credentials makes it."""
    if isinstance(value, dict):
        pairs = b"".join(encoded(k) + encoded(v) for k, v in value.items())
        return head(5, len(value)) + pairs
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encoded, value))
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(0, value)


def head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes([major << 5 | size])
    return bytes([major << 5 | 25]) + size.to_bytes(2, "big")


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def labelled(label: str, *inside: bytes) -> bytes:
    described = box(b"jumd", bytes(16) + b"\3" + label.encode() + b"\0")
    return box(b"jumb", described + b"".join(inside))


def store(source: str = TRAINED) -> bytes:
    claim = {"claim_generator": "Painter/2.0", "claim_generator_info": [{"name": "Painter"}]}
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]}
    manifest = labelled(
        "urn:c2pa:1",
        labelled("c2pa.assertions", labelled("c2pa.actions.v2", box(b"cbor", encoded(actions)))),
        labelled("c2pa.claim.v2", box(b"cbor", encoded(claim))),
    )
    return labelled("c2pa", manifest)


def jpeg(held: bytes, piece: int = 60_000) -> bytes:
    parts = [held[at : at + piece] for at in range(0, len(held), piece)]
    segments = b""
    for number, part in enumerate(parts, 1):
        body = b"JP" + b"\0\1" + number.to_bytes(4, "big")
        body += part if number == 1 else held[:8] + part
        segments += b"\xff\xeb" + (len(body) + 2).to_bytes(2, "big") + body
    return b"\xff\xd8" + segments + b"\xff\xda\0\2"


def png(held: bytes) -> bytes:
    chunk = len(held).to_bytes(4, "big") + b"caBX" + held
    return b"\x89PNG\r\n\x1a\n" + chunk + zlib.crc32(b"caBX" + held).to_bytes(4, "big")


def mp4(held: bytes) -> bytes:
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    inside = box(b"uuid", uuid + bytes(4) + b"manifest\0" + bytes(8) + held)
    return box(b"ftyp", b"isom") + inside


@pytest.mark.parametrize(
    "data",
    [jpeg(store()), jpeg(store(), piece=100), png(store()), mp4(store())],
    ids=["jpeg", "jpeg in pieces", "png", "mp4"],
)
def test_what_a_file_says_of_itself_is_told_and_not_believed(data: bytes) -> None:
    told = provenance(data)
    assert "signature was not checked" in told[0]
    assert "They name what made it: Painter." in told
    assert any("c2pa.created" in each and "a model made it" in each for each in told)


def test_what_a_camera_made_is_not_called_made_by_a_model() -> None:
    told = said_by(png(store(TRAINED.replace("trainedAlgorithmicMedia", "digitalCapture"))))
    assert "They say `c2pa.created` from `digitalCapture`." in told


def test_a_file_without_credentials_has_none() -> None:
    for data in (b"", b"\xff\xd8\xff", png(b""), box(b"ftyp", b"isom"), b"text about c2pa jumbf"):
        assert said_by(data) == []


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 400), st.binary(max_size=6), st.sampled_from([jpeg, png, mp4]))
def test_broken_credentials_never_crash_the_reader(at: int, junk: bytes, made: Any) -> None:
    data = bytearray(made(store()))
    place = at % len(data)
    data[place : place + len(junk)] = junk
    for sentence in said_by(bytes(data)):
        assert len(sentence) < 400
        assert sentence.isprintable()


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60))
def test_strange_cbor_is_a_value_or_refused(data: bytes) -> None:
    with contextlib.suppress(Refused):
        cbor.decode(data)


def test_bombs_are_bounded() -> None:
    for bomb in (b"\x81" * 100_000, b"\x9a\xff\xff\xff\xff", b"\x9f" + b"\0" * 200_000 + b"\xff"):
        with pytest.raises(Refused):
            cbor.decode(bomb)
    deep = store()
    for _ in range(50):
        deep = labelled("c2pa", deep)
    assert "could not be read" in said_by(png(deep))[-1]
    assert cbor.decode(encoded({"a": [1, "é", 300]})) == {"a": [1, "é", 300]}
