"""`python -m bench evidence`: how well and how fast evidence is read and found again.

Quality comes with n and a 95 % interval (Wilson). Public data lie beside the checkout; what is
absent is said and left out. The traits and word lists were written with the frozen lures in
view: figures on those show that the code works, figures on public data how well it does.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bayanihan.core import fingerprint, pdq, tlsh
from bayanihan.core.extract import extract
from bayanihan.core.language import REGION, language_of
from bayanihan.intake.evidence import Reader
from bayanihan.readers.alike.search import TEXT_LEAST, TLSH_MOST
from tests.core.lures import FOLDER, endings, records

SHARED = Path(__file__).parents[2] / "shared" / "data"
Z = 1.959964


def interval(hits: int, n: int) -> str:
    """A share with its n and Wilson interval."""
    if n == 0:
        return "no data"
    share = hits / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return f"{share:7.2%}  n={n:<6} [{middle - half:.2%}, {middle + half:.2%}]"


def others() -> dict[str, Callable[[str], set[str]]]:
    """Known extractors that are installed beside this environment, and what they find."""
    found: dict[str, Callable[[str], set[str]]] = {}
    if importlib.util.find_spec("iocsearcher"):
        from iocsearcher.searcher import Searcher  # type: ignore[import-not-found]

        searcher = Searcher()
        found["iocsearcher"] = lambda text: {each.value for each in searcher.search_data(text)}
    if importlib.util.find_spec("ioc_finder"):
        from ioc_finder import find_iocs  # type: ignore[import-not-found]

        found["ioc-finder"] = lambda text: {
            str(value) for values in find_iocs(text).values() for value in values
        }
    if importlib.util.find_spec("iocextract"):
        import iocextract  # type: ignore[import-not-found]

        found["iocextract"] = lambda text: set(iocextract.extract_iocs(text, refang=True))
    return found


def _without_country(tool: Callable[[str], set[str]]) -> Callable[[str, str], set[str]]:
    return lambda text, _: tool(text)


def extraction() -> None:
    """Precision and recall of each language, for ours and for what else is installed."""
    print("extraction (480 lures and honest messages; a value counts when it is exactly right)")

    def ours(text: str, country: str) -> set[str]:
        return {each.observable.value for each in extract(text, endings, country).found}

    tools: dict[str, Callable[[str, str], set[str]]] = {"ours": ours}
    for name, other in others().items():
        tools[name] = _without_country(other)
    for name, tool in tools.items():
        right: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        for record in records():
            held = {value for kind, value in record["holds"] if name == "ours" or kind != "phone"}
            found = tool(record["text"], record["country"])
            right[record["language"]] += len(found & held)
            wrong[record["language"]] += len(found - held)
            missed[record["language"]] += len(held - found)
        for language in sorted({record["language"] for record in records()}):
            hit, bad, lost = right[language], wrong[language], missed[language]
            precision, recall = interval(hit, hit + bad), interval(hit, hit + lost)
            print(f"  {name:12} {language:4} precision {precision}   recall {recall}")


def languages() -> None:
    """Accuracy on public texts; `id` and `ms` told as one class count as right for both."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(REGION))

    def guess(text: str) -> list[tuple[str, float]]:
        return [(tag, float(share)) for tag, share in model.rank(text)]

    wanted = {"eng": "en", "ind": "id", "khm": "km", "lao": "lo", "mly_latn": "ms", "mya": "my"}
    wanted |= {"tgl": "tl", "tha": "th", "vie": "vi", "tet": "tet", "tam": "ta", "cmn_hans": "zh"}
    wanted |= {"shn": "shn", "mly_arab": "ms-Arab"}
    path = SHARED / "lang" / "udhr-asean.jsonl.gz"
    if not path.exists():
        print("languages: the public texts are not beside this checkout")
        return
    right: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for record in _lines(path):
        tag = wanted.get(record["lang"])
        if tag:
            found = language_of(record["text"], guess)
            total[tag] += 1
            right[tag] += tag in (found.tag, found.also)
            unknown[tag] += found.tag == "und"
    print("languages (UDHR paragraphs)")
    for tag in sorted(total):
        print(f"  {tag:8} {interval(right[tag], total[tag])}  unknown {unknown[tag]}")


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        yield json.loads(line)


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


def texts() -> None:
    """Recall of edited and reworded lures; false matches among public messages."""
    rng = random.Random(11)
    print(f"texts (MinHash, alike from {TEXT_LEAST})")
    for name in ("thai-sms", "uci-sms-en"):
        path = SHARED / "lures" / f"{name}.jsonl.gz"
        if not path.exists():
            print(f"  {name}: not beside this checkout")
            continue
        rows = [record["text"] for record in _lines(path)]
        rng.shuffle(rows)
        signed = [(text, fingerprint.signature(text)) for text in rows[:1_500]]
        signed = [each for each in signed if each[1]]
        hits = sum(
            fingerprint.resemblance(raw, [other])[0] >= TEXT_LEAST
            for text, raw in signed[:500]
            if (other := fingerprint.signature(_edited(text, rng)))
        )
        print(f"  {name:12} edited found      {interval(hits, min(500, len(signed)))}")
        # Of two messages by chance; those that one sender sends in series are alike and counted.
        false = pairs = 0
        for place, (_, raw) in enumerate(signed[:600]):
            after = [each[1] for each in signed[place + 1 : 600]]
            shares = fingerprint.resemblance(raw, after)
            false += sum(share >= TEXT_LEAST for share in shares)
            pairs += len(shares)
        print(f"  {name:12} pairs alike       {interval(false, pairs)}")
    by_topic: dict[tuple[str, str], dict[str, bytes]] = defaultdict(dict)
    for record in records():
        if record["wording"]:
            key = (record["language"], record["topic"])
            by_topic[key][record["wording"]] = fingerprint.signature(record["text"])
    both = [pair for pair in by_topic.values() if pair.get("a") and pair.get("b")]
    hits = sum(fingerprint.resemblance(p["a"], [p["b"]])[0] >= TEXT_LEAST for p in both)
    print(f"  lures        reworded found    {interval(hits, len(both))}  (by text alone)")


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
    found = wrong = near = 0
    for place in range(min(500, len(rows))):
        close = tlsh.distances(table[place], table) <= TLSH_MOST
        close[place] = False
        found += bool((family[close] == family[place]).any())
        wrong += int((family[close] != family[place]).sum())
        near += int(close.sum())
    print(f"files (TLSH within {TLSH_MOST})")
    print(f"  a relative found            {interval(found, min(500, len(rows)))}")
    print(f"  of another family, of near  {interval(wrong, near)}")


def pictures(count: int) -> None:
    """P15: a flat look through many hashes, exact by construction."""
    rng = np.random.default_rng(5)
    table = rng.integers(0, 2**64, (count, 4), dtype=np.uint64)
    took = []
    for _ in range(50):
        query = table[rng.integers(count)] ^ np.uint64(1 << 7)
        began_s = time.perf_counter()
        assert (pdq.apart(query, table) <= pdq.BITS_APART).any()
        took.append(time.perf_counter() - began_s)
    took.sort()
    print(f"pictures: {count} hashes, flat, recall 1: p50 {took[25] * 1e3:.2f} ms, "
          f"p99 {took[49] * 1e3:.2f} ms (goal at 1 M: 0.2 / 1 ms)")  # fmt: skip


def drafts(count: int) -> None:
    """Mail to values, through the reader's process."""
    data = (FOLDER / "lure-th.eml").read_bytes()
    reader = Reader()
    try:
        reader.examine(data)
        took = []
        for _ in range(count):
            began_s = time.perf_counter()
            reader.examine(data)
            took.append(time.perf_counter() - began_s)
    finally:
        reader.stop()
    took.sort()
    p95, mean = took[int(count * 0.95)], sum(took) / count
    print(f"mail read: p50 {took[count // 2] * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms (goal 100 ms);"
          f" 200 mails/s take {200 * mean:.1f} cores")  # fmt: skip


def evidence(pictures_count: int) -> None:
    """All of it."""
    extraction()
    languages()
    texts()
    files()
    pictures(pictures_count)
    drafts(200)
