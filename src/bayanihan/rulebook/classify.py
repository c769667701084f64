"""Which findings hold for a system on a day: all of them, not one label.

Regimes are cumulative: a chatbot that is also high-risk owes both. Each finding has a state:

    yes           holds on the day
    no            does not
    undetermined  a fact is missing; see `question`
    not-yet       will hold from `since`, as the facts are (may hold, if `missing` names facts)
    ended         held before
    exempt        would hold, but an exception applies
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from bayanihan.rulebook.derive import Derivation, Proof, reasons, unknown_facts
from bayanihan.rulebook.facts import Fact, Facts, Value
from bayanihan.rulebook.law import Provision
from bayanihan.rulebook.truth import NEVER, UNKNOWN, YES, at, next_start, since, was
from bayanihan.rulebook.view import View

STATES = ("yes", "no", "undetermined", "not-yet", "ended", "exempt")

# A question that settles findings that matter more comes first.
_DEFAULT_WEIGHT = 1


@dataclass(frozen=True, slots=True)
class FindingState:
    """One finding about a system on a day, with its proof."""

    finding: str
    text: str
    article: str
    title: str
    state: str
    since: str
    because: tuple[str, ...]
    missing: tuple[str, ...]
    slices: tuple[str, ...]
    sources: tuple[str, ...]
    watermark: str
    proof: Proof

    def as_json(self) -> dict[str, Any]:
        """The fixed shape, with more keys."""
        return {
            "finding": self.finding,
            "article": self.article,
            "state": self.state,
            "because": list(self.because),
            "title": self.title,
            "text": self.text,
            "since": self.since,
            "missing": list(self.missing),
            "slices": list(self.slices),
            "sources": list(self.sources),
            "watermark": self.watermark,
            "proof": self.proof,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """The fact to ask for next: whatever the answer, it settles the most open findings.

    `surely` counts (weighted) what the least helpful answer settles, `settles` the average.
    """

    fact: str
    ask: str
    answers: tuple[str, ...]
    surely: float
    settles: float


def classify(derivation: Derivation, day: str, texts: Collection[str] = ()) -> list[FindingState]:
    """All findings about a system.

    Args:
        derivation: the view and the facts.
        day: the law date.
        texts: only these texts; all when empty.
    """
    return [
        finding_state(derivation, provision, day)
        for provision in kinds_in(derivation.view, ("finding", "exception"), texts)
        if provision.kind == "finding" or _matters(derivation, provision)
    ]


def _matters(derivation: Derivation, exception: Provision) -> bool:
    """An exception matters only where something that it excepts could hold and matters too."""
    for target in exception.excepts:
        versions = derivation.view.versions.get(target, ())
        if versions and derivation.bare(target) != NEVER:
            aimed = versions[0].provision
            if aimed.kind != "exception" or _matters(derivation, aimed):
                return True
    return False


def kinds_in(
    view: View, kinds: Collection[str], texts: Collection[str] = ()
) -> Iterable[Provision]:
    """The known provisions of these kinds, one per id, in the order of the texts."""
    for versions in view.versions.values():
        provision = versions[0].provision
        if provision.kind in kinds and (not texts or provision.text in texts):
            yield provision


def finding_state(derivation: Derivation, provision: Provision, day: str) -> FindingState:
    """The state of one finding on a day, with reasons and proof."""
    state, start = state_on(derivation, provision.id, day)
    asked = start if state == "not-yet" else day
    proof = derivation.proof(provision.id, asked)
    because = reasons(proof)
    if state == "not-yet":
        because.insert(0, f"not before {start}")
    missing = unknown_facts(proof) if proof["is"] == "unknown" else []
    version = derivation.version_on(provision.id, day)
    shown = version.provision if version else provision
    return FindingState(
        provision.id, provision.text, shown.article, shown.title, state, start, tuple(because),
        tuple(missing), shown.slices, shown.sources,
        derivation.view.rulebook.texts[provision.text].watermark, proof,
    )  # fmt: skip


def state_on(derivation: Derivation, provision_id: str, day: str) -> tuple[str, str]:
    """The state of a provision on a day, and the day since or from which it is so."""
    line = derivation.holds(provision_id)
    truth = at(line, day)
    if truth == YES:
        return "yes", since(line, day)
    if truth == UNKNOWN:
        return "undetermined", since(line, day)
    start = next_start(line, day)
    if start:
        return "not-yet", start
    if was(line, day):
        return "ended", since(line, day)
    perhaps = next_start(line, day, UNKNOWN)
    if perhaps:
        return "not-yet", perhaps
    bare = derivation.bare(provision_id)
    if at(bare, day) == YES or next_start(bare, day):
        return "exempt", ""
    return "no", ""


def next_question(
    view: View, facts: Facts, day: str, texts: Collection[str] = ()
) -> Question | None:
    """The best question to ask next, None when nothing is open.

    Each candidate is tried with each of its answers; the one whose least helpful answer
    settles the most open findings, weighted, wins. Numbers and dates have no list of answers:
    they count as settling half of the findings that name them.
    """
    derivation = Derivation(view, facts)
    open_now = [one for one in classify(derivation, day, texts) if one.state == "undetermined"]
    if not open_now:
        return None
    weights = {one.finding: _weight(view, one.finding) for one in open_now}
    wanted: dict[str, int] = {}
    for one in open_now:
        for name in one.missing:
            wanted[name] = wanted.get(name, 0) + weights[one.finding]
    best: Question | None = None
    for name in sorted(wanted, key=lambda n: -wanted[n])[:12]:
        fact = view.rulebook.vocabulary.facts[name]
        surely, settles = _settles(view, facts, day, fact, weights, wanted[name])
        if best is None or (surely, settles) > (best.surely, best.settles):
            answers = tuple(text for text, _ in _answers(fact))
            best = Question(name, fact.ask, answers, surely, settles)
    return best


def _weight(view: View, provision_id: str) -> int:
    weight = view.versions[provision_id][0].provision.details.get("weight", _DEFAULT_WEIGHT)
    return int(weight)


def _answers(fact: Fact) -> list[tuple[str, Value]]:
    if fact.type == "bool":
        return [("true", True), ("false", False)]
    if fact.type == "choice":
        return [(value, value) for value in fact.values]
    if fact.type == "set":
        return [("none", ()), *((value, (value,)) for value in fact.values)]
    return []


def _settles(
    view: View, facts: Facts, day: str, fact: Fact, weights: dict[str, int], named: int
) -> tuple[float, float]:
    answers = _answers(fact)
    if not answers:
        return named / 2, named / 2
    before = sum(weights.values())
    totals = []
    for _, value in answers:
        tried = Derivation(view, {**facts, fact.name: value})
        still = sum(w for f, w in weights.items() if state_on(tried, f, day)[0] == "undetermined")
        totals.append(before - still)
    return min(totals), sum(totals) / len(totals)
