"""What was shown once is not followed by what was before it, at whichever node one asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bayanihan.core.marking import PUBLIC
from bayanihan.errors import Unavailable
from bayanihan.ledger import GoingOn, going_on
from bayanihan.readers import feeds_api
from bayanihan.readers.feeds.gate import Verdict
from bayanihan.readers.feeds.whose import ANYBODY
from tests.readers.record import START_US, Record, named, press_over

FEED = "domains.txt"


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


def test_a_node_that_is_behind_what_was_shown_says_so(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the entity tag or the cursor; a token that is not of this history says nothing."""
    monkeypatch.setattr(going_on, "REACHED_WITHIN_S", 0.02)
    record.push(named("one-evil.com"))
    record.push(named("two-evil.com"))
    found = record.press.version(FEED, record.rights(PUBLIC), START_US)
    behind = GoingOn(record.ledger.cursors.open, lambda: 1)
    beside = GoingOn(record.ledger.cursors.open, lambda: 2)
    for shown in (
        behind.shown(f'"{found.etag}"', ""),
        behind.shown(f'"old", W/"{found.etag}"', ""),
        behind.shown("", found.cursor),
        behind.shown("*", found.cursor),
    ):
        assert shown == 2
        asyncio.run(beside.reach(shown))
        with pytest.raises(Unavailable, match="does not hold yet") as refusal:
            asyncio.run(behind.reach(shown))
        assert (refusal.value.code, refusal.value.retry_after_s) == ("starting", 5)
    assert behind.shown('"x",' * 20 + f'"{found.etag}"', "") == 0, "thousands would be decrypted"
    assert [behind.shown(told, told) for told in ("", "*", '"x"', "y" * 75)] == [0] * 4


def test_the_last_good_version_is_not_for_whoever_saw_a_later_one(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node has made it already; here the engine is still being asked."""
    monkeypatch.setattr(feeds_api, "PATIENCE_S", 0.02)
    answered = threading.Event()
    answered.set()

    def examine(_: str, __: Mapping[str, bytes]) -> Verdict:
        answered.wait(30)
        return Verdict("accepted")

    press = press_over(record, examine=examine)
    counter = feeds_api.Counter(press, lambda: START_US)
    record.push(named("one-evil.com"))
    rights = record.rights(PUBLIC)

    async def asked() -> list[bytes]:
        first = await counter.version(FEED, rights, ANYBODY)
        answered.clear()
        record.push(named("two-evil.com"))
        patient = await counter.version(FEED, rights, ANYBODY, first.position)
        waiting = asyncio.ensure_future(counter.version(FEED, rights, ANYBODY, 2))
        await asyncio.sleep(0.1)
        assert not waiting.done(), "it went back in time"
        answered.set()
        return [b"".join(each.pieces()) for each in (first, patient, await waiting)]

    first, patient, later = asyncio.run(asked())
    press.close()
    assert patient == first
    assert b"two-evil.com" not in first
    assert b"two-evil.com" in later
