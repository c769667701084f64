"""Bodies that are too large, too slow, cut off or lie about their length."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import select
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, Request, post
from litestar.response import Response

from bayanihan.errors import BayanihanError, Refused, Unavailable
from bayanihan.intake.upload import Gunzip, Pace, Uploads
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub
from tests.sim.wire import Wire

MIB = 1024 * 1024


# --- the rules -------------------------------------------------------------------------------


def gunzipped(data: bytes, cuts: list[int]) -> bytes:
    gunzip = Gunzip()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    parts = [data[a:b] for a, b in itertools.pairwise(places)]
    plain = b"".join(piece for part in parts for piece in gunzip.pieces(part))
    gunzip.close()
    return plain


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    st.lists(st.integers(0, 1_000), max_size=20),
    st.sampled_from([1, 7, 100_000]),
)
def test_members_are_joined_wherever_the_chunks_are_cut(
    members: list[bytes], cuts: list[int], times: int
) -> None:
    plain = [member * times for member in members]
    data = b"".join(map(gzip.compress, plain))
    assert gunzipped(data, cuts) == b"".join(plain)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_cut_stream_is_refused_and_never_taken_short(plain: bytes, data: st.DataObject) -> None:
    whole = gzip.compress(plain)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Refused, match="gzip"):
        gunzipped(whole[:end], [])


def test_a_bomb_comes_in_bounded_pieces() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    data = bomb.compress(bytes(32 * MIB)) + bomb.flush()
    sizes = [len(piece) for piece in Gunzip().pieces(data)]
    assert max(sizes) <= Gunzip.PIECE_BYTES
    assert sum(sizes) == 32 * MIB


# --- in one process, with a clock of our own -------------------------------------------------


def asked(uploads: Uploads, events: list[Any], headers: dict[str, str]) -> tuple[int, str]:
    """Send events to a handler that reads an upload; the status and what it says."""

    @post("/", request_max_body_size=None, status_code=200)
    async def take(request: Request[Any, Any, Any]) -> Response[bytes]:
        try:
            with uploads.upload(request) as upload:
                return Response(b"%d" % len(await upload.read()))
        except BayanihanError as error:
            return Response(error.code.encode(), status_code=error.status)

    app = Litestar([take], openapi_config=None)
    answers: list[Any] = []

    async def receive() -> Any:
        if events:
            return events.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        answers.append(message)

    scope: Any = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "extensions": {},
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))
    return answers[0]["status"], answers[1]["body"].decode()


def chunk(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


def test_a_sender_who_falls_silent_is_refused() -> None:
    uploads = Uploads(100, 1_000, silence_limit_s=0.05)
    assert asked(uploads, [chunk(b"abc")], {}) == (408, "too-slow")
    assert uploads.held_bytes == 0


def test_the_limit_holds_however_the_body_comes() -> None:
    uploads = Uploads(100, 1_000)
    assert asked(uploads, [chunk(bytes(100), more=False)], {}) == (200, "100")
    assert asked(uploads, [chunk(bytes(50)), chunk(bytes(51))], {}) == (413, "too-large")
    assert asked(uploads, [], {"content-length": "101"}) == (413, "too-large")
    bomb = gzip.compress(bytes(101))
    gzipped = {"content-encoding": "gzip"}
    assert asked(uploads, [chunk(bomb, more=False)], gzipped) == (413, "too-large")
    empty = gzip.compress(b"") * 6  # nothing at all, at any length
    assert asked(uploads, [chunk(empty, more=False)], gzipped) == (413, "too-large")
    assert uploads.held_bytes == 0


def test_bodies_together_are_bounded_and_let_go() -> None:
    uploads = Uploads(100, 150)
    uploads.take(100, "another")
    assert asked(uploads, [chunk(bytes(51), more=False)], {}) == (503, "overloaded")
    assert asked(uploads, [chunk(bytes(50), more=False)], {}) == (200, "50")
    assert uploads.held_bytes == 100


def test_a_key_has_a_share_and_a_small_body_has_room() -> None:
    uploads = Uploads(64 * MIB, 256 * MIB)
    for _ in range(2):
        uploads.take(64 * MIB, "greedy")
    with pytest.raises(Unavailable, match="under this key"):
        uploads.take(1, "greedy")
    uploads.take(64 * MIB, "a")
    uploads.take(32 * MIB, "b")
    with pytest.raises(Unavailable, match=r"other submissions$"):
        uploads.take(1, "c", before_bytes=MIB)
    uploads.take(MIB, "c")
    uploads.give_back(128 * MIB, "greedy")
    uploads.take(64 * MIB, "greedy")


@pytest.mark.parametrize(
    ("arrivals", "refused"),
    [
        ([(0, 64 * MIB), *[(12 * n, 1) for n in range(1, 8)]], True),
        ([(29, 1), (31, 1)], True),
        ([(29, 1), (31, 200_000), (62, 200_000)], False),
        ([(n, 10_000) for n in range(590)], False),
        ([(n, 10_000) for n in range(610)], True),
    ],
)
def test_what_trickles_in_is_not_waited_for(arrivals: list[tuple[int, int]], refused: bool) -> None:
    pace = Pace(0.0, 30.0, 600.0)
    outcome = "taken"
    for at_s, size_bytes in arrivals:
        try:
            pace.check(size_bytes, at_s)
        except Refused as error:
            outcome = error.code
    assert outcome == ("too-slow" if refused else "taken")


# --- over real sockets -----------------------------------------------------------------------


def test_200_mb_are_refused_while_they_arrive(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key = hub.key("SG")
    body = json.dumps({"objects": [indicator()]}).encode()
    before_bytes = hub.peak_memory_bytes()
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/objects", key, Transfer_Encoding="chunked")
        sent_bytes = wire.pour([b'{"objects":["', *200 * [b"x" * MIB]])
        assert sent_bytes < 100 * MIB
        status, answer = wire.answer()
    assert (status, answer["error"]["code"]) == (413, "too-large")
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/objects", key, Content_Length=str(200 * MIB))
        assert wire.answer()[0] == 413
    assert hub.peak_memory_bytes() - before_bytes < 200 * MIB
    assert accepted(hub.push_bytes(key, body))
    assert hub.stop().stderr == ""


@pytest.mark.parametrize("piece", [b"{},", b"0,", b'"",', b"[],"])
def test_countless_values_do_not_fill_the_memory(own_hub: RunningHub, piece: bytes) -> None:
    hub = own_hub.start()
    key = hub.key("SG")
    before_bytes = hub.peak_memory_bytes()
    values = piece * (60 * MIB // len(piece))
    body = gzip.compress(b'{"objects":[' + values + b"0]}", 1)
    answer = hub.ask(
        "POST", "/api/objects", key, content=body, headers={"Content-Encoding": "gzip"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")
    assert hub.peak_memory_bytes() - before_bytes < 300 * MIB


def test_one_reporter_does_not_keep_the_others_out(own_hub: RunningHub) -> None:
    """Bodies that never end, as many as one key likes: others go on reporting."""
    hub = own_hub.start()
    greedy, other = hub.key("SG"), hub.key("VN")
    with contextlib.ExitStack() as held:
        refused = []
        for _ in range(4):
            wire = held.enter_context(Wire(hub.port))
            wire.begin("POST", "/api/objects", greedy, Content_Length=str(64 * MIB))
            with contextlib.suppress(ConnectionError):
                wire.socket.sendall(bytes(64 * MIB - 1))
            refused.append(bool(select.select([wire.socket], [], [], 1)[0]))
        assert refused == [False, False, True, True]
        assert accepted(hub.push(other, indicator()))
    assert accepted(hub.push(greedy, indicator()))


def test_a_body_that_breaks_off_stores_nothing(hub: RunningHub) -> None:
    key = hub.key("SG")
    one = indicator()
    body = json.dumps(one).encode()
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/objects", key, Content_Length=str(len(body) + 1))
        wire.socket.sendall(body)
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/keys", hub.admin, Content_Length="5")
        wire.socket.sendall(b"{")
    assert one["id"] not in hub.ids(key)


def test_a_body_longer_than_it_said_is_cut_there(hub: RunningHub) -> None:
    key = hub.key("SG")
    body = json.dumps(indicator()).encode()
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/objects", key, Content_Length=str(len(body) - 1))
        wire.socket.sendall(body)
        assert wire.all().split()[1] == b"400"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "-1"},
        {"Content_Length": "x"},
        {"Content_Length": "5, 6"},
        {"Content_Length": "5", "Transfer_Encoding": "chunked"},
        {"Transfer_Encoding": "gzip"},
    ],
)
def test_a_head_that_lies_is_refused(hub: RunningHub, headers: dict[str, str]) -> None:
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/objects", hub.admin, **headers)
        wire.socket.sendall(b"hello\r\n0\r\n\r\n")
        assert next(wire.pieces()).split()[1] in (b"400", b"413", b"415")
