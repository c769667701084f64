"""What is alike, on a real record: rights come first, what is gone is gone, crowds tell nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bayanihan.core.fingerprint import EXTENSION_ID, Fingerprints, as_extension
from bayanihan.core.marking import Audience, Viewer
from bayanihan.ledger import Draft, Ledger, check_ledger, check_projection
from bayanihan.readers.alike import Alike, Match, Search
from bayanihan.readers.alike.projection import KEY_LIMIT
from bayanihan.readers.alike.shapes import NEAREST_LIMIT
from tests.readers.record import CLEAR, RED, SG, START_US

PICTURE = "0f" * 32
NEAR = "0f" * 31 + "f0"
TRAITS = ("as:bank", "ask:link", "deadline:24h", "has:url", "threat:closed", "url:name")
# Another wording of the same pretence that wants a call in place of a click.
REWORDED = ("as:bank", "ask:call", "deadline:24h", "has:phone", "threat:closed", "url:name")
TH = Viewer(key="k9", person="boon", member="TH")


class Cases:
    """A ledger of cases, folded at each step and checked against a replay."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder, now_us=lambda: START_US, clock_us=lambda: START_US)
        self.alike = Alike(folder / "projections", self.ledger.epoch, self.ledger.length)
        self.search = Search(self.alike, lambda named: named == "domain:shared.example")

    def report(self, *prints: Fingerprints, audience: Audience = CLEAR) -> list[str]:
        """Enter cases with fingerprints; their ids."""
        ids = [f"incident--{uuid.uuid4()}" for _ in prints]
        drafts = [
            Draft("object", audience, "anna", "SG", each, _body(each, told), version_us=1)
            for each, told in zip(ids, prints, strict=True)
        ]
        assert {each.outcome for each in self.ledger.append(drafts)} == {"accepted"}
        self.fold()
        return ids

    def fold(self) -> None:
        while self.alike.catch_up(self.ledger.scan, self.ledger.length):
            pass

    def check(self) -> None:
        """The projection is what a replay of the record makes."""
        report = check_ledger(self.ledger.store)
        check_projection(
            self.alike,
            lambda: Alike(None, self.ledger.epoch, self.ledger.length),
            self.ledger.store,
            report,
        )
        assert report.faults == []

    def like(self, viewer: Viewer, **prints: Any) -> list[Match]:
        return self.search.like(Fingerprints(**prints), self.ledger.rights(viewer))


def _body(object_id: str, prints: Fingerprints) -> bytes:
    told = {"type": "incident", "id": object_id, "extensions": {EXTENSION_ID: as_extension(prints)}}
    return msgspec.json.encode(told)


@pytest.fixture
def cases(tmp_path: Path) -> Iterator[Cases]:
    found = Cases(tmp_path)
    yield found
    found.alike.close()
    found.ledger.close()


def test_hidden_pictures_crowd_out_none_that_one_may_see(cases: Cases) -> None:
    hidden = cases.report(*[Fingerprints(pdq=(PICTURE,))] * (NEAREST_LIMIT + 1), audience=RED)
    (seen,) = cases.report(Fingerprints(pdq=(NEAR,)))
    assert [each.id for each in cases.like(TH, pdq=(PICTURE,))] == [seen]
    mine = [each.id for each in cases.like(SG, pdq=(PICTURE,))]
    assert set(mine) <= {*hidden, seen}
    assert cases.like(TH, pdq=("a5" * 32,)) == []


def test_erased_and_withdrawn_pictures_are_found_no_more(cases: Cases) -> None:
    tlsh = "T1" + "5A" * 35
    first, second = cases.report(
        Fingerprints(pdq=(PICTURE, NEAR), tlsh=(tlsh,)), Fingerprints(pdq=(PICTURE,))
    )
    assert {each.id for each in cases.like(TH, pdq=(PICTURE,))} == {first, second}
    assert [each.kind for each in cases.like(TH, tlsh=(tlsh,))[0].evidence] == ["tlsh"]
    cases.ledger.erase(SG, first, "asked to")
    cases.fold()
    cases.check()
    (third,) = cases.report(Fingerprints(pdq=(NEAR,), tlsh=(tlsh,)))
    assert {each.id for each in cases.like(TH, pdq=(PICTURE,))} == {second, third}
    assert [each.id for each in cases.like(TH, tlsh=(tlsh,))] == [third]
    cases.check()


def test_what_is_in_too_many_cases_connects_nothing_and_is_listed(cases: Cases) -> None:
    crowd = Fingerprints(infrastructure=("domain:crowd.example", "domain:rare.example"))
    many = Fingerprints(infrastructure=("domain:crowd.example",))
    (rare,) = cases.report(crowd)
    cases.report(*[many] * KEY_LIMIT)
    rights = cases.ledger.rights(TH)
    values = ("domain:crowd.example", "domain:rare.example")
    assert cases.search.crowded(values, rights) == ["domain:crowd.example"]
    (found,) = cases.like(TH, infrastructure=values)
    assert found.id == rare
    assert found.evidence[0].on == ("domain:rare.example",)
    cases.report(Fingerprints(infrastructure=("domain:shared.example",)))
    assert cases.like(TH, infrastructure=("domain:shared.example",)) == []


def test_a_weak_structure_is_a_candidate_and_stands_behind_what_is_sure(cases: Cases) -> None:
    weak, sure = cases.report(
        Fingerprints(structure=REWORDED), Fingerprints(structure=TRAITS, pdq=(PICTURE,))
    )
    first, second = cases.like(TH, structure=TRAITS, pdq=(NEAR,))
    assert (first.id, [each.candidate for each in first.evidence]) == (sure, [False, False])
    assert (second.id, second.is_candidate) == (weak, True)
    assert second.evidence[0].score < 0.75


def test_what_is_replaced_or_fails_within_one_transaction_leaves_no_key(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are written together, at the end of a transaction."""

    def versions(place: str, *files: str) -> list[Draft]:
        told = [_body(place, Fingerprints(files=(each * 64,))) for each in files]
        return [
            Draft("object", CLEAR, "anna", "SG", place, body, version_us=2 + number)
            for number, body in enumerate(told)
        ]

    def stumble(self: Alike, *given: Any) -> None:
        fold(self, *given)
        raise OSError("the disk is full")

    gone, fold = f"incident--{uuid.uuid4()}", Alike.fold
    cases.ledger.append(versions(gone, "a", "b"))
    with monkeypatch.context() as broken:
        broken.setattr(Alike, "fold", stumble)
        with pytest.raises(OSError, match="full"):
            cases.fold()
    cases.ledger.erase(SG, gone, "by mistake")
    (other,) = cases.report(Fingerprints(files=("c" * 64,)))
    assert cases.alike.db.execute("SELECT count(*) FROM keys").fetchone() == (1,)
    cases.ledger.append(versions(other, "d", "e"))
    cases.fold()
    assert [bool(cases.like(SG, files=(name * 64,))) for name in "abcde"] == [False] * 4 + [True]
    cases.check()
