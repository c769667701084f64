"""Many streams that nobody writes to, beside TAXII: polls go on, and memory is bounded."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.consumers.test_taxii_exact import EVERYTHING, Client
from tests.sim.objects import indicator
from tests.sim.process import HOST, RunningHub

STREAMS = 10_000
AT_ONCE = 250
# The hub keeps a quarter of its files for everything else, and one key holds three quarters.
KEYS = 2
OF_STREAM_BYTES = 30_000


@contextmanager
def files(count: int) -> Iterator[None]:
    """Let this process open so many files for a while; skip where that is not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"{count} open files are needed, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def opened(closing: ExitStack, hub: RunningHub, keys: list[str], count: int) -> list[socket.socket]:
    """So many streams, each of them answered."""
    found: list[socket.socket] = []
    while len(found) < count:
        some = []
        for number in range(min(AT_ONCE, count - len(found))):
            sock = closing.enter_context(socket.create_connection((HOST, hub.port), 60))
            key = keys[(len(found) + number) % len(keys)]
            head = f"GET /api/stream HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {key}\r\n\r\n"
            sock.sendall(head.encode())
            some.append(sock)
        for sock in some:
            assert sock.recv(4_096).startswith(b"HTTP/1.1 200"), "a stream was refused"
        found += some
    return found


@pytest.mark.parametrize("count", [200, pytest.param(STREAMS, marks=pytest.mark.long)])
def test_polls_go_on_beside_idle_streams(own_hub: RunningHub, count: int) -> None:
    limit = max(1_024, count * 2)  # of the hub; a quarter of them is for everything else
    with ExitStack() as closing:
        closing.enter_context(files(limit))
        hub = own_hub.start(open_files=limit)
        keys = [hub.key("SG", person=f"p{number}") for number in range(KEYS)]
        client, poller = Client(hub, hub.key("VN")), Client(hub, hub.key("MY"))
        client.post(*[indicator() for _ in range(20)])
        before_bytes = hub.peak_memory_bytes()
        streams = opened(closing, hub, keys, count)
        since = poller.ask("GET", f"{EVERYTHING}/objects/").headers["x-taxii-date-added-last"]
        for _ in range(10):
            place, asked = f"{EVERYTHING}/objects/", {"added_after": since}
            assert poller.get(place, params=asked) == {}
        sent = indicator()
        client.post(sent)
        assert poller.get(f"{EVERYTHING}/objects/", params={"added_after": since})["objects"] == [
            sent
        ]
        for sock in (streams[0], streams[-1]):  # the streams stand, and are told too
            told = b""
            while sent["id"].encode() not in told:
                part = sock.recv(65_536)
                assert part, "a stream ended"
                told += part
        grown_bytes = hub.peak_memory_bytes() - before_bytes
        assert grown_bytes < 30_000_000 + count * OF_STREAM_BYTES, grown_bytes
