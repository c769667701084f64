"""From verdicts to scores: a function of the corpus, the verdicts and the seed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from bayanihan.sandbox.corpus import Corpus, Item
from bayanihan.sandbox.gate import Gate, Rule, judge
from bayanihan.sandbox.proportion import (
    agreement_by_chance,
    clustered,
    exact,
    mcnemar,
    newcombe,
    precision_at,
    wilson,
)
from bayanihan.sandbox.result import (
    BENIGN,
    FAULT,
    MALICIOUS,
    Asked,
    Difference,
    Honesty,
    Laboratory,
    Performance,
    Score,
    Slice,
)

NAMES = {"detection": "attack", "false_alarm": "legitimate"}
_CANARY_ALARM = 0.001


def age_of(item: Item) -> str:
    """The slice of age that an item falls into."""
    for limit, name in ((7, "up to a week"), (30, "up to a month"), (90, "up to three months")):
        if item.age_days <= limit:
            return name
    return "older"


SLICES: dict[str, Callable[[Item], str]] = {
    "language": lambda item: item.language,
    "vector": lambda item: item.vector,
    "age": age_of,
    "medium": lambda item: item.medium,
}


def called(item: Item, verdict: str) -> bool:
    """Whether an item counts as called malicious; a fault counts against the tool, both ways.

    A tool that fails on an attack has missed it; one that fails on a legitimate message has
    stopped it.
    """
    if verdict == FAULT:
        return item.label == "legitimate"
    return verdict == MALICIOUS


class Tally:
    """Hits by campaign for one label."""

    def __init__(self, items: Sequence[Item], verdicts: str, label: str) -> None:
        self._hits: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        for item, verdict in zip(items, verdicts, strict=True):
            if item.label == label and not item.canary:
                self._sizes[item.campaign] += 1
                self._hits[item.campaign] += called(item, verdict)

    @property
    def hits(self) -> list[int]:
        """Hits of each campaign, by name."""
        return [self._hits[name] for name in sorted(self._sizes)]

    @property
    def sizes(self) -> list[int]:
        """Items of each campaign, by name."""
        return [self._sizes[name] for name in sorted(self._sizes)]

    def score(self, name: str, seed: int) -> Score | None:
        """The share with its intervals; None where there are no items."""
        n, hits = sum(self.sizes), sum(self.hits)
        if not n:
            return None
        return Score(
            name,
            hits / n,
            n,
            exact(hits, n),
            wilson(hits, n),
            clustered(self.hits, self.sizes, seed=seed),
            hits,
        )


def scores_of(corpus: Corpus, verdicts: str, seed: int) -> list[Score]:
    """Detection, false alarms, and precision at the corpus's base rate."""
    found = {}
    for name, label in NAMES.items():
        score = Tally(corpus.items, verdicts, label).score(name, seed)
        assert score, "a corpus has both labels"
        found[name] = score
    detection, alarms = found["detection"], found["false_alarm"]
    rate = corpus.card.base_rate
    # Both bounds at their worst together, and at their best: wider than 95 % needs, never narrower.
    # Of a tool that never warns nothing is known: then the bounds are 0 and 1.
    low = precision_at(detection.interval[0], alarms.interval[1], rate) or 0.0
    high = precision_at(detection.interval[1], alarms.interval[0], rate)
    precision = Score(
        "precision",
        precision_at(detection.share, alarms.share, rate),
        detection.n + alarms.n,
        (low, 1.0 if high is None else high),
    )
    return [detection, alarms, precision]


def slices_of(corpus: Corpus, verdicts: str, seed: int) -> list[Slice]:
    """Both scores in each slice; within each kind of slice the worst detection comes first."""
    found = []
    for by, key in SLICES.items():
        parts: dict[str, list[int]] = {}
        for at, item in enumerate(corpus.items):
            parts.setdefault(key(item), []).append(at)
        made = [_slice(corpus, verdicts, by, value, at, seed) for value, at in parts.items()]
        found += sorted(made, key=_badness)
    return found


def _slice(corpus: Corpus, verdicts: str, by: str, value: str, at: list[int], seed: int) -> Slice:
    items = [corpus.items[each] for each in at]
    told = "".join(verdicts[each] for each in at)
    scores = {name: Tally(items, told, label).score(name, seed) for name, label in NAMES.items()}
    return Slice(by, value, scores["detection"], scores["false_alarm"])


def _badness(part: Slice) -> tuple[float, float, str]:
    detection = part.detection.share if part.detection else 2.0
    return detection, -(part.false_alarm.share if part.false_alarm else 0.0), part.value


def differences_of(corpus: Corpus, mine: str, other: str) -> list[Difference]:
    """What is between two tools that were asked the same items."""
    found = []
    for name, label in NAMES.items():
        pairs: Counter[tuple[bool, bool]] = Counter()
        for item, this, that in zip(corpus.items, mine, other, strict=True):
            if item.label == label and not item.canary:
                pairs[called(item, this), called(item, that)] += 1
        counts = (pairs[True, True], pairs[True, False], pairs[False, True], pairs[False, False])
        both, only_this, only_other, neither = counts
        n = sum(counts)
        found.append(
            Difference(
                name,
                (only_this - only_other) / n,
                newcombe(both, only_this, only_other, neither),
                mcnemar(only_this, only_other),
                only_this,
                only_other,
            )
        )
    return found


def gates_of(corpus: Corpus, verdicts: str, rules: Sequence[Rule], seed: int) -> list[Gate]:
    """What each rule comes to."""
    found = []
    for rule in rules:
        tally = Tally(corpus.items, verdicts, NAMES[rule.name])
        found.append(judge(rule, tally.hits, tally.sizes, seed=seed))
    return found


def honesty_of(
    corpus: Corpus, verdicts: str, again: dict[int, str], laboratories: Sequence[Laboratory] = ()
) -> Honesty:
    """Signs that the tool keeps state between items, or knows labels that nobody can know.

    Args:
        corpus: what was asked.
        verdicts: what was answered.
        again: index in the corpus -> the verdict of a fresh sandbox.
        laboratories: who answered, when it was not all answered here.
    """
    differing = sum(verdicts[at] != verdict for at, verdict in again.items())
    canaries = [at for at, item in enumerate(corpus.items) if item.canary]
    agreed = sum(
        (verdicts[at] == MALICIOUS) == (corpus.items[at].label == "attack") for at in canaries
    )
    chance = agreement_by_chance(agreed, len(canaries))
    told = []
    if differing:
        told.append(
            f"{differing} of {len(again)} items got another verdict in a fresh sandbox: the tool "
            "keeps state between items, or answers by chance"
        )
    told += [
        f"{each.differing} of {each.reasked} items that the laboratory {each.origin} answered came "
        "out otherwise here: it did not run this tool as it says, or the tool answers by chance"
        for each in laboratories
        if each.differing
    ]
    if canaries and chance < _CANARY_ALARM:
        told.append(
            f"The tool agreed with {agreed} of {len(canaries)} canaries, whose labels were drawn "
            f"by lot (chance {chance:.1g}): it knew the labels"
        )
    return Honesty(len(again), differing, len(canaries), agreed, chance, told)


def claims_of(declared: dict[str, float] | None, scores: Sequence[Score]) -> list[str]:
    """Where the tool is worse than its vendor declares, in sentences.

    Args:
        declared: by the manifest: detection and false_alarm as shares.
        scores: what was found.
    """
    found = {score.name: score.interval for score in scores}
    told = []
    for name, claim in (declared or {}).items():
        low, high = found[name]
        if (high < claim) if name == "detection" else (low > claim):
            told.append(
                f"The vendor declares {name.replace('_', ' ')} of {claim * 100:g} %, and what was "
                f"found excludes it: {low * 100:.1f} to {high * 100:.1f} %"
            )
    return told


def asked_of(corpus: Corpus) -> Asked:
    """What a result says of its corpus."""
    card, counts = corpus.card, corpus.counts()
    return Asked(
        card.name,
        card.version,
        f"sha256:{corpus.root}",
        f"sha256:{corpus.training_root}",
        len(corpus.items),
        counts["attack"],
        counts["legitimate"],
        card.base_rate,
        card.base_rate_source,
        card.sealed,
        card.limits,
    )


def performance_of(latencies_us: Sequence[int], cold_start_s: float, peak: int) -> Performance:
    """Percentiles and throughput of one item after another."""
    ordered = sorted(latencies_us) or [0]

    def at(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    total_s = sum(ordered) / 1e6
    return Performance(
        at(0.5),
        at(0.95),
        at(0.99),
        ordered[-1],
        round(len(ordered) / total_s, 1) if total_s else 0.0,
        round(cold_start_s, 4),
        peak,
        len(latencies_us),
    )


def letter_of(verdict: str) -> str:
    """A verdict of the contract as one letter."""
    return MALICIOUS if verdict == "malicious" else BENIGN
