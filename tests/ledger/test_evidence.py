"""What a leaf commits to, and what nobody can learn from a neighbour's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bayanihan.core.marking import Audience
from bayanihan.ledger import Draft, Evidence, Ledger, evidence_of, leaf_of

GREEN = Audience("green")
MOMENT_US = 1_800_000_000_000_000
DRAFT = Draft("object", GREEN, "ana", "SG", "note--1", b'{"guess":"me"}', 1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path)) as opened:
        yield opened


def evidence(ledger: Ledger, draft: Draft = DRAFT) -> Evidence:
    """The evidence of a draft, once it is entered."""
    (one,) = ledger.append([draft])
    found = evidence_of(ledger.store, one.position)
    assert found is not None
    return found


OTHER = {
    "position": 2,
    "stamp_us": 7,
    "kind": "notice",
    "exercise": True,
    "audience": 2,
    "audience_definition": Audience("clear"),
    "author": "bao",
    "origin": "PH",
    "collection": "another",
    "object_id": "note--2",
    "version_us": 2,
    "original": "11" * 32,
    "digest": "22" * 32,
    "salt": "33" * 32,
}


def test_every_fact_counts_in_the_leaf(ledger: Ledger) -> None:
    """Header, erasable part and salt: change one and it is another leaf."""
    found = evidence(ledger)
    assert leaf_of(found).hex() == found.leaf
    assert set(OTHER) == set(Evidence.__struct_fields__) - {"leaf"}
    for name, value in OTHER.items():
        assert getattr(found, name) != value
        assert leaf_of(msgspec.structs.replace(found, **{name: value})).hex() != found.leaf, name


def test_a_neighbours_leaf_cannot_be_guessed(tmp_path: Path) -> None:
    """The same entry at the same place and moment has another leaf at each hub: the salt's."""
    found = []
    for name in ("one", "two"):
        opened = Ledger(tmp_path / name, now_us=lambda: MOMENT_US, clock_us=lambda: MOMENT_US)
        with contextlib.closing(opened) as ledger:
            found.append(evidence(ledger))
    first, second = found
    assert len(bytes.fromhex(first.salt)) == 32
    assert first.salt != second.salt
    assert first.leaf != second.leaf
    alike = msgspec.structs.replace(first, salt=second.salt, leaf=second.leaf)
    assert alike == second, "nothing but the salt differs"


def test_an_erased_entry_shows_no_evidence(ledger: Ledger) -> None:
    found = evidence(ledger)
    entry = ledger.store.entry(found.position)
    assert entry is not None
    ledger.erase_entries([entry], person="ana", reason="x")
    assert evidence_of(ledger.store, found.position) is None
    assert evidence_of(ledger.store, 99) is None
