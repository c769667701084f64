"""The hub as a whole: its hourly work and what it notes of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from bayanihan.config import Settings
from bayanihan.core.marking import Audience
from bayanihan.hub import Hub
from bayanihan.ledger import Change, Draft, read_erasures, state_digest

DAY_US = 24 * 3_600 * 1_000_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with closing(Hub(tmp_path / "data", Settings(retain_days={"green": 30}))) as opened:
        yield opened


def test_the_hourly_work_enters_the_digest_of_state(hub: Hub) -> None:
    before = hub.ledger.length
    hub.keep_up()
    hub.ledger.state.put([Change("room", "a", b"1")])
    expected = state_digest(hub.ledger.store)
    hub.keep_up()
    assert hub.ledger.length == before + 2
    bodies = [body for _, body in hub.ledger.scan(before, 10, ("registry",))]
    first, second = (msgspec.json.decode(body) for body in bodies if body)
    assert expected in second.values()
    assert expected not in first.values()


def test_the_hourly_work_erases_what_is_past_its_days(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with closing(Hub(folder, Settings(retain_days={"green": 30}))) as hub:
        draft = Draft("object", Audience("green"), "ana", "SG", "note--1", b'{"a":"secret"}', 1)
        (one,) = hub.ledger.append([draft])
        hub.keep_up()
        assert hub.ledger.store.body(one.position) == b'{"a":"secret"}'
        now_us = hub.ledger.now_us() + 31 * DAY_US
        hub.ledger.now_us = lambda: now_us
        hub.keep_up()
        assert hub.ledger.store.body(one.position) is None
        erased = read_erasures((folder / "erasures.jsonl").read_bytes())
        assert [each.position for each in erased] == [one.position]
        assert b"secret" not in (folder / "ledger.db").read_bytes()
