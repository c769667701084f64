"""After a change only what can have changed is derived again, and nothing is missed."""

from __future__ import annotations

from itertools import product
from random import Random

from bayanihan.rulebook.classify import kinds_in
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import reaches
from bayanihan.rulebook.facts import Facts, Value
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.load import load
from bayanihan.rulebook.question import MEMBERS
from bayanihan.rulebook.rederive import affected, rederive
from bayanihan.rulebook.view import view

VALUES: dict[str, list[Value]] = {
    "roles": [("provider",), ("deployer",), ("deployer", "provider")],
    "vn_risk": ["high", "medium", "low"],
    "sector": ["finance", "health", "other"],
    "placed_on_market": ["2025-01-01", "2026-05-01"],
    "generates": [(), ("text",)],
    "deepfake": [True, False],
    "personal_data": [True, False],
    "only_military": [False, True],
    "vn_prohibited_act": [False],
    "substantial_modification": [False],
}


def systems(number: int, seed: int = 7) -> list[Facts]:
    random = Random(seed)
    found: list[Facts] = []
    for _ in range(number):
        facts: Facts = {n: random.choice(v) for n, v in VALUES.items() if random.random() < 0.9}
        facts["markets"] = tuple(sorted(random.sample([*MEMBERS, "EU"], 4)))
        found.append(facts)
    return found


def changed(files: dict[str, str]) -> Rulebook:
    text = files["vn-ai-law.yaml"].replace("- {from: 2027-09-01,", "- {from: 2028-03-01,", 1)
    assert text != files["vn-ai-law.yaml"]
    return load({**files, "vn-ai-law.yaml": text})


def test_only_what_rests_on_the_change_is_affected(book: Rulebook, files: dict[str, str]) -> None:
    touched = affected(book, changed(files))
    assert "vn/classify" in touched
    assert "vn/incident" in touched
    assert "vn/high" not in touched
    assert not [one for one in touched if not one.startswith("vn/")]
    assert affected(book, book) == set()


def test_a_guide_that_becomes_law_is_a_change(book: Rulebook, files: dict[str, str]) -> None:
    text = files["asean-guide.yaml"].replace("bindingness: guide", "bindingness: law", 1)
    before, after = view(book), view(load({**files, "asean-guide.yaml": text}))
    found = list(rederive(lambda _: before, lambda _: after, systems(5), ("KH", "EU")))
    assert {one.member for one in found} == {"KH"}
    assert all(one.before == one.after for one in found)


def test_a_finding_carries_its_duties_along(book: Rulebook, files: dict[str, str]) -> None:
    text = files["eu-ai-act.yaml"].replace(
        "when: {all: [{finding: eu/annex-iii}, profiling]}", "when: profiling"
    )
    touched = affected(book, load({**files, "eu-ai-act.yaml": text}))
    assert {"eu/art6/3/profiling", "eu/art6/3", "eu/art6/2", "eu/high-risk", "eu/art9"} <= touched
    assert "eu/art50/3/duty" not in touched


def test_the_changes_are_those_of_a_full_derivation(book: Rulebook, files: dict[str, str]) -> None:
    new = changed(files)
    before, after = view(book), view(new)
    many = systems(300)
    found = {
        (c.system, c.member, c.duty): (c.before, c.after)
        for c in rederive(lambda _: before, lambda _: after, many, MEMBERS)
    }
    whole = {}
    duties = list(kinds_in(after, ("duty",)))
    for index, facts in enumerate(many):
        was, now = Derivation(before, facts), Derivation(after, facts)
        differ = [p for p in duties if was.holds(p.id) != now.holds(p.id)]
        for one, member in product(differ, MEMBERS):
            if reaches(new.texts[one.text].jurisdiction, member):
                whole[index, member, one.id] = (was.holds(one.id), now.holds(one.id))
    assert found == whole
    assert found
    assert {member for _, member, _ in found} == {"VN"}
