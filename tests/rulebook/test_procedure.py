"""Safeguards and sanctions: people decide, in time, after a hearing; clocks never act."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bayanihan.errors import Refused
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.procedure import Act, Case, as_json, open_case, open_steps, overdue, take

from .conftest import weekdays

START = datetime(2028, 3, 1, 9, tzinfo=UTC)  # a Wednesday


def act(at: datetime, office: str = "authority", authority: str = "AT", **more: object) -> Act:
    return Act("Maria Huber", office, authority, "because of the file", at, **more)  # type: ignore[arg-type]


def run(book: Rulebook, case: Case, *steps: tuple[str, Act]) -> Case:
    for name, one in steps:
        case = take(book, case, name, one, weekdays)
    return case


def provisional(book: Rulebook, *, prohibited: bool = False) -> Case:
    case = open_case(book, "eu/art79", "c1", "AT", prohibited=prohibited)
    return run(
        book, case, ("evaluate", act(START)), ("hear-operator", act(START)),
        ("require-correction", act(START)),
        ("take-provisional-measure", act(START + timedelta(days=22))),
    )  # fmt: skip


def test_correction_has_fifteen_working_days(book: Rulebook) -> None:
    case = open_case(book, "eu/art79", "c1", "AT")
    case = run(book, case, ("evaluate", act(START)), ("require-correction", act(START)))
    assert case.deadlines["correction"] == datetime(2028, 3, 22, 9, tzinfo=UTC)
    with pytest.raises(Refused) as caught:
        run(book, case, ("take-provisional-measure", act(START + timedelta(days=20))))
    assert caught.value.code == "pending"


def test_no_objection_in_three_months_is_recorded_by_a_person(book: Rulebook) -> None:
    case = provisional(book)
    end = datetime(2028, 6, 23, 9, tzinfo=UTC)
    assert case.deadlines["objection"] == end
    with pytest.raises(Refused):
        run(book, case, ("record-no-objection", act(end)))
    assert overdue(case, end + timedelta(days=1)) == ["correction", "objection"]
    assert case.state == "provisional", "a passed deadline decides nothing"
    done = run(book, case, ("record-no-objection", act(end + timedelta(days=1))))
    assert as_json(book, done, end)["ended"]


def test_a_prohibited_practice_has_thirty_days(book: Rulebook) -> None:
    case = provisional(book, prohibited=True)
    after = START + timedelta(days=22 + 31)
    assert run(book, case, ("record-no-objection", act(after))).state == "justified"
    with pytest.raises(Refused):
        run(book, case, ("object", act(after, "other-authority", "FR")))


def test_another_authority_objects_and_the_commission_decides(book: Rulebook) -> None:
    case = provisional(book)
    soon = START + timedelta(days=40)
    with pytest.raises(Refused) as caught:
        run(book, case, ("object", act(soon, "other-authority", "AT")))
    assert caught.value.code == "not-permitted"
    case = run(book, case, ("object", act(soon, "other-authority", "FR")))
    assert case.state == "union-procedure"
    assert case.deadlines["union-decision"] == datetime(2028, 9, 23, 9, tzinfo=UTC)
    decision = act(soon + timedelta(days=60), "commission", "COM")
    case = run(book, case, ("find-unjustified", decision))
    case = run(book, case, ("withdraw", act(soon + timedelta(days=61))))
    assert case.state == "withdrawn"
    assert [one.act.authority for one in case.history][-3:] == ["FR", "COM", "AT"]


def test_a_derogation_meets_objections_in_fifteen_days(book: Rulebook) -> None:
    case = run(book, open_case(book, "eu/art46", "d1", "AT"), ("authorise", act(START)))
    assert case.deadlines["objection"] == START + timedelta(days=15)
    with pytest.raises(Refused) as caught:
        run(book, case, ("object", act(START + timedelta(days=16), "other-authority", "FR")))
    assert caught.value.code == "conflict"
    case = run(book, case, ("doubt", act(START + timedelta(days=15), "commission", "COM")))
    decision = act(START + timedelta(days=20), "commission", "COM")
    with pytest.raises(Refused):
        run(book, case, ("find-unjustified", decision))
    hearing = act(START + timedelta(days=17), "commission", "COM")
    case = run(book, case, ("hear-operator", hearing), ("find-unjustified", decision))
    assert open_steps(book, case) == ["withdraw"]


def factors(book: Rulebook) -> dict[str, str]:
    roots = book.parts["procedures"]
    entry = next(p for root in roots for p in root["procedures"] if p["id"] == "eu/art99")
    return dict.fromkeys(entry["factors"], "weighed")


def test_a_fine_needs_a_hearing_and_every_factor(book: Rulebook) -> None:
    case = run(book, open_case(book, "eu/art99", "f1", "AT"), ("state-findings", act(START)))
    with pytest.raises(Refused):
        run(book, case, ("impose-fine", act(START, factors=factors(book))))
    case = run(book, case, ("hear-operator", act(START)))
    some = dict(list(factors(book).items())[:9])
    with pytest.raises(Refused) as caught:
        run(book, case, ("impose-fine", act(START, factors=some)))
    assert "harm mitigated" in caught.value.message
    case = run(book, case, ("impose-fine", act(START, factors=factors(book))))
    case = run(book, case, ("appeal", act(START, "operator", "ACME")))
    with pytest.raises(Refused):
        run(book, case, ("annul", act(START)))
    assert run(book, case, ("annul", act(START, "court", "Court"))).state == "annulled"


def test_ten_factors_as_in_the_text(book: Rulebook) -> None:
    assert len(factors(book)) == 10


def test_commitments_are_bound_rejected_and_reopened(book: Rulebook) -> None:
    office = act(START, "ai-office", "AI Office")
    case = open_case(book, "eu/art75", "k1", "AI Office")
    case = run(book, case, ("offer-commitments", act(START, "operator", "ACME")))
    assert run(book, case, ("reject-commitments", office)).state == "investigation"
    case = run(book, case, ("make-binding", office), ("reopen", office))
    case = run(book, case, ("state-preliminary-findings", office))
    with pytest.raises(Refused):
        run(book, case, ("decide-non-compliance", office))
    case = run(book, case, ("hear-operator", office), ("decide-non-compliance", office))
    assert case.state == "decided"


def test_the_ladder_ends_at_vote_and_recognition(book: Rulebook) -> None:
    """No step of the model's ladder suspends a defence feed."""
    case = open_case(book, "model/sanctions", "s1", "secretariat")
    desk = act(START, "secretariat", "secretariat")
    case = run(book, case, ("check-assistance", desk), ("give-notice", desk))
    vote = act(START, "conference", "conference", share=80)
    with pytest.raises(Refused):
        run(book, case, ("publish-record", vote))
    case = run(book, case, ("hear-party", vote))
    for days, name in ((91, "publish-record"), (280, "suspend-vote"), (470, "suspend-recognition")):
        low = act(START + timedelta(days=days), "conference", "conference", share=50)
        with pytest.raises(Refused):
            run(book, case, (name, low))
        full = act(START + timedelta(days=days), "conference", "conference", share=80)
        case = run(book, case, (name, full))
    assert case.state == "recognition-suspended"
    assert open_steps(book, case) == ["restore-recognition"]
    told = as_json(book, case, START)
    assert told["watermark"] == "proposal, no standing"
    names = {
        s["name"] for r in book.parts["procedures"] for p in r["procedures"] for s in p["steps"]
    }
    assert not [name for name in names if "feed" in name]


@pytest.mark.parametrize(
    ("person", "reason", "office", "code"),
    [
        ("", "r", "authority", "missing-property"),
        ("A", " ", "authority", "missing-property"),
        ("A", "r", "court", "not-permitted"),
    ],
)
def test_a_step_needs_a_person_a_reason_and_its_office(
    book: Rulebook, person: str, reason: str, office: str, code: str
) -> None:
    case = open_case(book, "eu/art83", "x", "AT")
    one = Act(person, office, "AT", reason, START, prescribed=START + timedelta(days=30))
    with pytest.raises(Refused) as caught:
        take(book, case, "require-end", one, weekdays)
    assert caught.value.code == code


def test_steps_follow_the_procedure_and_time(book: Rulebook) -> None:
    case = open_case(book, "eu/art83", "x", "AT")
    with pytest.raises(Refused) as caught:
        run(book, case, ("restrict", act(START)))
    assert "require-end" in caught.value.message
    with pytest.raises(Refused):
        run(book, case, ("require-end", act(START)))
    later = act(START, prescribed=START + timedelta(days=30))
    case = run(book, case, ("require-end", later))
    with pytest.raises(Refused):
        run(book, case, ("confirm-mended", act(START - timedelta(days=1))))
    with pytest.raises(Refused):
        run(book, case, ("confirm-mended", act(START, authority="FR")))
    with pytest.raises(Refused):
        open_case(book, "eu/art1", "y", "AT")
