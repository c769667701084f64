"""Filings as they are kept: drafted by the hub, filed by a person, stopped by the addressee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bayanihan.core.marking import PUBLIC
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger
from bayanihan.web.law import Desk, filings
from bayanihan.web.law.desk import DRAFTS
from bayanihan.web.law.records import Acknowledged
from tests.web.law.conftest import CLERK, JUDGE, OTHER, READER, Clock, staff

FACTS = {"roles": ["deployer"], "sector": "finance", "critical_infrastructure": True}
FILLED = {"affected": "no customer", "measures": "isolated", "contact": "duty officer"}


def incident(desk: Desk, *members: str, **more: Any) -> list[dict[str, Any]]:
    body = {
        "system": "bank", "facts": FACTS, "kind": ["cyber"], "aware": "2026-11-23T01:00:00Z",
        "says": "a cloned voice moved money", "member": list(members), **more,
    }  # fmt: skip
    found: list[dict[str, Any]] = filings.begin(desk, CLERK, body)["filings"]
    return found


def test_a_filing_runs_until_the_addressee_acknowledges(desk: Desk, clock: Clock) -> None:
    (draft,) = incident(desk, "SG")
    assert (draft["state"], draft["status"]) == ("drafted", "running")
    assert draft["due_there"] == "2026-11-23 11:00 SGT"
    filed = filings.file(desk, CLERK, draft["id"], {"fields": FILLED})
    assert (filed["state"], filed["status"], filed["filed_by"]) == (
        "filed",
        "running",
        "SG/bank/clerk",
    )
    assert "a cloned voice moved money" in filed["text"]
    assert filings.listed(desk, CLERK, "", 50)["drafts"] == []
    clock.to("2026-11-23T03:00:01+00:00")
    assert filings.one(desk, CLERK, draft["id"])["status"] == "overdue"
    done = filings.acknowledge(desk, JUDGE, draft["id"], "CSA-17")
    assert (done["state"], done["status"], done["reference"]) == (
        "acknowledged",
        "stopped",
        "CSA-17",
    )
    with pytest.raises(Refused, match="acknowledged already"):
        filings.acknowledge(desk, JUDGE, draft["id"], "CSA-18")


def test_where_another_node_was_quicker_nothing_is_entered(opened: Callable[[], Desk]) -> None:
    """Two desks on one record, as two nodes have: what each judged by its own lock."""
    one, two = opened(), opened()
    (draft,) = incident(one, "SG")
    filings.file(one, CLERK, draft["id"], {"fields": FILLED})
    with one.deciding():
        kept = one.history(JUDGE, draft["id"])[0]
        filings.acknowledge(two, JUDGE, draft["id"], "CSA-17")
        act = Acknowledged(draft["id"], "SG", "CSA-18", JUDGE.person, one.said_now())
        with pytest.raises(Refused, match="meanwhile") as refusal:
            one.enter(JUDGE, [(act, one.audience_of(kept))])
        assert refusal.value.code == "conflict"
    with pytest.raises(Refused, match="acknowledged already"):
        filings.acknowledge(one, JUDGE, draft["id"], "CSA-18")


def test_what_was_filed_before_a_crash_is_not_filed_again(desk: Desk, ledger: Ledger) -> None:
    (draft,) = incident(desk, "SG")
    kept = ledger.state.list(DRAFTS)
    filings.file(desk, CLERK, draft["id"], {"fields": FILLED})
    ledger.state.put([Change(DRAFTS, one.key, one.value) for one in kept])
    with pytest.raises(Refused, match="filed already"):
        filings.file(desk, CLERK, draft["id"], {"fields": FILLED})
    assert filings.listed(desk, CLERK, "", 50)["drafts"] == []
    assert len(desk.history(CLERK, draft["id"])) == 1


def test_only_the_two_members_see_a_filing(desk: Desk) -> None:
    first = incident(desk, "MY")[0]
    filings.file(desk, CLERK, first["id"], {"fields": FILLED})
    there = staff("MY", "officer", "regulate")
    assert filings.one(desk, there, first["id"])["from"] == "SG/bank"
    for viewer in (OTHER, READER, PUBLIC, staff("MY", "clerk", "report", constituent="bank")):
        with pytest.raises(Refused) as refusal:
            filings.one(desk, viewer, first["id"])
        assert refusal.value.code == "not-found"


def test_nobody_but_the_addressee_stops_the_clock(desk: Desk) -> None:
    first = incident(desk, "MY")[0]
    filings.file(desk, CLERK, first["id"], {"fields": FILLED})
    with pytest.raises(Refused, match="Only the addressee") as refusal:
        filings.acknowledge(desk, JUDGE, first["id"], "x")  # the filer's own authority
    assert "NACSA" in refusal.value.next_step
    with pytest.raises(Refused, match="Only a member's own authority"):
        filings.acknowledge(desk, CLERK, first["id"], "x")
    officer = staff("MY", "officer", "regulate")
    with pytest.raises(Refused, match="reference"):
        filings.acknowledge(desk, officer, first["id"], "")
    assert filings.acknowledge(desk, officer, first["id"], "NC4-1")["status"] == "stopped"


def test_an_authority_does_not_acknowledge_its_own_report(desk: Desk) -> None:
    own = {**FACTS}
    body = {"system": "s", "facts": own, "kind": ["cyber"], "aware": "2026-11-23T01:00:00Z",
            "says": "x", "member": ["SG"]}  # fmt: skip
    (draft,) = filings.begin(desk, JUDGE, body)["filings"]
    filings.file(desk, JUDGE, draft["id"], {"fields": FILLED})
    with pytest.raises(Refused, match="Only the addressee"):
        filings.acknowledge(desk, JUDGE, draft["id"], "self")


def test_what_is_open_is_named_before_filing(desk: Desk) -> None:
    (draft,) = incident(desk, "SG", says="")
    assert draft["open"] == ["says"]
    with pytest.raises(Refused, match="Fill in first: says"):
        filings.file(desk, CLERK, draft["id"], {})
    with pytest.raises(Refused, match="no field 'colour'"):
        filings.file(desk, CLERK, draft["id"], {"fields": {"colour": "red"}})
    with pytest.raises(Refused, match="follows from the report"):
        filings.file(desk, CLERK, draft["id"], {"fields": {"addressee": "me"}})
    with pytest.raises(Refused, match="no such record"):
        filings.file(desk, JUDGE, draft["id"], {"fields": {"says": "x"}})


def test_working_days_left_are_those_of_the_member(desk: Desk) -> None:
    final = next(one for one in incident(desk, "MY") if one["part"] == "final")
    # 14 days from Monday 23 November: to Monday 7 December.
    assert (final["due_there"], final["working_days"]) == ("2026-12-07 09:00 MYT", 10)


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ({"aware": "yesterday"}, "bad-value", "$.aware"),
        ({"aware": "2026-11-23T01:00:00"}, "bad-value", "$.aware"),
        ({"aware": "2027-01-01T00:00:00Z"}, "bad-value", "$.aware"),
        ({"kind": []}, "missing-property", "$.kind"),
        ({"kind": ["rain"]}, "bad-value", "kind"),
        ({"kind": "cyber"}, "bad-value", "$.kind"),
        ({"member": ["XX"]}, "bad-parameter", "member"),
        ({"says": "x" * 4001}, "bad-value", "$.says"),
    ],
)
def test_what_is_wrong_with_a_report_is_told(
    desk: Desk, more: dict[str, Any], code: str, where: str
) -> None:
    with pytest.raises(Refused) as refusal:
        incident(desk, **more)
    assert (refusal.value.code, refusal.value.where) == (code, where)
    assert desk.drafts(CLERK) == []
