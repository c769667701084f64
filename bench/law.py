"""What the rulebook costs: load, classify with proof, derive again after a change.

    python -m bench.law [--systems 100000]

Prints each figure with its limit and ends with 1 when one is missed.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from bayanihan.commands.law_files import open_rulebook, rulebook_files
from bayanihan.rulebook.classify import classify, next_question
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.facts import Facts, Value
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.load import load
from bayanihan.rulebook.question import MEMBERS, ask
from bayanihan.rulebook.rederive import affected, rederive
from bayanihan.rulebook.system import read_system
from bayanihan.rulebook.tracks import track_of
from bayanihan.rulebook.view import View, view

ROOT = Path(__file__).resolve().parents[1]

# What changes, where, and the words of the text before and after.
CHANGES = (
    (
        "one member's grace period moves",
        "vn-ai-law.yaml",
        "{from: 2027-09-01,",
        "{from: 2028-03-01,",
    ),
    (
        "a regional tier widens",
        "model-asean.yaml",
        "- 'impact == \"high\"'",
        "- 'impact != \"low\"'",
    ),
    (
        "a regional guide changes for all",
        "asean-guide.yaml",
        "{from: 2024-03-01,",
        "{from: 2024-04-01,",
    ),
)
LIMIT_LOAD_S = 0.5
LIMIT_CLASSIFY_S = 0.002
LIMIT_REDERIVE_S = 60.0


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Seconds that each round took."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


def random_systems(book: Rulebook, number: int, seed: int = 20261122) -> list[Facts]:
    """Systems whose every fact is drawn at random, or left out one time in ten."""
    random = Random(seed)
    choices: dict[str, list[Value]] = {}
    for fact in book.vocabulary.facts.values():
        values = list(fact.values)
        if fact.type == "bool":
            choices[fact.name] = [True, False]
        elif fact.type == "choice":
            choices[fact.name] = [*values]
        elif fact.type == "set":
            choices[fact.name] = [(), *((value,) for value in values)]
        elif fact.type == "number":
            choices[fact.name] = [10**6, 10**9, 10**25, 10**26]
        elif fact.type == "dates":
            choices[fact.name] = [(), ("2027-12-02",), ("2028-08-02",)]
        else:
            choices[fact.name] = [f"{year}-06-15" for year in range(2022, 2030)]
    found = []
    for _ in range(number):
        facts = {n: random.choice(v) for n, v in choices.items() if random.random() < 0.9}
        facts["markets"] = tuple(sorted(random.sample([*MEMBERS, "EU"], 4)))
        found.append(facts)
    return found


def measure_rederive(name: str, before: Rulebook, after: Rulebook, systems: list[Facts]) -> float:
    """Derive all systems again in all members; print and return the seconds."""

    def views(book: Rulebook) -> Callable[[str], View]:
        held = {m: ask(book, "", {"model-asean": "2028-01-01"}, track_of(book, m), "2028-06-01")
                for m in MEMBERS}  # fmt: skip
        return lambda member: held[member]

    touched = affected(before, after)
    start = time.perf_counter()
    changes = sum(1 for _ in rederive(views(before), views(after), systems, MEMBERS))
    took = time.perf_counter() - start
    pairs = len(systems) * len(MEMBERS)
    print(f"  {name}: {len(touched)} provisions affected, {pairs:,} pairs, "
          f"{changes:,} duties changed, {took:.1f} s")  # fmt: skip
    return took


def law(systems: int) -> int:
    """Measure all; 1 when a limit is missed."""
    print(f"Python {platform.python_version()}, {platform.machine()}")

    start = time.perf_counter()
    book = open_rulebook()
    first = time.perf_counter() - start
    again = statistics.median(timed(open_rulebook, 5))
    print(f"load: first {first:.3f} s (the expression engine included), again {again:.3f} s, "
          f"limit {LIMIT_LOAD_S} s; {len(book.provisions)} provisions")  # fmt: skip

    path = ROOT / "examples" / "systems" / "composite.yaml"
    system = read_system(path.read_text(encoding="utf-8"), path.name, book.vocabulary)
    seen = view(book)
    took = timed(lambda: classify(Derivation(seen, system.facts), "2027-12-03"), 300)
    p50, p99 = statistics.median(took), sorted(took)[int(len(took) * 0.99)]
    number = len(classify(Derivation(seen, system.facts), "2027-12-03"))
    print(f"classify with proof: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, "
          f"limit {LIMIT_CLASSIFY_S * 1e3:.0f} ms; {number} findings")  # fmt: skip
    open_facts: Facts = {"roles": ("provider",), "markets": ("EU", "VN")}
    asked = statistics.median(timed(lambda: next_question(seen, open_facts, "2027-12-03"), 20))
    print(f"next question with nearly nothing known: p50 {asked * 1e3:.1f} ms")

    drawn = random_systems(book, systems)
    print(f"derive again, {systems:,} random systems x {len(MEMBERS)} members:")
    files = rulebook_files(None)
    worst = 0.0
    for name, file, old, new in CHANGES:
        text = files[file].replace(old, new)
        assert text != files[file], name
        worst = max(worst, measure_rederive(name, book, load({**files, file: text}), drawn))
    print(f"  slowest {worst:.1f} s, limit {LIMIT_REDERIVE_S:.0f} s")
    missed = [first > LIMIT_LOAD_S, p50 > LIMIT_CLASSIFY_S, worst > LIMIT_REDERIVE_S]
    print("all limits held" if not any(missed) else "a limit was missed")
    return int(any(missed))
