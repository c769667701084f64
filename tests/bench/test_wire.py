"""The raw client, against a real server on the loopback: the floor itself."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load import Order, ingest, poll, visible, walk
from bench.pollers import Pollers
from bench.server import Server, floor, free_port
from bench.subscribers import Order as CrowdOrder
from bench.wire import Connection, Drive, Target
from bench.workload import Workload, envelopes


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    server = floor(tmp_path)
    server.start("/api/objects")
    yield server
    server.kill()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:80", "http://10.0.0.1", "https://127.0.0.1", "http://example.org"]
)
def test_nothing_but_the_loopback_is_put_under_load(url: str) -> None:
    with pytest.raises(ValueError, match=r"loopback|does not appear to be"):
        Target.of(url)


def test_a_request_says_who_asks_and_how_much_it_brings() -> None:
    target = Target.of("http://127.0.0.1:8420", "byn_a_b")
    request = target.request("POST", "/api/objects", b"{}")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/objects HTTP/1.1\r\n")
    assert b"Authorization: Bearer byn_a_b" in head
    assert b"Content-Length: 2" in head
    assert body == b"{}"


def test_many_connections_deliver_everything_once(served: Server) -> None:
    target = Target.of(served.url)
    bodies = list(envelopes(Workload("drive"), 300, 7))
    requests = [target.request("POST", "/api/objects", body) for body in bodies]
    tally = Drive(target, iter(requests), 5, 30.0).run()
    assert sorted(number for number, *_ in tally.answers) == list(range(len(bodies)))
    assert {status for _, status, *_ in tally.answers} == {200}
    connection = Connection(target)
    page = connection.get("/api/objects?limit=1000")
    connection.close()
    assert all(raw in page for raw in Workload("drive").objects(300))


def test_the_orders_of_the_load_work_together(
    served: Server, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    sent = ingest(Order("ingest", served.url, size=100, count=1_200, connections=3, ids=True))
    assert sent["accepted"] == len(set(sent["acknowledged"])) == 1_200
    assert b"begun" in capfdbinary.readouterr().out
    seen = walk(Order("walk", served.url, ids=True))
    assert sorted(seen["ids"]) == sorted(sent["acknowledged"])
    assert poll(Order("poll", served.url, after=seen["next"], count=5))["n"] == 5
    new = visible(Order("visible", served.url, after=seen["next"], count=3, seed="v"))
    assert new["n"] == 3
    assert walk(Order("walk", served.url, after=seen["next"]))["count"] == 3


def test_subscribers_who_poll_read_each_report_once(served: Server) -> None:
    walked = walk(Order("walk", served.url))
    place = {"url": served.url, "submit": "/api/objects", "since": walked["next"]}
    order = CrowdOrder("open", **place, path="/api/objects?limit=9&after={since}", seed="p")
    pollers = Pollers(order)
    try:
        assert pollers.open(30)["open"] == 30
        seen = pollers.rounds(3)
        assert (seen["missed"], seen["deliveries"]) == (0, 90)
        assert seen["worst_ms"] >= seen["last_ms"] >= seen["p50_ms"] > 0
        held = pollers.hold(20, 1_000.0)
        assert (held["deliveries"], held["missed"]) == (20, 0)
    finally:
        pollers.close()
    assert walk(Order("walk", served.url))["count"] == 3


def test_many_connections_are_made_at_once_or_none(served: Server) -> None:
    opened = Target.of(served.url).open_many(20)
    assert len({sock.getsockname() for sock in opened}) == 20
    for sock in opened:
        sock.close()
    with pytest.raises(OSError, match="refused"):
        Target.of(f"http://127.0.0.1:{free_port()}").open_many(3)


def test_a_server_that_goes_away_is_told_from_one_that_answers(served: Server) -> None:
    target = Target.of(served.url)

    def requests() -> Iterator[bytes]:
        yield target.request("GET", "/api/objects")
        served.kill()
        yield target.request("GET", "/api/objects")

    tally = Drive(target, requests(), 1, 30.0).run()
    assert tally.broken
    assert len(tally.answers) == 1


def test_a_server_that_does_not_start_tells_why(tmp_path: Path) -> None:
    line = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    with pytest.raises(TimeoutError, match="no such luck"):
        Server(line, free_port(), tmp_path / "log").start("/")


def test_the_push_floor_sends_to_every_stream(tmp_path: Path) -> None:
    port = free_port()
    line = [sys.executable, "-m", "bench.floor", "push", "--port", str(port)]
    server = Server(line, port, tmp_path / "log")
    server.start()
    target = Target.of(server.url)
    streams = [_stream(target) for _ in range(3)]
    poster = Connection(target)
    assert poster.exchange(target.request("POST", "/x", b'{"id":"a"}'))[0] == 200
    for stream in streams:
        assert b'data: {"id":"a"}\n\n' in stream.recv(4_096)
        stream.close()
    poster.close()
    server.kill()


def _stream(target: Target) -> socket.socket:
    sock = target.open()
    sock.sendall(target.request("GET", "/stream"))
    assert b"200" in sock.recv(4_096)
    return sock


def test_the_command_line_says_what_it_can_do() -> None:
    line = [sys.executable, "-m", "bench", "loop", "--help"]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert "--stored" in told


@pytest.mark.parametrize("wrong", [["--stored", "5"], ["--peer", "nobody=python"]])
def test_wrong_use_is_told_before_anything_starts(wrong: list[str]) -> None:
    line = [sys.executable, "-m", "bench", "loop", *wrong]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert wrong[0] in done.stderr
