"""The stream of a real hub: nothing missed, nothing repeated, nothing that is not theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.commands.follow import Reset, lines_of, parse
from bayanihan.core.marking import PUBLIC, TLP_2_IDS, Audience, Viewer, group_marking_id
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.stream import Broadcast
from bayanihan.readers.stream.frame import joined
from bayanihan.readers.stream.subscriber import Subscriber
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import WITHIN_S, StreamReader, dechunked, until
from tests.sim.wire import Wire

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


# --- the rules -------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300_000), max_size=6))
def test_pieces_hold_every_frame_in_order(frames: list[bytes]) -> None:
    pieces = list(joined(frames))
    assert b"".join(pieces) == b"".join(frames)
    assert all(len(piece) < 256 * 1024 + 300_000 for piece in pieces)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT.filter(bool))), st.integers(1, 9))
def test_any_text_travels_through_an_event(events: list[tuple[str, str]], size: int) -> None:
    events = [(event_id.encode().hex(), data) for event_id, data in events]
    data = b"".join(
        b"id: %b\nevent: object\ndata: %b\n\n" % (event_id.encode(), body.encode())
        for event_id, body in events
    )
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    found = list(parse(lines_of(chunks)))
    assert [(event_id, body.decode()) for event_id, body in found] == events


def test_a_stream_cut_anywhere_gives_whole_events_only() -> None:
    data = b'id: a\nevent: object\ndata: {"x":\ndata: 1}\n\nid: b\ndata: 2\n\n'
    for end in range(len(data)):
        assert set(parse(lines_of([data[:end]]))) <= {("a", b'{"x": 1}'), ("b", b"2")}


# --- over real sockets -----------------------------------------------------------------------


def test_entries_arrive_as_they_are_with_their_facts(hub: RunningHub) -> None:
    key = hub.key("SG")
    with StreamReader(hub, key, "now") as reader:
        one = indicator(name="\u2028 \x85 \u2029 ngân-hàng \x1c \U0001f3e6")
        body = json.dumps(one, ensure_ascii=False, indent=2).encode()
        hub.push_bytes(key, body, exercise=True)
        until(lambda: bool(reader.events))
        ((_, event),) = reader.events
        assert event["body"] == one
        assert (event["kind"], event["origin"], event["exercise"]) == ("object", "SG", True)


def test_a_reader_resumes_without_a_gap_or_a_repeat(hub: RunningHub) -> None:
    start = newest(hub)
    objects = [indicator(**CLEAR) for _ in range(30)]
    ids = [one["id"] for one in objects]
    hub.push(hub.admin, *objects[:10])
    with StreamReader(hub, after=start) as reader:
        hub.push(hub.admin, *objects[10:20])
        until(lambda: len(reader.events) == 20)
        hub.push(hub.admin, *objects[20:])
        until(lambda: len(reader.events) == 30)
        assert reader.ids == ids
        cursors = [event_id for event_id, _ in reader.events]
    for cut in (0, 9, 29):
        with StreamReader(hub, last_event_id=cursors[cut]) as again:
            until(lambda: len(again.events) >= 29 - cut)  # noqa: B023
            assert again.ids[: 29 - cut] == ids[cut + 1 :]


def test_the_header_wins_over_the_address(hub: RunningHub) -> None:
    """A browser that reconnects repeats the address and adds the header."""
    start = newest(hub)
    hub.push(hub.admin, indicator(**CLEAR), indicator(**CLEAR))
    with StreamReader(hub, after=start) as reader:
        until(lambda: len(reader.events) >= 2)
        first, second = reader.events[:2]
    with StreamReader(hub, after=start, last_event_id=first[0]) as again:
        until(lambda: bool(again.events))
        assert again.ids[0] == second[1]["id"]


def test_now_names_a_cursor_before_anything_happened(hub: RunningHub) -> None:
    """Who saw nothing yet can still resume where they began."""
    hub.push(hub.admin, indicator(**CLEAR))
    with StreamReader(hub, after="now") as reader:
        reader.wait_open()
        assert reader.events == []
        cursor = reader.cursor
    missed = indicator(**CLEAR)
    hub.push(hub.admin, missed)
    with StreamReader(hub, after=cursor) as again:
        until(lambda: missed["id"] in again.ids)


def first_cursor(wire: Wire) -> bytes:
    """The id of the first event that arrives."""
    data = b""
    for piece in wire.pieces():
        data += piece
        if b"id: " in data:
            break
    return data.partition(b"id: ")[2].split()[0]


def test_now_tells_nothing_of_what_is_hidden(hub: RunningHub) -> None:
    vn = hub.key("VN")
    cursors = []
    for _ in range(3):
        with Wire(hub.port) as wire:
            wire.begin("GET", "/api/stream?after=now")
            cursors.append(first_cursor(wire))
        hub.push(vn, indicator(**RED))
    assert len(set(cursors)) == 1


def test_each_reader_sees_only_theirs(hub: RunningHub) -> None:
    hub.group("stream-pair", "KH", "LA")
    hub.constituent("KH", "post")
    keys = {
        "": "",
        "operator": hub.admin,
        "KH": hub.key("KH"),
        "KH/post": hub.key("KH", constituent="post"),
        "LA": hub.key("LA"),
        "named": hub.key("PH", person="rosa"),
        "PH": hub.key("PH"),
    }
    pair = group_marking_id("stream-pair")
    sent = {
        "clear": (CLEAR, set(keys)),
        "green": ({"object_marking_refs": [TLP_2_IDS["green"]]}, set(keys) - {""}),
        "amber": (
            {"object_marking_refs": [TLP_2_IDS["amber"], pair]},
            {"KH", "KH/post", "LA"},
        ),
        "strict": ({"object_marking_refs": [TLP_2_IDS["amber+strict"], pair]}, {"KH", "LA"}),
        "red": (RED, {"KH", "named"}),
    }
    with ExitStack() as stack:
        readers = {
            name: stack.enter_context(StreamReader(hub, key, "now")).wait_open()
            for name, key in keys.items()
        }
        objects = {name: indicator(**more) for name, (more, _) in sent.items()}
        for name, one in objects.items():
            hub.push(keys["KH"], one, **({"to": "PH/rosa"} if name == "red" else {}))
        last = indicator(**CLEAR)
        hub.push(hub.admin, last)
        for who, reader in readers.items():
            until(lambda: last["id"] in reader.ids)  # noqa: B023
            wanted = [objects[n]["id"] for n, (_, seen) in sent.items() if who in seen]
            assert [each for each in reader.ids if each != last["id"]] == wanted


def test_withdrawal_and_erasure_are_told(hub: RunningHub) -> None:
    key = hub.key("SG")
    one = indicator(name="to be erased", **CLEAR)
    with StreamReader(hub, after="now") as reader:
        reader.wait_open()
        hub.push(key, one)
        hub.ask("DELETE", f"/api/objects/{one['id']}", key, params={"reason": "false alarm"})
        hub.ask("POST", f"/api/objects/{one['id']}/erase", key)
        until(lambda: len(reader.events) == 3)
        assert [event["kind"] for _, event in reader.events] == ["object", "withdrawn", "erased"]
        assert {event["id"] for _, event in reader.events} == {one["id"]}
    with StreamReader(hub, after=reader.events[0][0]) as again:
        until(lambda: any(event["kind"] == "erased" for _, event in again.events))
        assert all("to be erased" not in json.dumps(event) for _, event in again.events)


def test_a_stream_ends_with_its_key(hub: RunningHub) -> None:
    key = hub.key("TH")
    key_id = key.split("_")[1]
    with StreamReader(hub, key, "now") as reader:
        reader.wait_open()
        assert hub.ask("DELETE", f"/api/keys/{key_id}", hub.admin).status_code == 200
        assert reader.ended.wait(WITHIN_S)
    assert hub.ask("GET", "/api/stream", key).status_code == 401


def test_a_stream_ends_when_rights_change(hub: RunningHub) -> None:
    """So that its next page is read with the rights of then."""
    hub.group("stream-change", "BN", "MY")
    bn, my = hub.key("BN"), hub.key("MY")
    with StreamReader(hub, bn, "now") as reader:
        reader.wait_open()
        hub.group("stream-change", "MY")
        assert reader.ended.wait(WITHIN_S)
        hidden = indicator()
        hub.push(my, hidden, group="stream-change")
    assert hidden["id"] not in hub.ids(bn)


def test_another_hubs_cursor_is_answered_with_reset(hub: RunningHub) -> None:
    for after in ("A" * 43, "x", "1", "\x00"):
        with StreamReader(hub, after=after) as reader:
            assert reader.ended.wait(WITHIN_S)
            assert reader.reset is not None
            assert reader.reset.code == "bad-cursor"
            assert reader.events == []


def test_without_the_scope_there_is_no_stream(hub: RunningHub) -> None:
    key = hub.key("SG", scopes=["regulate", "feed", "report"])
    assert hub.ask("GET", "/api/stream", key).json()["error"]["code"] == "not-permitted"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_get_opens_a_stream(hub: RunningHub, method: str) -> None:
    answer = hub.ask(method, "/api/stream")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


def test_head_answers_and_ends(hub: RunningHub) -> None:
    answer = hub.ask("HEAD", "/api/stream")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream"


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

    def rights(self, viewer: Viewer) -> Sequence[int]:
        if self.stumbles:
            self.stumbles -= 1
            raise ArithmeticError("rights")
        return super().rights(viewer)


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
    assert isinstance(broadcast.failed, ArithmeticError)
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


# --- slow readers ----------------------------------------------------------------------------


def large(number: int) -> dict[str, Any]:
    return indicator(description=f"{number} " + "x" * 60_000, **CLEAR)


def test_a_reader_who_stops_reading_costs_only_itself(own_hub: RunningHub) -> None:
    """It is told `reset` and let go; the others miss nothing; the memory stays bounded."""
    hub = own_hub.start()
    with Wire(hub.port, receive_bytes=4_096) as stuck, StreamReader(hub, after="now") as reader:
        reader.wait_open()
        stuck.begin("GET", "/api/stream?after=now")
        assert b"id: " in next(stuck.pieces()) + next(stuck.pieces())
        ids = []
        before_bytes = hub.peak_memory_bytes()
        for round_ in range(40):
            objects = [large(round_ * 10 + number) for number in range(10)]
            ids += [one["id"] for one in objects]
            hub.push(hub.admin, *objects)
        until(lambda: len(reader.events) == len(ids))
        assert reader.ids == ids
        assert hub.peak_memory_bytes() - before_bytes < 100 * 1024 * 1024
        until(lambda: b"bayanihan_streams 1\n" in metrics(hub))


def test_nobody_takes_all_the_streams(own_hub: RunningHub) -> None:
    """However many files the hub may open: those without a key leave room for the others."""
    hub = own_hub.start(open_files=128)
    key = hub.key("SG")
    with ExitStack() as held:
        wires = [held.enter_context(Wire(hub.port)) for _ in range(60)]
        for wire in wires:
            wire.begin("GET", "/api/stream?after=now")
        statuses = [next(wire.pieces()).split()[1] for wire in wires]
        assert (statuses.count(b"200"), statuses.count(b"503")) == (48, 12)
        for wire in (
            wire for wire, status in zip(wires, statuses, strict=True) if status != b"200"
        ):
            wire.socket.close()
        reader = held.enter_context(StreamReader(hub, key, after="now"))
        reader.wait_open()
        one = indicator(**CLEAR)
        hub.push(key, one)
        until(lambda: reader.ids == [one["id"]])
        assert b"bayanihan_streams_refused 12\n" in metrics(hub)
    assert "readers without a key" in hub.stderr()
    until(lambda: b"bayanihan_streams 0\n" in metrics(hub))


def metrics(hub: RunningHub) -> bytes:
    return hub.ask("GET", "/metrics", hub.admin).content


def test_a_reader_who_falls_behind_goes_on_where_it_was(own_hub: RunningHub) -> None:
    """`behind` keeps the cursor good: with it nothing is missed and nothing repeated."""
    hub = own_hub.start()
    with Wire(hub.port, receive_bytes=4_096) as wire:
        wire.begin("GET", "/api/stream?after=now")
        pieces = wire.pieces()
        head = next(pieces)
        while b"id: " not in head:
            head += next(pieces)
        objects = [large(number) for number in range(200)]
        for at in range(0, 200, 20):
            hub.push(hub.admin, *objects[at : at + 20])
        events: list[tuple[str, bytes]] = []
        body = dechunked(chain([head.partition(b"\r\n\r\n")[2]], pieces))
        with pytest.raises(Reset, match="slowly") as reset:
            events.extend(parse(lines_of(body)))
    assert reset.value.code == "behind"
    seen = [msgspec.json.decode(data)["id"] for _, data in events if data]
    with StreamReader(hub, after=events[-1][0]) as reader:
        until(lambda: len(seen) + len(reader.events) >= 200)
        assert seen + reader.ids[: 200 - len(seen)] == [one["id"] for one in objects]


def test_a_flood_reaches_every_reader_whole(own_hub: RunningHub) -> None:
    """Readers that join in the middle of a flood miss nothing and get nothing twice."""
    hub = own_hub.start()
    batches = [[indicator(**CLEAR) for _ in range(500)] for _ in range(8)]
    ids = [one["id"] for batch in batches for one in batch]
    with ExitStack() as stack:
        readers = []
        for batch in batches:
            hub.push(hub.admin, *batch)
            readers.append(stack.enter_context(StreamReader(hub)))
        for reader in readers:
            until(lambda: len(reader.events) >= len(ids))  # noqa: B023
            assert reader.ids == ids
