"""The loop behind `/api/stream`, in this process: one encoding, and nobody waits for another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.marking import PUBLIC, TLP_2_IDS, Audience, Viewer
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.stream import Broadcast
from bayanihan.readers.stream.subscriber import Subscriber
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

CLEAR: dict[str, Any] = {"object_marking_refs": [TLP_2_IDS["clear"]]}
RED: dict[str, Any] = {"object_marking_refs": [TLP_2_IDS["red"]]}


def newest(hub: RunningHub, key: str = "") -> str:
    """The cursor after everything that a key sees."""
    after, more = "", True
    while more:
        params: dict[str, Any] = {"after": after, "limit": 1_000}
        page = hub.ask("GET", "/api/objects", key, params=params).json()
        after, more = page["next"], page["more"]
    return after


# --- the loop, in this process ---------------------------------------------------------------

VN = Viewer(key="k", person="linh", member="VN")
HEARTBEATS = 3


class Transport:
    """Takes what is written, or makes every writer wait."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, message: Any) -> None:
        await self.free.wait()
        self.messages.append(message)

    @property
    def written(self) -> list[bytes]:
        return [message["body"] for message in self.messages]


async def settled(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def draft(audience: Audience) -> Draft:
    one = indicator()
    body = json.dumps(one).encode()
    return Draft("object", audience, "linh", "VN", one["id"], body, version_us=1)


async def test_a_heartbeat_comes_whether_or_not_others_have_news(tmp_path: Path) -> None:
    """Its absence would tell that something happened which this reader may not see."""
    ledger = Ledger(tmp_path)
    broadcast = Broadcast(ledger, lambda viewer: viewer, heartbeat_s=0.05)
    transport = Transport()
    broadcast.join(Subscriber(PUBLIC, transport.send))
    broadcast.start()
    while len(transport.written) < HEARTBEATS:
        await ledger.append_soon([draft(Audience("red", persons=("linh",)))])
    assert set(transport.written) == {b": heartbeat\n\n"}
    await broadcast.stop()
    ledger.close()


async def test_a_frame_is_encoded_once_for_all_of_one_class(tmp_path: Path) -> None:
    """The same bytes, the very same object, to every reader with the same rights."""
    ledger = Ledger(tmp_path)
    broadcast = Broadcast(ledger, lambda viewer: viewer)
    transports = [Transport() for _ in range(5)]
    for number, transport in enumerate(transports):
        viewer = VN if number == 4 else Viewer(key=f"k{number}", member="SG")
        broadcast.join(Subscriber(viewer, transport.send))
    broadcast.start()
    await ledger.append_soon([draft(Audience("green")) for _ in range(3)])
    await settled(lambda: all(transport.messages for transport in transports))
    assert len({id(transport.messages[0]["body"]) for transport in transports}) == 1
    await broadcast.stop()
    ledger.close()


async def test_each_person_who_is_sent_red_is_noted(tmp_path: Path) -> None:
    """However alike the rights of two persons are, each is noted for what came to them."""
    ledger = Ledger(tmp_path)
    broadcast = Broadcast(ledger, lambda viewer: viewer)
    transports = [Transport() for _ in range(3)]
    for transport, person in zip(transports, ("ana", "boon", "cy"), strict=True):
        viewer = Viewer(key=person, person=person, member="TH")
        broadcast.join(Subscriber(viewer, transport.send))
    broadcast.start()
    await ledger.append_soon([draft(Audience("red", persons=("ana", "boon")))])
    await settled(lambda: all(transport.messages for transport in transports[:2]))
    await ledger.change_soon(lambda connection: None)  # behind the notes in the queue
    found = [document.key for document in ledger.state.list("red-read", limit=10)]
    assert found == [f"{1:016d}/ana", f"{1:016d}/boon"]
    await broadcast.stop()
    ledger.close()


async def test_a_reader_who_waits_holds_up_nobody(tmp_path: Path) -> None:
    """While one transport makes its writer wait, the others get every piece at once."""
    ledger = Ledger(tmp_path)
    broadcast = Broadcast(ledger, lambda viewer: viewer)
    stuck, quick = Transport(), Transport()
    stuck.free.clear()
    late = Subscriber(PUBLIC, stuck.send)
    for subscriber in (late, Subscriber(PUBLIC, quick.send)):
        broadcast.join(subscriber)
    broadcast.start()
    for number in range(3):
        await ledger.append_soon([draft(Audience("clear"))])
        await settled(lambda: len(quick.written) > number)  # noqa: B023
    assert (stuck.written, late.slow) == ([], True)
    stuck.free.set()
    await settled(lambda: not late.slow)
    assert b"".join(stuck.written) == b"".join(quick.written)
    await broadcast.stop()
    ledger.close()


class Stumbling(Ledger):
    """A ledger that fails once while streams are served."""

    stumbles = 1

    def sharing(self, viewer: Viewer) -> tuple[tuple[int, ...], str]:
        if self.stumbles:
            self.stumbles -= 1
            raise ArithmeticError("rights")
        return super().sharing(viewer)


async def test_a_fault_ends_the_streams_and_is_seen_and_they_can_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Stumbling(tmp_path)
    broadcast = Broadcast(ledger, lambda viewer: viewer)
    first, second = Subscriber(PUBLIC, Transport().send), Transport()
    broadcast.join(first)
    broadcast.start()
    await ledger.append_soon([draft(Audience("clear"))])
    await first.ended.wait()
    failure = broadcast.failed
    assert isinstance(failure, ArithmeticError)
    assert "the streams broke off" in caplog.text
    broadcast.leave(first)
    broadcast.join(Subscriber(PUBLIC, second.send))
    await ledger.append_soon([draft(Audience("clear"))])
    await settled(lambda: bool(second.written))
    assert broadcast.failed is None
    await broadcast.stop()
    ledger.close()


async def test_a_full_buffer_becomes_a_reset(tmp_path: Path) -> None:
    stuck = Transport()
    stuck.free.clear()
    subscriber = Subscriber(PUBLIC, stuck.send)
    chunk = bytes(1024 * 1024)
    for _ in range(7):
        subscriber.write(chunk, {"type": "http.response.body", "body": chunk, "more_body": True})
    assert subscriber.ended.is_set()
    stuck.free.set()
    await subscriber.finish()
    first, reset = stuck.written
    assert first == chunk
    assert reset.startswith(b"event: reset\ndata: ")
    assert json.loads(reset.partition(b"data: ")[2])["code"] == "behind"


async def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    stuck = Transport()
    stuck.free.clear()
    subscriber = Subscriber(PUBLIC, stuck.send)
    for _ in range(3):
        subscriber.write(b"x", {"type": "http.response.body", "body": b"x", "more_body": True})
    subscriber.close()
    stuck.free.set()
    await subscriber.finish()
    assert stuck.written == []


@given(shown=st.lists(st.booleans(), max_size=200))
@settings(max_examples=20, deadline=None)
def test_the_newest_is_found_wherever_it_lies(shown: list[bool]) -> None:
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        clear, red = Audience("clear"), Audience("red", persons=("linh",))
        ledger.append([draft(clear if each else red) for each in shown])
        broadcast = Broadcast(ledger, lambda viewer: viewer)
        wanted = max((n + 1 for n, each in enumerate(shown) if each), default=0)
        assert broadcast.newest(PUBLIC) == wanted
        assert broadcast.newest(VN) == len(shown)
        ledger.close()
