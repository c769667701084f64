"""The jurists' cases hold, one test each."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayanihan.commands.working_days import is_working_day
from bayanihan.errors import Refused
from bayanihan.rulebook.cases import Case, read_cases, run_case
from bayanihan.rulebook.law import Rulebook

FOLDER = Path(__file__).parent / "cases"
CASES = [
    case
    for path in sorted(FOLDER.glob("*.yaml"))
    for case in read_cases(path.read_text(encoding="utf-8"), path.name)
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.place}-{case.name}")
def test_a_case_holds(book: Rulebook, case: Case) -> None:
    assert run_case(book, case, is_working_day) == []


def test_there_are_enough_and_half_are_asean() -> None:
    european = [case for case in CASES if case.place.startswith("eu-")]
    assert len(CASES) >= 150
    assert len(european) <= len(CASES) / 2
    assert len({(case.place.split(":")[0], case.name) for case in CASES}) == len(CASES)


def test_a_wrong_expectation_is_told(book: Rulebook) -> None:
    text = (
        "part: cases\ncases:\n  - name: wrong\n    as_of: 2027-12-03\n"
        "    facts: {markets: [EU], annex_iii: []}\n"
        "    expect: {findings: {eu/annex-iii: yes}, duties: {eu/art9: owed}}\n"
    )
    (case,) = read_cases(text, "wrong.yaml")
    told = run_case(book, case, is_working_day)
    assert "eu/annex-iii: expected yes, got undetermined" in told[0] or "got no" in told[0]
    assert len(told) == 2


@pytest.mark.parametrize(
    "text",
    ["part: cases\ncases: 5\n", "part: cases\ncases: [5]\n", "cases: []\n",
     "part: cases\ncases: [{name: a, as_of: 2026-01-01, expect: 5}]\n"],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_cases(text, "c.yaml")


def test_a_case_of_another_shape_is_told(book: Rulebook) -> None:
    text = "part: cases\ncases: [{name: a, as_of: 2026-01-01, expect: {findings: [5]}}]\n"
    (case,) = read_cases(text, "c.yaml")
    assert "not shaped" in run_case(book, case, is_working_day)[0]


def test_an_unknown_key_in_a_case_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        read_cases("part: cases\ncases:\n  - {name: a, as_of: 2026-01-01, expekt: {}}\n", "c.yaml")
    assert caught.value.where.startswith("c.yaml:3")
