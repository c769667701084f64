"""How well names are read out of texts, and languages told: each share with n and interval."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import math
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bayanihan.core.extract import extract
from bayanihan.core.language import REGION, language_of
from bayanihan.core.observables import observe
from bayanihan.errors import Refused
from bench.goals import Board
from tests.core.lures import endings, records

SHARED = Path(__file__).parents[2] / "shared" / "data"
FINDERS = ("iocsearcher", "ioc-finder", "iocextract")
_APP = Path(__file__).with_name("peer_apps") / "finders.py"
_Z = 1.959964

Find = Callable[[str, str], tuple[set[str], float]]
"""What is found in a text of a country, and in how many seconds."""


def interval(hits: int, n: int) -> str:
    """A share with its n and 95 % interval (Wilson)."""
    if n == 0:
        return "no data"
    share = hits / n
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{share:8.3%}  n={n:<7} [{low:.3%}, {high:.3%}]"


def lines_of(path: Path) -> Iterable[dict[str, Any]]:
    """The records of a packed file of JSON lines; none where it is not beside the checkout."""
    if not path.exists():
        print(f"  {path.name}: not beside this checkout")
        return
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        yield json.loads(line)


class _Score(NamedTuple):
    """What a tool found of each script: right, wrong and missed values, and its time."""

    right: Counter[str]
    wrong: Counter[str]
    missed: Counter[str]
    took_s: float


def _ours(text: str, country: str) -> tuple[set[str], float]:
    began_s = time.perf_counter()
    found = {each.observable.value for each in extract(text, endings, country).found}
    return found, time.perf_counter() - began_s


class _Peer:
    """A known extractor in a process and an environment of its own."""

    def __init__(self, name: str, python: str) -> None:
        self._child = subprocess.Popen(
            [python, str(_APP), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": ""},
            text=True,
        )

    def __call__(self, text: str, _: str) -> tuple[set[str], float]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        print(json.dumps(text), file=self._child.stdin, flush=True)
        found, took_s = json.loads(self._child.stdout.readline())
        return set(found), took_s

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()


_HOST = re.compile(r"^(?:[a-z]+://)?(?:[^/@]*@)?")
# What the other tools claim to find; phones, handles, wallets and the like are ours alone.
_SHARED_KINDS = frozenset("domain url email ipv4 ipv6 cidr4 cidr6 md5 sha1 sha256 sha512".split())


def _registrable(text: str) -> str:
    """A text whose reserved names end as real ones do, since other tools know no reserved ones."""
    return text.replace("example", "com").replace("invalid", "net")


def _canonical(value: str) -> str:
    """A value in the one spelling in which all tools' values are compared."""
    kinds = ("url",) if "://" in value else ("email",) if "@" in value else ("domain", "ipv4")
    for kind in kinds:
        with contextlib.suppress(Refused):
            return observe(kind, value).value
    return value


def _scored(find: Find) -> _Score:
    """Only kinds that every tool claims are counted, and a value only when exactly right."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    took_s = 0.0
    for record in records():
        holds = [(kind, _registrable(value)) for kind, value in record["holds"]]
        wanted = {_canonical(value) for kind, value in holds if kind in _SHARED_KINDS}
        others = {value for kind, value in holds if kind not in _SHARED_KINDS}
        # The host of a URL or a mail address is no fault: some tools tell both.
        others |= {_HOST.sub("", value).partition("/")[0].partition(":")[0] for value in wanted}
        values, spent_s = find(_registrable(record["text"]), record["country"])
        found = {_canonical(value) for value in values}
        took_s += spent_s
        language = record["language"]
        right[language] += len(found & wanted)
        missed[language] += len(wanted - found)
        wrong[language] += len({each for each in found - wanted - others if _is_name(each)})
    return _Score(right, wrong, missed, took_s)


def _is_name(value: str) -> bool:
    """Whether a value would block something: a name, an address, a URL or a digest."""
    return "." in value or ":" in value or len(value) >= 32


def extraction(board: Board, pythons: Mapping[str, str]) -> None:
    """Precision and recall of each language, for ours and for the peers that were named."""
    print(
        "extraction: 480 texts of our own, reserved names made registrable; URLs, names, mail and"
        " addresses alone, exactly right values"
    )
    _print_score("ours", ours := _scored(_ours))
    total = {name: sum(getattr(ours, name).values()) for name in ("right", "wrong", "missed")}
    board.plain("E1-precision", total["right"] / (total["right"] + total["wrong"]))
    board.plain("E1-recall", total["right"] / (total["right"] + total["missed"]))
    best = 0.0
    for name in FINDERS:
        if name in pythons:
            peer = _Peer(name, pythons[name])
            try:
                _print_score(name, score := _scored(peer))
            finally:
                peer.stop()
            hits = sum(score.right.values())
            best = max(best, hits / (hits + sum(score.wrong.values())))
    if best:
        board.beside("E1-peer", total["right"] / (total["right"] + total["wrong"]), best)


def _print_score(name: str, score: _Score) -> None:
    languages = sorted(score.right | score.wrong | score.missed)
    for language in [*languages, "all"]:
        of = languages if language == "all" else [language]
        hit, bad, lost = (sum(part[each] for each in of) for part in score[:3])
        precision, recall = interval(hit, hit + bad), interval(hit, hit + lost)
        print(f"  {name:12} {language:4} precision {precision}   recall {recall}")
    print(f"  {name:12} {score.took_s / len(records()) * 1e3:.2f} ms a text")


def _model() -> Callable[[str], list[tuple[str, float]]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(REGION))
    return lambda text: [(tag, float(share)) for tag, share in model.rank(text)]


_UDHR = {"eng": "en", "ind": "id", "khm": "km", "lao": "lo", "mly_latn": "ms", "mya": "my"} | {
    "tgl": "tl",
    "tha": "th",
    "vie": "vi",
    "tet": "tet",
    "tam": "ta",
    "cmn_hans": "zh",
    "shn": "shn",
    "mly_arab": "ms-Arab",
}
_FLORES = {"eng": "en", "ind": "id", "zsm": "ms", "tam": "ta", "zho": "zh"}


def _parallel() -> Iterable[tuple[str, str, str]]:
    """Set, language and text of the public texts."""
    for record in lines_of(SHARED / "lang" / "udhr-asean.jsonl.gz"):
        if record["lang"] in _UDHR:
            yield "UDHR paragraph", _UDHR[record["lang"]], record["text"]
    for record in lines_of(SHARED / "lang" / "flores200-dev-7langs.jsonl.gz"):
        for name, tag in _FLORES.items():
            text = next((str(record[key]) for key in record if key.startswith(name)), "")
            if text:
                yield "FLORES sentence", tag, text
    path = SHARED / "lang" / "nusax-mt-parallel.csv.gz"
    packed = path.read_bytes() if path.exists() else gzip.compress(b"")
    for row in csv.DictReader(gzip.decompress(packed).decode().splitlines()):
        for name, tag in (("indonesian", "id"), ("english", "en")):
            if row.get(name):
                yield "NusaX message", tag, row[name]


def languages(board: Board) -> None:
    """Accuracy on public texts; `id` and `ms` told as one class count as right for both."""
    guess = _model()
    right, unknown, total = (Counter[tuple[str, str]]() for _ in range(3))
    for kind, tag, text in _parallel():
        found = language_of(text, guess)
        total[kind, tag] += 1
        right[kind, tag] += tag in (found.tag, found.also)
        unknown[kind, tag] += found.tag == "und"
    print("languages")
    for kind, tag in sorted(total):
        told = interval(right[kind, tag], total[kind, tag])
        print(f"  {kind:16} {tag:8} {told}  unknown {unknown[kind, tag]}")
    if total:
        board.plain("E2-language", sum(right.values()) / sum(total.values()))
