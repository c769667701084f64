"""The newest entries: the right ones, found without walking the record."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.marking import PUBLIC, Audience, Group, Viewer, may_see
from bayanihan.ledger import Draft, Ledger
from bayanihan.web.latest import newest
from tests.sim.engine import reading

REGION = Group("region", 1, ("SG", "TH"))
AUDIENCES = (
    Audience("clear"),
    Audience("green"),
    Audience("amber", (REGION,)),
    Audience("amber+strict", (REGION,)),
    Audience("red", (), ("p1",)),
)
VIEWERS = (
    PUBLIC,
    Viewer(key="k1", person="p1", member="SG"),
    Viewer(key="k2", person="p2", member="TH", constituent="bank"),
    Viewer(key="k3", person="p3"),
)


def draft(number: int, audience: int, exercise: bool, kind: str = "object") -> Draft:
    return Draft(
        kind,
        AUDIENCES[audience],
        author="p9",
        origin="SG",
        object_id=f"note--{number}",
        body=b"{}",
        exercise=exercise,
    )


@settings(max_examples=25, deadline=None)
@given(
    entries=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=60),
    limit=st.integers(1, 30),
    before=st.none() | st.integers(1, 70),
)
def test_they_are_what_a_walk_over_everything_finds(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[int, bool, bool]],
    limit: int,
    before: int | None,
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    try:
        drafts = [
            draft(number, audience, exercise, "object" if is_object else "withdrawn")
            for number, (audience, exercise, is_object) in enumerate(entries)
        ]
        if drafts:
            ledger.append(drafts)
        for viewer in VIEWERS:
            expected = [
                position
                for position, each in reversed(list(enumerate(drafts, 1)))
                if each.kind == "object"
                and may_see(viewer, each.audience)
                and (before is None or position < before)
            ]
            assert newest(ledger, viewer, before, limit) == expected[:limit]
    finally:
        ledger.close()


def test_each_audience_is_asked_through_the_index(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    asked: list[str] = []
    try:
        ledger.append([draft(number, number % 5, False) for number in range(50)])
        reading(ledger).set_trace_callback(asked.append)
        newest(ledger, VIEWERS[1], None, 25)
        reading(ledger).set_trace_callback(None)
        for statement in (each for each in asked if "FROM entries" in each):
            plan = reading(ledger).execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            told = " ".join(str(row[3]) for row in plan)
            assert "USING" in told
            assert "INDEX" in told
            assert "TEMP B-TREE" not in told
    finally:
        ledger.close()
