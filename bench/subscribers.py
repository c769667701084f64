"""Subscribers of a stream, in a process of their own, and the one who reports to them.

`python -m bench.subscribers` reads orders on standard input, one JSON object a line, and
answers each with one line. Latency runs from the moment before a report is sent to the
moment at which its id was read from a subscriber's socket: one machine, one clock.
"""

from __future__ import annotations

import resource
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from bench.load import quantile
from bench.wire import Connection, Target
from bench.workload import Workload

Answer = dict[str, Any]
_ARRIVE_WITHIN_S = 15.0
_OPEN_AT_ONCE = 500
_RECEIVE_BYTES = 1 << 18
_PAUSE_S = 0.03
_SMALL_BUFFER_BYTES = 4_096
_TAIL_BYTES = 64


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What to do: `open`, `rounds`, `stuck`, `unstick` or `hold`; the first is an `open`."""

    do: str
    url: str = ""
    key: str = ""
    read_key: str = ""
    path: str = ""
    submit: str = ""
    since: str = ""
    seed: str = "0"
    count: int = 0
    rate: float = 0.0
    size: int = 1


def rounds_of(one: Callable[[], list[float]], count: int, crowd: int) -> Answer:
    """Do `one` round `count` times; what it took a crowd of so many, in ms.

    Args:
        one: a round; the times at which each of the crowd had it, in s.
        count: how many rounds.
        crowd: how many there are in the crowd.
    """
    medians, lasts, missed = [], [], 0
    for _ in range(count):
        times_s = one()
        missed += crowd - len(times_s)
        medians.append(quantile(times_s, 0.5))
        lasts.append(max(times_s, default=0.0))
        time.sleep(_PAUSE_S)
    return {
        "p50_ms": quantile(medians, 0.5) * 1e3,
        "last_ms": quantile(lasts, 0.5) * 1e3,
        "worst_ms": max(lasts) * 1e3,
        "missed": missed,
        "deliveries": count * crowd,
    }


class Fan:
    """Many open streams on one thread.

    Args:
        order: an `open` order: where, with which keys, how many streams.
    """

    def __init__(self, order: Order) -> None:
        self._target = Target.of(order.url, order.read_key)
        self._request = self._target.request("GET", order.path)
        self._reporter = Connection(Target.of(order.url, order.key))
        self._workload = Workload(order.seed)
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        self._stuck: list[socket.socket] = []

    def open(self, count: int) -> Answer:
        """Open streams until `count` stand; the seconds that took."""
        began_s = time.perf_counter()
        while len(self._sockets) < count:
            some = self._target.open_many(min(_OPEN_AT_ONCE, count - len(self._sockets)))
            for sock in some:
                sock.sendall(self._request)
            for sock in some:
                sock.settimeout(_ARRIVE_WITHIN_S)
                self._accepted(sock)
                sock.setblocking(False)
                self._sockets[sock.fileno()] = sock
                self._epoll.register(sock.fileno(), select.EPOLLIN)
        return {"open": len(self._sockets), "took_s": time.perf_counter() - began_s}

    def _ask(self, buffer_bytes: int = 0) -> socket.socket:
        sock = self._target.open(buffer_bytes)
        sock.sendall(self._request)
        return sock

    @staticmethod
    def _accepted(sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = sock.recv(4_096)
            if not part:
                raise ConnectionResetError("a stream was closed at once")
            head += part
        if head[9:12] != b"200":
            raise ValueError(f"a stream was refused: {head[:200]!r}")

    def rounds(self, count: int) -> Answer:
        """Report `count` indicators one by one, and time each at every subscriber."""
        return rounds_of(self._round, count, len(self._sockets))

    def _round(self) -> list[float]:
        body = self._workload.indicator()
        mark = str(msgspec.json.decode(body)["id"]).encode()
        request = self._reporter.target.request("POST", "/api/objects", body)
        waiting = set(self._sockets)
        times_s: list[float] = []
        began_s = time.perf_counter()
        self._reporter.send(request)
        while waiting and time.perf_counter() - began_s < _ARRIVE_WITHIN_S:
            for fd, _ in self._epoll.poll(1.0):
                if self._read(fd, mark) and fd in waiting:
                    times_s.append(time.perf_counter() - began_s)
                    waiting.discard(fd)
        self._answered()
        return times_s

    def _read(self, fd: int, mark: bytes) -> bool:
        """Read what has come; whether `mark` was in it, also across two reads."""
        try:
            data = self._sockets[fd].recv(_RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._epoll.unregister(fd)
            return False
        if mark in data or mark in self._tails.pop(fd, b"") + data[:_TAIL_BYTES]:
            return True
        self._tails[fd] = data[-_TAIL_BYTES:]
        return False

    def _answered(self) -> None:
        status, body = self._reporter.receive()
        if status != 200:
            raise ValueError(f"a report was answered {status}: {body[:200]!r}")

    def stuck(self, count: int, size: int) -> Answer:
        """Open `count` more streams that never read, and report `size` objects at once."""
        for _ in range(count):
            sock = self._ask(_SMALL_BUFFER_BYTES)
            self._accepted(sock)
            self._stuck.append(sock)
        self._reporter.send(
            self._reporter.target.request("POST", "/api/objects", self._workload.envelope(size))
        )
        self._drain(1.0)
        self._answered()
        return {"stuck": count}

    def unstick(self) -> Answer:
        """Close the streams that never read."""
        for sock in self._stuck:
            sock.close()
        count, self._stuck = len(self._stuck), []
        time.sleep(0.2)
        return {"closed": count}

    def _drain(self, seconds: float) -> int:
        """Read everything for a while; how many events began."""
        seen, until_s = 0, time.perf_counter() + seconds
        while (left_s := until_s - time.perf_counter()) > 0:
            for fd, _ in self._epoll.poll(left_s):
                seen += self._count(fd)
        return seen

    def _count(self, fd: int) -> int:
        try:
            data = self._sockets[fd].recv(_RECEIVE_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._epoll.unregister(fd)
            return 0
        # Each frame ends with an empty line, and a heartbeat too, which is no event.
        data = self._tails.get(fd, b"")[-1:] + data
        self._tails[fd] = data[-_TAIL_BYTES:]
        return data.count(b"\n\n") - data.count(b": heartbeat")

    def hold(self, count: int, rate: float) -> Answer:
        """Report `count` indicators at `rate` a second while reading; what arrived."""
        seen, began_s = 0, time.perf_counter()
        for number in range(count):
            wait_s = began_s + number / rate - time.perf_counter()
            seen += self._drain(max(wait_s, 0.0))
            body = self._workload.indicator()
            self._reporter.send(self._reporter.target.request("POST", "/api/objects", body))
            self._answered()
        took_s = time.perf_counter() - began_s
        wanted = count * len(self._sockets)
        until_s = time.perf_counter() + _ARRIVE_WITHIN_S
        while seen < wanted and time.perf_counter() < until_s:
            seen += self._drain(0.2)
        return {"took_s": took_s, "deliveries": seen, "missed": wanted - seen}

    def close(self) -> None:
        """Close every stream."""
        for sock in [*self._sockets.values(), *self._stuck]:
            sock.close()


def perform(fan: Fan, order: Order) -> Answer:
    """Carry out one order."""
    match order.do:
        case "open":
            return fan.open(order.count)
        case "rounds":
            return fan.rounds(order.count)
        case "stuck":
            return fan.stuck(order.count, order.size)
        case "unstick":
            return fan.unstick()
        case "hold":
            return fan.hold(order.count, order.rate)
        case _:
            raise ValueError(f"there is no order {order.do!r}")


def raise_file_limit() -> int:
    """Allow this process, and those it starts, as many open files as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def main() -> None:
    """Carry out orders until there are no more."""
    raise_file_limit()
    fan: Fan | None = None
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        fan = fan or Fan(order)
        sys.stdout.buffer.write(msgspec.json.encode(perform(fan, order)) + b"\n")
        sys.stdout.buffer.flush()
    if fan:
        fan.close()


if __name__ == "__main__":
    main()
