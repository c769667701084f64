"""Sightings: who is told of one sees its value last longer, and nobody else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bayanihan.core import moment
from bayanihan.core.marking import PUBLIC, Audience, Viewer
from bayanihan.ledger import Draft
from bayanihan.readers.feeds import FORMATS, Bounds, Judge, Press
from tests.readers.record import CLEAR, DAY_US, GREEN, NEVER_BLOCK, SG, START_US, Record, named

FADED_US = START_US + 30 * DAY_US


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        found.press = Press(
            found.active,
            FORMATS,
            judge=Judge(NEVER_BLOCK, bounds=Bounds(fade_days={"domain": 30})),
            policy="test",
            level_of=lambda number: found.ledger.store.audiences()[number - 1].level,
            seal=found.ledger.cursors.seal,
            secret=b"s" * 32,
        )
        yield found


def see(record: Record, object_id: str, audience: Audience = CLEAR, **more: Any) -> str:
    """Somebody saw an indicator at work; the sighting's id."""
    sighting_id = f"sighting--{uuid.uuid4()}"
    body = json.dumps({"type": "sighting", "id": sighting_id, "sighting_of_ref": object_id, **more})
    entry = Draft("object", audience, "anna", "SG", sighting_id, body.encode(), version_us=1)
    record.append(entry)
    return sighting_id


def names(record: Record, viewer: Viewer, now_us: int) -> int:
    return record.press.version("domains.txt", record.rights(viewer), now_us).items


def test_a_sighting_keeps_a_value_for_who_is_told_of_it(record: Record) -> None:
    object_id = record.push(named("one-evil.com"))
    assert names(record, PUBLIC, FADED_US - 1_000_000) == 1
    record.now_us = START_US + 20 * DAY_US
    sighting_id = see(record, object_id, GREEN)
    assert names(record, SG, FADED_US + DAY_US) == 1
    assert names(record, PUBLIC, FADED_US + DAY_US) == 0, "they were not told"
    assert names(record, SG, FADED_US + 21 * DAY_US) == 0, "and for no longer than that"
    record.withdraw(sighting_id, audience=GREEN)
    assert names(record, SG, FADED_US + DAY_US) == 0


def test_a_sighting_of_nothing_and_one_in_the_future_say_no_more_than_they_can(
    record: Record,
) -> None:
    object_id = record.push(named("one-evil.com"))
    record.now_us = START_US + 10 * DAY_US
    see(record, object_id, count=0)
    assert names(record, PUBLIC, FADED_US + DAY_US) == 0, "nothing was seen"
    see(record, object_id, last_seen=moment.render(START_US + 9_000 * DAY_US))
    assert names(record, PUBLIC, FADED_US + DAY_US) == 1
    assert names(record, PUBLIC, FADED_US + 11 * DAY_US) == 0


def test_an_erased_sighting_leaves_nothing(record: Record) -> None:
    object_id = record.push(named("one-evil.com"))
    sighting_id = see(record, object_id)
    author = Viewer(key="k", person="anna", member="SG")
    record.erase(author, sighting_id)
    found = record.active.reading.execute("SELECT count(*) FROM sightings").fetchone()
    assert found == (0,)
