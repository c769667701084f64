"""Incident clocks and filings: gaps stay gaps, people file, only an acknowledgement stops."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bayanihan.commands.working_days import is_working_day
from bayanihan.errors import Refused
from bayanihan.rulebook.clocks import (
    Clock,
    Incident,
    add_working_days,
    clocks,
    read_moment,
    rows_of,
)
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.facts import Facts
from bayanihan.rulebook.filing import Filing, acknowledge, draft, file, status
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.question import MEMBERS
from bayanihan.rulebook.system import System
from bayanihan.rulebook.view import view

from .conftest import weekdays

AWARE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FACTS: Facts = {
    "roles": ("deployer",), "markets": ("MY", "SG"), "critical_infrastructure": True,
    "personal_data": True,
}  # fmt: skip
BANK = System("bank", "Bank", "", FACTS)
INCIDENT = Incident("7", ("cyber",), AWARE, "Credentials were stolen.")


def found(book: Rulebook, *members: str) -> dict[str, Clock]:
    derivation = Derivation(view(book), FACTS)
    return {one.clock: one for one in clocks(derivation, INCIDENT, members, weekdays)}


def test_limits_become_moments(book: Rulebook) -> None:
    told = found(book, "SG", "MY")
    assert told["sg/cii"].deadlines[0].due == AWARE + timedelta(hours=2)
    assert [d.due for d in told["my/ncii"].deadlines] == [
        AWARE + timedelta(hours=6), AWARE + timedelta(days=14),
    ]  # fmt: skip
    assert told["my/ncii"].as_json()["deadlines"][0]["due"] == "2026-11-22T15:00:00Z"


def test_every_member_has_an_answer_for_a_cyber_incident(book: Rulebook) -> None:
    members = {row["member"] for row in rows_of(book) if row["kind"] == "cyber"}
    assert set(MEMBERS) <= members


def test_gaps_and_unknowns_say_why_and_have_no_deadline(book: Rulebook) -> None:
    for clock in found(book, *MEMBERS).values():
        assert clock.sources
        if clock.state in ("gap", "unknown"):
            assert clock.note
            assert clock.deadlines == ()


@pytest.mark.parametrize(
    ("member", "start", "number", "end"),
    [
        ("SG", date(2026, 8, 7), 1, date(2026, 8, 11)),  # National Day is observed on Monday
        ("TH", date(2026, 4, 10), 1, date(2026, 4, 16)),  # Songkran, 13 to 15 April
        ("VN", date(2026, 4, 29), 1, date(2026, 5, 4)),  # 30 April and 1 May
        ("EU", date(2026, 12, 24), 1, date(2026, 12, 28)),
    ],
)
def test_working_days_follow_each_members_calendar(
    member: str, start: date, number: int, end: date
) -> None:
    moment = datetime(start.year, start.month, start.day, 15, tzinfo=UTC)
    assert add_working_days(moment, number, member, is_working_day).date() == end


def test_all_members_have_a_calendar() -> None:
    for member in MEMBERS:
        assert not all(
            is_working_day(member, date(2027, 1, 1) + timedelta(days=n))
            for n in range(365)
            if (date(2027, 1, 1) + timedelta(days=n)).weekday() < 5
        )


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-22T09:00:00", "soon", ""])
def test_a_moment_has_a_zone(text: str) -> None:
    with pytest.raises(Refused):
        read_moment(text, "aware")


def drafted(book: Rulebook, part: int = 0) -> Filing:
    clock = found(book, "MY")["my/ncii"]
    return draft(clock, clock.deadlines[part], INCIDENT, BANK)


def test_a_draft_is_made_from_the_one_report(book: Rulebook) -> None:
    filing = drafted(book)
    assert "Credentials were stolen." in filing.text
    assert "NACSA" in filing.text
    assert filing.open_fields == ()
    assert drafted(book, 1).open_fields == ("affected", "measures", "contact")


def test_only_the_addressee_stops_the_clock(book: Rulebook) -> None:
    filing = drafted(book)
    late = AWARE + timedelta(hours=7)
    assert status(filing, late) == "overdue"
    filed = file(filing, "Nur Aisyah", AWARE + timedelta(hours=1))
    assert status(filed, AWARE + timedelta(hours=2)) == "running"
    assert status(filed, late) == "overdue"
    with pytest.raises(Refused) as caught:
        acknowledge(filed, "somebody else", "X-1", late)
    assert caught.value.code == "not-permitted"
    done = acknowledge(filed, filed.addressee, "NC4-2026-17", late)
    assert status(done, late + timedelta(days=400)) == "stopped"
    assert done.filed_by == "Nur Aisyah"


def test_a_person_files_a_complete_report_once(book: Rulebook) -> None:
    with pytest.raises(Refused):
        file(drafted(book), "  ", AWARE)
    with pytest.raises(Refused):
        file(drafted(book, 1), "Nur Aisyah", AWARE)
    filed = file(drafted(book), "Nur Aisyah", AWARE)
    with pytest.raises(Refused):
        file(filed, "Nur Aisyah", AWARE)
    with pytest.raises(Refused):
        acknowledge(drafted(book), filed.addressee, "X", AWARE)
    with pytest.raises(Refused):
        acknowledge(filed, filed.addressee, " ", AWARE)


def test_nothing_is_filed_where_no_clock_runs(book: Rulebook) -> None:
    clock = found(book, "KH")["kh/cyber"]
    running = found(book, "SG")["sg/cii"]
    with pytest.raises(Refused) as caught:
        draft(clock, running.deadlines[0], INCIDENT, BANK)
    assert "gap" in caught.value.message
