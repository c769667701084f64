"""How well evidence is found again, and how fast: texts, structure, files and pictures.

Texts are parted by their digest into a half on which thresholds were set and a half on which
they are measured. One message stands for all of one wording: what a sender sends in series is
alike, and rightly so, and would be counted as chance.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import subprocess
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bayanihan.core import fingerprint, tlsh
from bayanihan.core.extract import extract
from bayanihan.core.fingerprint import EXTENSION_ID, Fingerprints, as_extension
from bayanihan.core.lure import likeness, traits
from bayanihan.core.marking import Audience, Viewer
from bayanihan.core.near_bits import NearBits, apart
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.alike import Alike, Search
from bayanihan.readers.alike.search import STRUCTURE_CANDIDATE, STRUCTURE_LEAST, TEXT_LEAST
from bayanihan.readers.alike.shapes import TLSH_MOST
from bench.evidence_text import SHARED, interval, lines_of
from bench.goals import Board
from tests.core.lures import endings, records

_SETS = ("thai-sms", "uci-sms-en")
_MALICIOUS = frozenset({"spam", "scam"})
_APP = Path(__file__).with_name("peer_apps") / "sketches.py"
_THAI = re.compile(r"[\u0e00-\u0e7f]")


def _edited(text: str, rng: random.Random) -> str:
    """A lure as it is sent again: other numbers, a word moved, added or dropped, other signs."""
    text = "".join(str(rng.randrange(10)) if char.isdigit() else char for char in text)
    words = text.split(" ")
    if len(words) > 6:
        place = rng.randrange(1, len(words) - 1)
        words.pop(place)
        words.insert(rng.randrange(len(words)), rng.choice(["now", "!!", "ด่วน", "pls", "->"]))
    return rng.choice(["", "[SMS] ", ">> "]) + " ".join(words).replace(
        ".", rng.choice([".", "!", " "])
    )


def _wording(text: str) -> str:
    """What messages of one wording have in common: no numbers, no Latin names amid Thai."""
    bare = re.sub(r"[0-9]+", " ", fingerprint.skeleton_of(text))
    if _THAI.search(bare):
        bare = re.sub(r"[\x00-\u024f]+", "", bare)
    return " ".join(bare.split())


def _halves(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One message of each wording, for tuning and held out."""
    firsts: dict[str, dict[str, Any]] = {}
    for record in lines_of(SHARED / "lures" / f"{name}.jsonl.gz"):
        firsts.setdefault(_wording(record["text"]), record)
    halves: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for record in firsts.values():
        halves[hashlib.sha256(record["text"].encode()).digest()[0] % 2].append(record)
    return halves


def texts(board: Board) -> None:
    """Edited messages found through the index's bands; pairs of other wording called alike."""
    print(f"texts: alike from {TEXT_LEAST}; one message of each wording")
    recalls, falses, honest = [], [], []
    for name in _SETS:
        for half, rows in zip(("tuning", "held out"), _halves(name), strict=True):
            signed = [(row, fingerprint.signature(row["text"])) for row in rows]
            signed = [each for each in signed if each[1]]
            if not signed:
                continue
            found = _found_again(signed)
            pairs, alike, mixed, wrong = _by_chance(signed)
            print(f"  {name:10} {half:8} edited, found       {interval(found, len(signed))}")
            print(f"  {name:10} {half:8} other wording       {interval(alike, pairs)}")
            print(f"  {name:10} {half:8} honest & malicious  {interval(wrong, mixed)}")
            if half == "held out":
                recalls.append(found / len(signed))
                falses.append(alike / pairs)
                honest.append(wrong / mixed)
    if recalls:
        board.plain("E3-text-recall", min(recalls))
        board.plain("E3-text-false", max(falses))
        board.plain("E3-honest", max(honest))


def _found_again(signed: Sequence[tuple[dict[str, Any], bytes]]) -> int:
    rng = random.Random(5)
    found = 0
    for row, raw in signed:
        other = fingerprint.signature(_edited(row["text"], rng))
        shared = other and set(fingerprint.bands(raw)) & set(fingerprint.bands(other))
        found += bool(shared) and fingerprint.resemblance(raw, [other])[0] >= TEXT_LEAST
    return found


def _by_chance(
    signed: Sequence[tuple[dict[str, Any], bytes]],
) -> tuple[int, int, int, int]:
    """All pairs and those alike; pairs of an honest and a malicious message, and those alike."""
    bad = np.array([row["label"] in _MALICIOUS for row, _ in signed])
    table = np.frombuffer(b"".join(raw for _, raw in signed), dtype="<u2").reshape(len(signed), -1)
    alike = mixed = wrong = 0
    for at in range(len(signed)):
        near = (table[at + 1 :] == table[at]).mean(axis=1) >= TEXT_LEAST
        other = bad[at + 1 :] != bad[at]
        alike, mixed, wrong = alike + near.sum(), mixed + other.sum(), wrong + (near & other).sum()
    return len(signed) * (len(signed) - 1) // 2, int(alike), int(mixed), int(wrong)


def reworded(board: Board) -> None:
    """Lures of which every word was changed: by text, and by structure as candidates."""
    told: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for record in records():
        if record["wording"]:
            told[record["language"], record["topic"]][record["wording"]] = record
    both = [pair for pair in told.values() if "a" in pair and "b" in pair]
    shape = [
        {
            wording: traits(one["text"], extract(one["text"], endings, one["country"]))
            for wording, one in pair.items()
        }
        for pair in both
    ]
    by_text = sum(_resembles(pair["a"]["text"], pair["b"]["text"]) for pair in both)
    scores = [likeness(one["a"], one["b"]) for one in shape]
    strangers = [
        likeness(one["a"], other["b"])
        for at, one in enumerate(shape)
        for other_at, other in enumerate(shape)
        if both[at]["a"]["topic"] != both[other_at]["b"]["topic"]
    ]
    print("reworded lures of our own: every word was changed (the traits were written with these)")
    print(f"  by text             {interval(by_text, len(both))}")
    for least, word in ((STRUCTURE_LEAST, "alike"), (STRUCTURE_CANDIDATE, "candidate")):
        hits = sum(score >= least for score in scores)
        wrong = sum(score >= least for score in strangers)
        print(f"  structure {word:9} {interval(hits, len(scores))}")
        print(f"    of another topic  {interval(wrong, len(strangers))}")
    board.plain("E4-reworded", sum(each >= STRUCTURE_CANDIDATE for each in scores) / len(scores))
    board.plain("E4-false", sum(s >= STRUCTURE_CANDIDATE for s in strangers) / len(strangers))
    for name in _SETS:
        rows = [row for half in _halves(name) for row in half]
        shown = [traits(row["text"], extract(row["text"], endings, "")) for row in rows]
        some = [each for each in shown if each]
        near = sum(
            likeness(one, other) >= STRUCTURE_CANDIDATE
            for at, one in enumerate(some)
            for other in some[at + 1 :]
        )
        pairs = len(rows) * (len(rows) - 1) // 2
        print(f"  {name:10} pairs, candidates by structure {interval(near, pairs)}")


def _resembles(one: str, other: str) -> bool:
    left, right = fingerprint.signature(one), fingerprint.signature(other)
    return bool(left and right) and fingerprint.resemblance(left, [right])[0] >= TEXT_LEAST


def files() -> None:
    """TLSH on public digests of malware: the same family within the distance, and strangers."""
    path = SHARED / "fuzzy" / "malwarebazaar-tlsh-10k.csv.gz"
    if not path.exists():
        print("files: the public digests are not beside this checkout")
        return
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    rows = [
        row for row in rows if len(row) >= 3 and len(row[1]) in (70, 72) and "NO_SIG" not in row[2]
    ]
    random.Random(3).shuffle(rows)
    table = tlsh.rows([row[1] for row in rows])
    family = np.array([row[2] for row in rows])
    found = wrong = near = strangers = 0
    asked = min(1_000, len(rows))
    for place in range(asked):
        close = tlsh.distances(table[place], table) <= TLSH_MOST
        close[place] = False
        other = family != family[place]
        found += bool((close & ~other).any())
        wrong += int((close & other).sum())
        near += int(close.sum())
        strangers += int(other.sum())
    print(f"files: TLSH within {TLSH_MOST}, {len(rows)} public digests with a family")
    print(f"  a relative found            {interval(found, asked)}")
    print(f"  of another family, of near  {interval(wrong, near)}")
    print(f"  of another family, of all   {interval(wrong, strangers)}")


_WORDS = 4_000
_TEXT_WORDS = 40


_WEIGHTS = [1 / (rank + 2.7) for rank in range(_WORDS)]


def _texts(rng: random.Random, words: Sequence[str], count: int) -> list[list[str]]:
    """Texts of words that are as common as words are: by Zipf's law."""
    drawn = rng.choices(words, _WEIGHTS, k=count * _TEXT_WORDS)
    return [drawn[at : at + _TEXT_WORDS] for at in range(0, len(drawn), _TEXT_WORDS)]


class _Filled:
    """A ledger of cases with texts, and how long its index took to fold."""

    def __init__(self, folder: Path, texts: Sequence[list[str]]) -> None:
        self._ledger = Ledger(folder)
        self._alike = Alike(folder / "projections", self._ledger.epoch, 0)
        self.search = Search(self._alike, lambda _: False)
        clear = Audience("clear")
        for start in range(0, len(texts), 1_000):
            drafts = []
            for at in range(start, min(start + 1_000, len(texts))):
                place = f"incident--{uuid.UUID(int=at, version=4)}"
                body = _body(place, fingerprint.signature(" ".join(texts[at])))
                drafts.append(Draft("object", clear, "bench", "SG", place, body, version_us=1))
            self._ledger.append(drafts)
        began_s = time.perf_counter()
        while self._alike.catch_up(self._ledger.scan, self._ledger.length):
            pass
        self.folded_s = time.perf_counter() - began_s
        self.rights = self._ledger.rights(Viewer(key="k", member="SG"))

    def close(self) -> None:
        self._alike.close()
        self._ledger.close()


def _body(place: str, raw: bytes) -> bytes:
    prints = Fingerprints(text=(fingerprint.packed(raw),))
    told = {"type": "incident", "id": place, "extensions": {EXTENSION_ID: as_extension(prints)}}
    return msgspec.json.encode(told)


def text_index(board: Board, count: int, pythons: Mapping[str, str]) -> None:
    """P14: look-ups by text with verification, on disk and within a viewer's rights."""
    texts, asked = _made(count)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        filled = _Filled(Path(folder), texts)
        try:
            took, found = _asked(filled, asked)
        finally:
            filled.close()
    p50_s, p99_s = took[len(took) // 2], took[int(len(took) * 0.99)]
    rate = count / filled.folded_s
    print(
        f"text index: {count:,} cases: p50 {p50_s * 1e3:.2f} ms, p99 {p99_s * 1e3:.2f} ms, found"
        f" {interval(found, len(asked))}, folded {rate:,.0f}/s"
    )
    board.plain("P14-p50", p50_s * 1e3)
    board.plain("P14-recall", found / len(asked))
    board.plain("P14-build", rate)
    if "datasketch" in pythons:
        peer_s = _peer_p50_s(pythons["datasketch"], texts, [text for _, text in asked])
        board.beside("P14-peer", 1 / p50_s, 1 / peer_s)


def _made(count: int) -> tuple[list[list[str]], list[tuple[int, str]]]:
    """Texts, and others that have 0.7 or more of their pieces in common with one of them."""
    rng = random.Random(17)
    letters = "abcdefghijklmnoprstuvwy"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(_WORDS)]
    texts = _texts(rng, words, count)
    asked: list[tuple[int, str]] = []
    while len(asked) < 300:
        place = rng.randrange(count)
        changed = list(texts[place])
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(_TEXT_WORDS)] = rng.choice(words)
        both = (" ".join(texts[place]), " ".join(changed))
        one, other = (set(fingerprint.shingles(each).tolist()) for each in both)
        if len(one & other) / len(one | other) >= 0.7:
            asked.append((place, both[1]))
    return texts, asked


def _peer_p50_s(python: str, texts: Sequence[list[str]], asked: Sequence[str]) -> float:
    lines = [json.dumps(" ".join(text)) for text in texts] + [json.dumps(text) for text in asked]
    told = subprocess.run(
        [python, str(_APP), str(len(texts))],
        input="\n".join(lines).encode(),
        capture_output=True,
        check=True,
        env={"PYTHONPATH": ""},
    ).stdout
    peer = json.loads(told)
    p50_ms = peer["p50_s"] * 1e3
    print(f"  datasketch, in memory: p50 {p50_ms:.2f} ms, built {peer['build']:,.0f}/s")
    return float(peer["p50_s"])


def _asked(filled: _Filled, asked: Sequence[tuple[int, str]]) -> tuple[list[float], int]:
    took, found = [], 0
    for place, text in asked:
        prints = Fingerprints(text=(fingerprint.packed(fingerprint.signature(text)),))
        began_s = time.perf_counter()
        matches = filled.search.like(prints, filled.rights)
        took.append(time.perf_counter() - began_s)
        found += f"incident--{uuid.UUID(int=place, version=4)}" in [each.id for each in matches]
    return sorted(took), found


def picture_index(board: Board, count: int) -> None:
    """P15: all hashes within 31 bits, by their parts, beside looking at all of them."""
    rng = np.random.default_rng(5)
    table = rng.integers(0, 1 << 64, (count, 4), dtype=np.uint64)
    index = NearBits()
    began_s = time.perf_counter()
    index.add(table)
    built_s = time.perf_counter() - began_s
    took: list[float] = []
    flat: list[float] = []
    found = 0
    for _ in range(500):
        place = int(rng.integers(count))
        sought = table[place].copy()
        for bit in rng.choice(256, int(rng.integers(0, 32)), replace=False):
            sought[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        began_s = time.perf_counter()
        places, _ = index.within(sought)
        took.append(time.perf_counter() - began_s)
        found += place in places
        if len(flat) < 50:
            began_s = time.perf_counter()
            everywhere = (apart(sought, table) <= 31).nonzero()[0]
            flat.append(time.perf_counter() - began_s)
            assert everywhere.tolist() == places.tolist()
    took.sort()
    flat.sort()
    p50_s, p99_s = took[250], took[495]
    print(
        f"picture index: {count:,} hashes, sorted in {built_s:.1f} s: p50 {p50_s * 1e3:.2f} ms,"
        f" p99 {p99_s * 1e3:.2f} ms, flat {flat[25] * 1e3:.2f} ms, found {interval(found, 500)}"
    )
    board.plain("P15-p50", p50_s * 1e3)
    board.plain("P15-p99", p99_s * 1e3)
    board.plain("P15-recall", found / 500)
    board.beside("P15-flat", 1 / p50_s, 1 / flat[25])
