"""What a crowd shares: the same bytes for the same question and rights, and nothing longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bayanihan.core.marking import PUBLIC, Audience, Viewer
from bayanihan.ledger import Draft
from bayanihan.readers.taxii import shared
from bayanihan.readers.taxii.shared import Answer
from tests.readers.taxii.served import interface
from tests.readers.taxii.shelved import BANK, IDS, SG, TH, Said, Shelved

ASKED = b"limit=2&match[version]=all"


class Room:
    """An interface that counts how often pages are read for it."""

    def __init__(self, shelved: Shelved) -> None:
        self.shelved = shelved
        self.interface = interface(shelved)
        self.read = 0
        bodies = self.interface.shelves.bodies

        async def counted(*asked: Any) -> Any:
            self.read += 1
            return await bodies(*asked)

        self.interface.shelves.bodies = counted  # type: ignore[assignment]

    async def ask(self, viewer: Viewer, query: bytes = ASKED) -> Answer:
        return await self.interface.page(viewer, "region", "everything", "", query)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with Shelved(tmp_path) as shelved:
        shelved.say(*[Said(each, "SG", audience, 1) for audience, each in enumerate(IDS[:4])])
        shelved.fold()
        yield Room(shelved)


async def test_a_crowd_of_the_same_rights_shares_one_reading(room: Room) -> None:
    first = await room.ask(SG)
    for _ in range(3):
        assert await room.ask(SG) is first
    colleague = msgspec.structs.replace(SG, key="k9", person="SG/bea")
    assert await room.ask(colleague) is first
    assert room.read == 1
    assert await room.ask(SG, b"limit=1") != first
    for other in (TH, BANK, PUBLIC):  # a bank there sees what its member sees of these
        await room.ask(other)
    assert room.read == 4


async def test_who_may_see_less_gets_less_of_the_same_question(room: Room) -> None:
    every = b"limit=10"
    told = {viewer: (await room.ask(viewer, every)).body for viewer in (SG, TH, PUBLIC)}
    assert [told[viewer].count(b'"id"') for viewer in (SG, TH, PUBLIC)] == [4, 3, 1]
    # A viewer's rights are looked at anew each time, whatever was kept for them.
    left = msgspec.structs.replace(SG, lost=(("region", 1), ("pair", 1)))
    assert (await room.ask(left, every)).body.count(b'"id"') == 2


async def test_what_is_taken_back_or_erased_or_new_is_seen_at_once(room: Room) -> None:
    every = b"limit=10"
    shelved = room.shelved
    before = (await room.ask(SG, every)).body
    assert IDS[0].encode() in before
    shelved.withdraw(IDS[0], "SG", 0)
    shelved.fold()
    assert IDS[0].encode() not in (await room.ask(SG, every)).body
    shelved.erase(IDS[1], "SG")
    shelved.fold()
    assert IDS[1].encode() not in (await room.ask(SG, every)).body
    shelved.say(new := Said(IDS[0], "SG", 0, version=4))
    shelved.fold()
    assert new.body in (await room.ask(SG, every)).body


async def test_what_was_erased_is_kept_by_nobody(room: Room) -> None:
    await room.ask(SG, b"limit=10")
    room.shelved.erase(IDS[0], "SG")
    await room.ask(PUBLIC, b"limit=1")
    assert not any(IDS[0].encode() in each.body for each in room.interface.shared._kept.values())


async def test_behind_the_record_nothing_is_kept(room: Room) -> None:
    room.shelved.say(late := Said(IDS[0], "SG", 0, version=2))
    page = (await room.ask(SG, b"limit=10")).body
    assert b'"more":true' in page
    assert late.body not in page
    await room.ask(SG, b"limit=10")
    assert room.read == 2
    room.shelved.fold()
    assert late.body in (await room.ask(SG, b"limit=10")).body


async def test_who_may_see_red_shares_with_nobody_and_each_reading_is_noted(room: Room) -> None:
    red = Audience("red", persons=("SG/anna",))
    body = (
        b'{"id":"report--99999999-9999-4999-8999-999999999999","modified":"2026-01-01T00:00:00Z"}'
    )
    room.shelved.now_us += 1_000
    number = "report--99999999-9999-4999-8999-999999999999"
    room.shelved.ledger.append([Draft("object", red, "anna", "SG", number, body, version_us=1)])
    room.shelved.fold()
    for _ in range(2):
        assert body in (await room.ask(SG, b"limit=10")).body
    assert room.read == 2
    colleague = msgspec.structs.replace(SG, key="k9", person="SG/bea")
    assert body not in (await room.ask(colleague, b"limit=10")).body


async def test_what_is_kept_is_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "KEPT_LIMIT", 3)
    for limit in range(1, 9):
        await room.ask(SG, b"limit=%d" % limit)
        assert len(room.interface.shared._kept) <= 3
    monkeypatch.setattr(shared, "SHARED_LIMIT_BYTES", 10)
    kept = len(room.interface.shared._kept)
    await room.ask(SG, b"limit=20")
    assert len(room.interface.shared._kept) == kept


async def test_whose_groups_change_between_two_pages_is_shown_no_more(room: Room) -> None:
    room.shelved.say(*[Said(each, "SG", 2, version=2) for each in IDS[:3]])
    room.shelved.fold()
    first = await room.ask(TH, b"limit=3&match[version]=all")
    onward = msgspec.json.decode(first.body)["next"].encode()
    rest = b"limit=9&next=" + onward
    assert (await room.ask(TH, rest)).body.count(b'"id"') == 2
    # The very same question, by the same key, once the group let its member go.
    left = msgspec.structs.replace(TH, lost=(("region", 1),))
    assert (await room.ask(left, rest)).body == b"{}"
    assert (await room.ask(TH, rest)).body.count(b'"id"') == 2
