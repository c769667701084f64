"""Findings are cumulative, dated, proven; the composite system has five duty lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.rulebook.classify import classify, next_question, state_on
from bayanihan.rulebook.derive import Derivation, Proof, unknown_facts
from bayanihan.rulebook.duties import duties
from bayanihan.rulebook.facts import Facts, Value
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.system import System
from bayanihan.rulebook.truth import NAMES, UNKNOWN, at
from bayanihan.rulebook.view import view

DAYS = ("2026-08-01", "2026-11-22", "2026-12-03", "2027-12-03", "2028-08-03")


def owed(book: Rulebook, system: System, day: str, known: str = "") -> set[str]:
    derivation = Derivation(view(book, known), system.facts)
    return {one.duty for one in duties(derivation, "EU", day) if one.state == "owed"}


def test_five_days_five_duty_lists(book: Rulebook, composite: System) -> None:
    lists = [owed(book, composite, day) for day in DAYS]
    assert len({frozenset(one) for one in lists}) == 5
    assert lists[0] == {"eu/art4"}
    assert lists[1] - lists[0] == {"eu/art50/1/duty"}
    assert lists[2] - lists[1] == {"eu/art5", "eu/art50/2/duty"}
    assert {"eu/art9", "eu/art15", "eu/art43/2", "eu/art49/1", "eu/art73"} <= lists[3] - lists[2]
    assert lists[4] - lists[3] == {"eu/art43/3"}


def test_duties_of_section_five_wait_for_the_classification(
    book: Rulebook, composite: System
) -> None:
    """Art. 73 applies since 2 August 2026, but nothing is high-risk before 2 December 2027."""
    derivation = Derivation(view(book), composite.facts)
    found = {one.duty: one for one in duties(derivation, "EU", "2026-11-22")}
    assert found["eu/art73"].state == "upcoming"
    assert found["eu/art73"].due == "2027-12-02"


def test_the_amendment_is_known_from_27_july(book: Rulebook, composite: System) -> None:
    before, after = (
        state_on(Derivation(view(book, known), composite.facts), "eu/art6/2", "2026-08-02")
        for known in ("2026-07-26", "2026-07-27")
    )
    assert before == ("yes", "2026-08-02")
    assert after == ("not-yet", "2027-12-02")


def test_findings_carry_article_reasons_and_quotation(book: Rulebook, composite: System) -> None:
    found = {f.finding: f for f in classify(Derivation(view(book), composite.facts), "2027-12-03")}
    art6 = found["eu/art6/2"].as_json()
    assert (art6["article"], art6["state"]) == ("Art. 6(2)", "yes")
    assert "Annex III is yes (eu/annex-iii)" in art6["because"]
    assert art6["slices"] == ["art6-2"]
    assert art6["proof"]["is"] == "yes"
    assert found["eu/art50/1"].state == "yes"
    assert found["eu/prohibited"].state == "yes"


def test_an_override_is_told(book: Rulebook, composite: System) -> None:
    facts = {**composite.facts, "no_significant_risk": True, "task": "preparatory"}
    found = {f.finding: f for f in classify(Derivation(view(book), facts), "2027-12-03")}
    told = " ".join(found["eu/art6/2"].because)
    assert found["eu/art6/2"].state == "yes"
    assert "Art. 6(3) does not exempt it: Art. 6(3), third subparagraph" in told


def replay(node: Proof) -> str:
    """The truth of a proof, computed again from its parts alone."""
    if "test" in node or "applies_from" in node or "known" in node:
        return str(node["is"])
    order = {"no": 0, "unknown": 1, "yes": 2}
    for key, pick in (("all", min), ("any", max)):
        if key in node:
            return NAMES[pick(order[replay(part)] for part in node[key])]
    for key in ("not", "unless"):
        if key in node:
            return NAMES[2 - order[replay(node[key][0])]]
    condition = [p for p in node["why"] if "applies_from" not in p and "unless" not in p]
    rows = [p for p in node["why"] if "applies_from" in p]
    unless = [p for p in node["why"] if "unless" in p]
    truths = [order[replay(part)] for part in (*condition, *unless)]
    if rows:
        truths.append(max(order[replay(row)] for row in rows))
    return NAMES[min(truths, default=2)]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("drop", ["", "profiling", "placed_on_market", "annex_iii", "markets"])
def test_every_proof_replays_to_its_finding(
    book: Rulebook, composite: System, day: str, drop: str
) -> None:
    facts = {name: value for name, value in composite.facts.items() if name != drop}
    derivation = Derivation(view(book), facts)
    for finding in classify(derivation, day):
        if finding.state in ("yes", "undetermined"):
            assert replay(finding.proof) == finding.proof["is"], finding.finding


ANSWERS: dict[str, list[Value]] = {
    "profiling": [True, False],
    "no_significant_risk": [True, False],
    "task": ["preparatory", "full"],
    "annex_iii": [("5b",), ()],
    "interacts_with_people": [True, False],
    "placed_on_market": ["2026-01-01", "2028-01-01"],
    "generates": [("text",), ()],
}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(ANSWERS)), st.integers(0, 1)), st.data())
def test_unknown_is_never_no(
    book: Rulebook, composite: System, chosen: dict[str, int], data: st.DataObject
) -> None:
    """What holds or not with a fact missing holds or not with each of its answers."""
    base: Facts = {k: v for k, v in composite.facts.items() if k not in ANSWERS}
    given_facts = {**base, **{name: ANSWERS[name][i] for name, i in chosen.items()}}
    missing = [name for name in ANSWERS if name not in chosen]
    if not missing:
        return
    name = data.draw(st.sampled_from(missing))
    less = Derivation(view(book), given_facts)
    for value in ANSWERS[name]:
        more = Derivation(view(book), {**given_facts, name: value})
        for finding in ("eu/art6/2", "eu/high-risk", "eu/art50/1", "eu/art50/2", "eu/art6/3"):
            truth = at(less.holds(finding), "2027-12-03")
            if truth != UNKNOWN:
                assert at(more.holds(finding), "2027-12-03") == truth


def test_the_next_question_settles_what_it_promises(book: Rulebook, composite: System) -> None:
    seen = view(book)
    facts = {k: v for k, v in composite.facts.items() if k not in ("obviously_ai", "profiling")}
    question = next_question(seen, facts, "2027-12-03", ("eu-ai-act",))
    assert question is not None
    assert question.fact == "obviously_ai"
    assert question.ask.endswith("?")
    assert question.surely >= 1
    assert (
        next_question(seen, {**facts, "obviously_ai": False}, "2026-11-22", ("eu-ai-act",)) is None
    )


def test_missing_facts_are_named(book: Rulebook) -> None:
    derivation = Derivation(view(book), {"markets": ("EU",)})
    proof = derivation.proof("eu/art50/1", "2026-11-22")
    assert "interacts_with_people" in unknown_facts(proof)
