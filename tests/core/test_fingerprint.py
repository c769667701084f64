from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core import fingerprint, pdq, tlsh
from bayanihan.core.extract import extract
from bayanihan.core.fingerprint import Fingerprints, as_extension, fingerprints_of
from bayanihan.core.lure import likeness, traits
from tests.core.lures import endings, records

VECTORS = Path(__file__).parent.parent / "vectors" / "fuzzy"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "fuzzy" / "tlsh-vectors"


def content(seed: int, size: int, alphabet: str) -> bytes:
    raw = hashlib.shake_256(str(seed).encode()).digest(size)
    return bytes(ord(alphabet[byte % len(alphabet)]) for byte in raw) if alphabet else raw


def test_tlsh_digests_and_distances_are_the_references() -> None:
    given_ = msgspec.json.decode((VECTORS / "tlsh.json").read_bytes())
    for file in given_["files"]:
        data = content(file["seed"], file["size"], file["alphabet"])
        assert tlsh.digest(data) == file["digest"], file
    digests = [file["digest"] for file in given_["files"] if file["digest"]]
    for one, other, far in given_["pairs"]:
        assert tlsh.distance(digests[one], digests[other]) == far


@pytest.mark.skipif(
    not SHARED.exists(), reason="the public TLSH vectors are not beside this checkout"
)
def test_tlsh_distances_of_the_public_vectors() -> None:
    names = "example_data.128.1.len.out_EXP.txt.gz", "example_data.128.1.len.xref.scores_EXP.txt.gz"
    lines, scores = (
        gzip.decompress((SHARED / name).read_bytes()).decode().splitlines() for name in names
    )
    digests = {name: digest for digest, name in (line.split("\t") for line in lines)}
    checked = 0
    for line in scores:
        one, other, far = line.split("\t")
        assert tlsh.distance(digests[one], digests[other]) == int(far)
        checked += 1
    assert checked == 3_160


def drawn(seed: int, width: int, height: int) -> Any:
    """A smooth picture out of 108 grey values."""
    raw = np.frombuffer(hashlib.shake_256(f"picture {seed}".encode()).digest(108), dtype="u1")
    grid = raw.reshape(9, 12).astype(float)
    down, right = np.linspace(0, 7.999, height), np.linspace(0, 10.999, width)
    top, left = down.astype(int), right.astype(int)
    y, x = (down - top)[:, None], (right - left)[None, :]
    above = grid[top][:, left] * (1 - x) + grid[top][:, left + 1] * x
    below = grid[top + 1][:, left] * (1 - x) + grid[top + 1][:, left + 1] * x
    return np.rint(above * (1 - y) + below * y)


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_pdq_hashes_are_the_references() -> None:
    """A value that lies on the median to the last bit may fall on either side of it."""
    for given_ in msgspec.json.decode((VECTORS / "pdq.json").read_bytes())["pictures"]:
        found = pdq.hashes(drawn(given_["seed"], given_["width"], given_["height"]))[0]
        assert bits_apart(found.hash, given_["hash"]) <= 2
        assert abs(found.quality - given_["quality"]) <= 1


@pytest.mark.parametrize("share", [0.02, 0.04, 0.06, 0.1, 0.15, 0.2])
def test_a_crop_of_a_picture_is_found(share: float) -> None:
    whole = drawn(3, 640, 480)
    top, left = int(480 * share / 2), int(640 * share / 2)
    crop = pdq.hashes(whole[top : 480 - top, left : 640 - left])
    near = min(bits_apart(a.hash, b.hash) for a in pdq.hashes(whole) for b in crop)
    far = min(bits_apart(a.hash, b.hash) for a in pdq.hashes(drawn(4, 640, 480)) for b in crop)
    assert near <= pdq.BITS_APART < far


def test_a_signature_estimates_the_share_in_common() -> None:
    letters = "abcdefghij"
    words = [letters[n // 100] + letters[n // 10 % 10] + letters[n % 10] * 3 for n in range(300)]
    one, other = " ".join(words[:200]), " ".join(words[50:250])
    left, right = (set(fingerprint.shingles(each).tolist()) for each in (one, other))
    real = len(left & right) / len(left | right)
    a, b = fingerprint.signature(one), fingerprint.signature(other)
    assert fingerprint.resemblance(a, [b])[0] == pytest.approx(real, abs=0.15)
    assert len(a) == 256


def test_a_short_text_has_no_signature() -> None:
    assert fingerprint.signature("hello there") == b""


def test_addresses_and_numbers_do_not_part_variants() -> None:
    one = "Your parcel is held at customs, pay the fee of 120 at https://a.example/x to release it"
    two = (
        "Your parcel is held at customs, pay the fee of 9,450 at hxxp://b[.]example to release it!"
    )
    assert fingerprint.signature(one) == fingerprint.signature(two)


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=40, max_size=200))
def test_equal_texts_share_every_band(text: str) -> None:
    raw = fingerprint.signature(text)
    if raw:
        assert fingerprint.bands(raw) == fingerprint.bands(fingerprint.signature(text))
        assert len(fingerprint.bands(raw)) == fingerprint.BANDS


def test_fingerprints_travel_in_an_extension() -> None:
    prints = Fingerprints(
        text=(
            fingerprint.packed(
                fingerprint.signature("a text that is long enough to be told apart")
            ),
        ),
        structure=("as:bank",),
        files=("ab" * 32,),
        pdq=("0f" * 32,),
    )
    body = msgspec.json.encode({fingerprint.EXTENSION_ID: as_extension(prints)})
    assert fingerprints_of(msgspec.json.decode(body, type=dict[str, msgspec.Raw])) == prints


@pytest.mark.parametrize(
    "body", [b"1", b'{"text":5}', b'{"text":["x"],"pdq":["zz"],"files":["1"]}', b'{"tlsh":[null]}']
)
def test_an_unsound_extension_tells_nothing(body: bytes) -> None:
    extensions = {fingerprint.EXTENSION_ID: msgspec.Raw(body)}
    assert fingerprints_of(extensions).is_empty


def test_honest_messages_have_no_structure_and_lures_of_one_kind_share_theirs() -> None:
    told = {
        record["id"]: traits(record["text"], extract(record["text"], endings, record["country"]))
        for record in records()
    }
    assert [each for each, found in told.items() if "honest" in each and found] == []
    other = likeness(told["th-bank-a-0"], told["th-parcel-a-0"])
    assert likeness(told["th-bank-a-0"], told["th-bank-a-0"]) == 1.0 > 0.6 > other


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lambda grey: np.pad(grey, ((40, 90), (20, 110)), constant_values=240.0), pdq.BITS_SURE),
        (lambda grey: np.vstack([_bar(grey.shape[1]), grey]), pdq.BITS_APART),
        (lambda grey: grey[46:], pdq.BITS_APART),
        (lambda grey: grey[:, :-70], pdq.BITS_APART),
        (lambda grey: grey[18:-18, 24:-24], pdq.BITS_APART),
    ],
    ids=["border", "bar", "upper edge cut", "right edge cut", "cut all round"],
)
def test_a_picture_is_found_with_a_border_a_bar_or_a_cut(
    change: Callable[[Any], Any], most: int
) -> None:
    grey, other = drawn(5, 480, 360), drawn(6, 480, 360)
    rows, again, strange = (
        pdq.words([each.hash for each in pdq.hashes(one)]) for one in (grey, change(grey), other)
    )
    assert min(int(pdq.apart(row, again).min()) for row in rows) <= most
    assert min(int(pdq.apart(row, strange).min()) for row in rows) > pdq.BITS_APART


def _bar(width: int) -> Any:
    """A telephone's bar of signs."""
    bar = np.full((20, width), 30.0)
    bar[5:15, ::3] = 250.0
    return bar
