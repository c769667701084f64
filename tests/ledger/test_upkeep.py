"""Retention by policy, the digest of state, and the note of who read RED."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Draft, Ledger, Where, check_ledger, retain, state_digest
from bayanihan.ledger.red_audit import ROOM

DAY_US = 24 * 3_600 * 1_000_000
SG = Viewer("k1", "ana", "SG")
TH = Viewer("k2", "boon", "TH")
CLEAR, GREEN = Audience("clear"), Audience("green")
RED = Audience("red", persons=("ana", "boon"))


class Clocked:
    """A ledger whose clock is set by the test."""

    def __init__(self, folder: Path) -> None:
        self.now_us = 1_800_000_000_000_000
        self.ledger = Ledger(folder, now_us=lambda: self.now_us, clock_us=lambda: self.now_us)

    def add(self, name: str, audience: Audience) -> None:
        body = msgspec.json.encode({"id": name})
        self.ledger.append([Draft("object", audience, "ana", "SG", name, body, version_us=1)])

    def names(self) -> list[str]:
        page = self.ledger.read(SG, 0, 100)
        return [item.entry.object_id for item in page.items]


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[Clocked]:
    made = Clocked(tmp_path)
    yield made
    report = check_ledger(made.ledger.store)
    made.ledger.close()
    assert report.ok, report.faults


def test_retention_erases_what_is_older_than_its_levels_days(clocked: Clocked) -> None:
    clocked.add("old-green", GREEN)
    clocked.add("old-clear", CLEAR)
    clocked.now_us += 10 * DAY_US
    clocked.add("new-green", GREEN)
    told: list[int] = []
    assert retain(clocked.ledger, {"green": 9}, told.extend) == 1
    assert clocked.names() == ["old-clear", "new-green"]
    assert told == [1]


def test_retention_says_what_it_erased_to_whom_it_was_told(clocked: Clocked) -> None:
    clocked.add("old", GREEN)
    clocked.now_us += 10 * DAY_US
    retain(clocked.ledger, {"green": 9}, lambda _: None)
    page = clocked.ledger.read(TH, 0, 10, Where(kinds=("erased",)))
    told = msgspec.json.decode(page.items[0].body)
    assert told["id"] == "old"
    assert "9 days" in told["reason"]


def test_retention_goes_on_where_it_stopped_and_does_nothing_twice(clocked: Clocked) -> None:
    clocked.add("one", GREEN)
    clocked.now_us += 10 * DAY_US
    clocked.add("two", GREEN)
    assert retain(clocked.ledger, {"green": 9}, lambda _: None) == 1
    assert retain(clocked.ledger, {"green": 9}, lambda _: None) == 0
    clocked.now_us += 10 * DAY_US
    assert retain(clocked.ledger, {"green": 9}, lambda _: None) == 1
    assert clocked.names() == []


def test_without_a_policy_everything_is_kept(clocked: Clocked) -> None:
    clocked.add("one", GREEN)
    clocked.now_us += 10_000 * DAY_US
    assert retain(clocked.ledger, {}, lambda _: None) == 0
    assert clocked.names() == ["one"]


def test_the_digest_of_state_moves_with_every_change(clocked: Clocked) -> None:
    seen = {state_digest(clocked.ledger.store)}
    for change in (Change("r", "a", b"1"), Change("r", "a", b"2"), Change("r", "b", b"2")):
        clocked.ledger.state.put([change])
        seen.add(state_digest(clocked.ledger.store))
    assert len(seen) == 4


def noted(clocked: Clocked) -> list[str]:
    clocked.ledger.state.put([])  # behind the notes in the writer's queue
    return [document.key for document in clocked.ledger.state.list(ROOM, limit=100)]


def test_who_read_red_is_noted_once(clocked: Clocked) -> None:
    clocked.add("open", GREEN)
    clocked.add("secret", RED)
    clocked.ledger.read(TH, 0, 10)
    clocked.ledger.read_bodies(TH, 0, 10)
    assert noted(clocked) == [f"{2:016d}/boon"]


def test_the_bulk_exit_and_the_single_body_are_noted_as_well(clocked: Clocked) -> None:
    clocked.add("secret", RED)
    clocked.add("other", RED)
    clocked.ledger.read_bodies(TH, 0, 1)
    assert noted(clocked) == [f"{1:016d}/boon"]
    clocked.ledger.body(TH, 2)
    assert noted(clocked) == [f"{1:016d}/boon", f"{2:016d}/boon"]


def test_an_authors_own_reading_and_other_levels_are_not_noted(clocked: Clocked) -> None:
    clocked.add("open", GREEN)
    clocked.add("secret", RED)
    clocked.ledger.read(SG, 0, 10)
    clocked.ledger.read(Viewer("k3", "cy", "VN"), 0, 10)
    assert noted(clocked) == []


def test_what_was_not_asked_for_is_not_noted(clocked: Clocked) -> None:
    """Only what was handed out: not RED that lies between, nor what a position was sought by."""
    clocked.add("open", GREEN)
    clocked.add("secret", RED)
    clocked.add("later", GREEN)
    body = msgspec.json.encode({"id": "open"})
    told = Draft("withdrawn", GREEN, "ana", "SG", "open", body)
    clocked.ledger.append([told])
    clocked.ledger.read(TH, 0, 10, Where(kinds=("withdrawn",)))
    clocked.ledger.read(TH, 0, 10, Where(object_id="later"))
    clocked.ledger.read_bodies(TH, 0, 10, Where(exercise=True))
    clocked.ledger.read(TH, 0, 10, Where(until=1))
    assert clocked.ledger.next_position(TH, 1) == 2
    assert noted(clocked) == []


def test_what_a_colleague_hides_cannot_be_erased(clocked: Clocked) -> None:
    """Erasure reaches what its caller may see; the rest is as if it were not there."""
    colleague = Viewer("k4", "bo", "SG")
    clocked.add("mixed", GREEN)
    clocked.add("mixed", RED)
    clocked.add("hidden", RED)
    with pytest.raises(Refused) as hidden:
        clocked.ledger.erase(colleague, "hidden", "x")
    with pytest.raises(Refused) as absent:
        clocked.ledger.erase(colleague, "absent", "x")
    assert (hidden.value.code, hidden.value.message) == (absent.value.code, absent.value.message)
    assert clocked.ledger.erase(colleague, "mixed", "x") == [1]
    assert clocked.ledger.body(TH, 2) and clocked.ledger.body(TH, 3)
