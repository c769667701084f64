"""Cases as they are kept: steps of named people, replayed, refused with the article."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Ledger
from bayanihan.web.law import Desk, cases, register
from tests.web.law.conftest import CLERK, JUDGE, OTHER, READER, Clock, staff
from tests.web.law.test_register import TODAY, body


def begin(desk: Desk, procedure: str = "eu/art79", **more: Any) -> str:
    order = {"procedure": procedure, "subject": "loan assistant", "reason": "complaint 12"}
    made = cases.begin(desk, JUDGE, {**order, **more})
    return str(made["id"])


def take(
    desk: Desk, viewer: Viewer, case: str, name: str, office: str, **more: Any
) -> dict[str, Any]:
    order = {"step": name, "office": office, "reason": f"because of {name}"}
    return cases.step(desk, viewer, case, {**order, **more})


def to_provisional(desk: Desk, clock: Clock, case: str) -> None:
    for name in ("evaluate", "hear-operator", "require-correction"):
        take(desk, JUDGE, case, name, "authority")
    with pytest.raises(Refused, match="Not before 2026-12-14") as refusal:
        take(desk, JUDGE, case, "take-provisional-measure", "authority")
    assert (refusal.value.code, refusal.value.where) == ("pending", "Art. 79(5)")
    clock.to("2026-12-15T02:00:00+00:00")
    take(desk, JUDGE, case, "take-provisional-measure", "authority")


def test_a_case_is_its_entries_and_is_read_back_whole(
    desk: Desk, opened: Callable[[], Desk], clock: Clock
) -> None:
    case = begin(desk)
    to_provisional(desk, clock, case)
    told = cases.one(desk, OTHER, case)
    assert [line["step"] for line in told["history"]] == [
        "evaluate", "hear-operator", "require-correction", "take-provisional-measure",
    ]  # fmt: skip
    assert all(line["person"] == "SG/judge" and line["reason"] for line in told["history"])
    assert told["deadlines_there"]["objection"] == "2027-03-15 10:00 SGT"
    again = opened()
    assert cases.one(again, OTHER, case) == told
    clock.to("2027-03-16T02:00:00+00:00")
    assert "objection" in cases.one(again, OTHER, case)["overdue"]
    assert cases.one(again, OTHER, case)["state"] == "provisional"  # the clock decided nothing
    with pytest.raises(Refused, match="Too late") as refusal:
        take(again, OTHER, case, "object", "other-authority")
    assert refusal.value.where == "Art. 79(7)"
    assert take(again, JUDGE, case, "record-no-objection", "authority")["state"] == "justified"


def test_another_authority_objects_and_the_commissions_word_is_entered_with_its_document(
    desk: Desk, clock: Clock
) -> None:
    case = begin(desk)
    to_provisional(desk, clock, case)
    with pytest.raises(Refused, match="another authority"):
        take(desk, JUDGE, case, "object", "other-authority")
    assert take(desk, OTHER, case, "object", "other-authority")["state"] == "union-procedure"
    for viewer, reference in ((JUDGE, ""), (OTHER, "C(2027) 1")):
        with pytest.raises(Refused, match="enters its word"):
            take(desk, viewer, case, "find-justified", "commission", reference=reference)
    told = take(desk, JUDGE, case, "find-justified", "commission", reference="C(2027) 1")
    assert (told["state"], told["ended"]) == ("justified", True)
    assert told["history"][-1]["reference"] == "C(2027) 1"


@pytest.mark.parametrize(
    ("viewer", "name", "office", "message"),
    [
        (JUDGE, "confirm-correction", "authority", "does not follow suspected"),
        (OTHER, "evaluate", "authority", "Only SG"),
        (JUDGE, "evaluate", "commission", "enters its word"),
        (CLERK, "evaluate", "authority", "own authority"),
        (READER, "evaluate", "authority", "lacks the scope"),
        (Viewer("k", "k", "SG", "", frozenset({"regulate"})), "evaluate", "authority", "no person"),
    ],
)
def test_an_illegal_step_is_refused_and_leaves_no_trace(
    desk: Desk, viewer: Viewer, name: str, office: str, message: str
) -> None:
    case = begin(desk, tlp="amber")
    with pytest.raises(Refused, match=message):
        take(desk, viewer, case, name, office)
    assert cases.one(desk, JUDGE, case)["history"] == []


def test_a_step_needs_a_reason(desk: Desk) -> None:
    case = begin(desk)
    with pytest.raises(Refused, match="reason"):
        take(desk, JUDGE, case, "evaluate", "authority", reason="  ")


def test_a_fine_needs_a_hearing_and_a_word_on_each_factor(desk: Desk) -> None:
    case = begin(desk, "eu/art99", tlp="amber")
    take(desk, JUDGE, case, "state-findings", "authority")
    with pytest.raises(Refused, match="hearing"):
        take(desk, JUDGE, case, "impose-fine", "authority")
    told = take(desk, JUDGE, case, "hear-operator", "authority")
    needed = next(one for one in told["next"] if one["step"] == "impose-fine")["needs_factors"]
    with pytest.raises(Refused, match="gravity"):
        take(desk, JUDGE, case, "impose-fine", "authority", factors={"cooperation": "full"})
    told = take(desk, JUDGE, case, "impose-fine", "authority", factors=dict.fromkeys(needed, "low"))
    assert told["history"][-1]["factors"]["cooperation"] == "low"
    assert take(desk, CLERK, case, "appeal", "operator")["state"] == "appealed"


def test_who_is_not_told_does_not_see_a_case(desk: Desk) -> None:
    case = begin(desk)
    for viewer in (CLERK, staff("SG", "gate", "feed")):
        with pytest.raises(Refused) as refusal:
            cases.one(desk, viewer, case)
        assert refusal.value.code == "not-found"
    open_case = begin(desk, tlp="clear")
    assert cases.one(desk, Viewer(), open_case)["state"] == "suspected"
    assert [one["id"] for one in cases.listed(desk, Viewer(), "", 50)["cases"]] == [open_case]


def test_evidence_is_never_a_report_a_notice_or_a_receipt(desk: Desk, ledger: Ledger) -> None:
    """Safeguard 1: what somebody reported is not used against them."""
    case = begin(desk)
    group = desk.among(JUDGE, desk.members())
    for kind in ("object", "notice", "answer"):
        entry = Draft(kind, group, "SG/bank/clerk", "SG/bank", f"{kind}--1", b"{}")
        ledger.append([entry])
        with pytest.raises(Refused, match="is never evidence") as refusal:
            take(desk, JUDGE, case, "evaluate", "authority", evidence=[f"{kind}--1"])
        assert refusal.value.where == "$.evidence[0]"
    nowhere = ["indicator--never-said"]
    with pytest.raises(Refused, match="is never evidence"):
        take(desk, JUDGE, case, "evaluate", "authority", evidence=nowhere)
    registered = register.enter(desk, CLERK, body(), TODAY)["id"]
    ledger.append([Draft("attestation", Audience("clear"), "x", "VN", "attestation--1", b"{}")])
    good = [registered, "attestation--1"]
    told = take(desk, JUDGE, case, "evaluate", "authority", evidence=good)
    assert told["history"][0]["evidence"] == good


def test_two_people_cannot_take_the_same_step(desk: Desk) -> None:
    case = begin(desk)
    results: list[str] = []

    def one() -> None:
        try:
            take(desk, JUDGE, case, "evaluate", "authority")
            results.append("taken")
        except Refused as refusal:
            results.append(refusal.code)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["taken", *["wrong-use"] * 7]
    assert len(cases.one(desk, JUDGE, case)["history"]) == 1


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"share": 101}, "$.share"),
        ({"share": True}, "$.share"),
        ({"factors": []}, "$.factors"),
        ({"factors": {"x": 5}}, "$.factors.x"),
        ({"evidence": "x"}, "$.evidence"),
        ({"evidence": ["x"] * 51}, "$.evidence"),
        ({"prescribed": "soon"}, "$.prescribed"),
        ({"reason": 5}, "$.reason"),
    ],
)
def test_what_is_wrong_with_a_step_is_told(desk: Desk, more: dict[str, Any], where: str) -> None:
    case = begin(desk)
    with pytest.raises(Refused) as refusal:
        take(desk, JUDGE, case, "evaluate", "authority", **more)
    assert (refusal.value.code, refusal.value.where) == ("bad-value", where)
