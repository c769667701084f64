"""Subscribers who poll, in a process of their own, and the one who reports to them.

`python -m bench.pollers` reads orders as `bench.subscribers` does. A subscriber here is an
open connection whose client asks for what was added since. In each round one indicator is
submitted, and once that is acknowledged all subscribers poll at the same moment: the worst
there is, as if all their timers went off together. Latency runs from the moment before the
submission to the moment at which a subscriber has read its whole answer.
"""

from __future__ import annotations

import re
import select
import socket
import sys
import time
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from bench.subscribers import Answer, Order, raise_file_limit, rounds_of
from bench.wire import Connection, Target, answer_size, split
from bench.workload import Workload

TAXII = "application/taxii+json;version=2.1"
# Where the next poll begins: the date of the last object, or the floor's `next`.
_SINCE = re.compile(rb'(?:\r\nx-taxii-date-added-last: *|"next":")([^\r"]+)', re.IGNORECASE)
_OPEN_AT_ONCE = 500
_RECEIVE_BYTES = 1 << 18
_WITHIN_S = 60.0
_AGAIN_S = 0.02


class Pollers:
    """Many open connections on one thread.

    Args:
        order: an `open` order. `path` is where they poll, with `{since}` for the moment, and
            `submit` where to report.
    """

    def __init__(self, order: Order) -> None:
        media = TAXII if "/taxii2/" in order.path else "application/json"
        self._target = Target.of(order.url, order.read_key, media=media)
        self._reporter = Connection(Target.of(order.url, order.key, media=media))
        self._path, self._submit = order.path, order.submit
        self._since = order.since
        self._workload = Workload(order.seed)
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._received: dict[int, bytearray] = {}
        self._turned_away = 0

    def open(self, count: int) -> Answer:
        """Connect until `count` stand and have polled once; the seconds that took.

        Whoever connects and asks nothing is let go after a while.
        """
        began_s, request = time.perf_counter(), self._poll()
        while len(self._sockets) < count:
            some = self._target.open_many(min(_OPEN_AT_ONCE, count - len(self._sockets)))
            for sock in some:
                self._sockets[sock.fileno()] = sock
                self._epoll.register(sock.fileno(), select.EPOLLIN)
                sock.send(request)
            self._read(len(some), lambda _: None)
        return {"open": len(self._sockets), "took_s": time.perf_counter() - began_s}

    def rounds(self, count: int) -> Answer:
        """Submit `count` indicators one by one, and time each at every subscriber."""
        return rounds_of(self._round, count, len(self._sockets))

    def _round(self) -> list[float]:
        made = self._workload.indicator()
        mark = str(msgspec.json.decode(made)["id"]).encode()
        began_s = time.perf_counter()
        self._report(made)
        request = self._poll()
        for sock in self._sockets.values():
            sock.send(request)  # a poll is far smaller than a send buffer
        times_s: list[float] = []

        def took(answer: bytes) -> None:
            if mark in answer:
                times_s.append(time.perf_counter() - began_s)
            if found := _SINCE.search(answer):
                self._since = found[1].decode()

        self._read(len(self._sockets), took)
        return times_s

    def _report(self, made: bytes) -> None:
        body = b'{"objects":[%b]}' % made
        request = self._reporter.target.request("POST", self._submit, body)
        try:
            status, told = self._reporter.exchange(request)
        except ConnectionResetError:
            # It was idle for longer than a server waits, while a crowd was made ready.
            self._reporter = Connection(self._reporter.target)
            status, told = self._reporter.exchange(request)
        if status not in (200, 202):
            raise ValueError(f"a report was answered {status}: {told[:200]!r}")

    def _poll(self) -> bytes:
        return self._target.request("GET", self._path.replace("{since}", quote(self._since)))

    def _read(self, count: int, took: Callable[[bytes], None], within_s: float = _WITHIN_S) -> int:
        """Read until `count` answers are whole or the time is up; how many were."""
        whole, until_s = 0, time.perf_counter() + within_s
        while whole < count and (left_s := until_s - time.perf_counter()) > 0:
            for fd, _ in self._epoll.poll(left_s):
                if answer := self._whole(fd):
                    whole += 1
                    took(answer)
        return whole

    def _whole(self, fd: int) -> bytes:
        """The answer of one connection once it is complete; b"" before."""
        part = self._sockets[fd].recv(_RECEIVE_BYTES)
        if not part:
            raise ConnectionResetError("the server closed a subscriber's connection")
        data = self._received.setdefault(fd, bytearray())
        data += part
        size = answer_size(data)
        if not size or len(data) < size:
            return b""
        del self._received[fd]
        status, body = split(bytes(data))
        if status == 503:
            # In a flood the collections may stand behind the record: a client asks again.
            self._turned_away += 1
            time.sleep(_AGAIN_S)
            self._sockets[fd].send(self._poll())
            return b""
        if status != 200:
            raise ValueError(f"a poll was answered {status}: {body[:200]!r}")
        return bytes(data)

    def hold(self, count: int, rate: float) -> Answer:
        """Poll `count` times in all, `rate` times a second, each subscriber in its turn."""
        request, answered = self._poll(), 0
        subscribers = list(self._sockets.values())
        began_s = time.perf_counter()
        for number in range(count):
            wait_s = began_s + number / rate - time.perf_counter()
            answered += self._read(count, lambda _: None, max(0.0, wait_s))
            subscribers[number % len(subscribers)].send(request)
        answered += self._read(count - answered, lambda _: None)
        return {
            "took_s": time.perf_counter() - began_s,
            "deliveries": answered,
            "missed": count - answered,
            "turned_away": self._turned_away,
        }

    def close(self) -> None:
        """Close every connection."""
        self._reporter.close()
        self._epoll.close()
        for sock in self._sockets.values():
            sock.close()


def perform(pollers: Pollers, order: Order) -> Answer:
    """Carry out one order."""
    match order.do:
        case "open":
            return pollers.open(order.count)
        case "rounds":
            return pollers.rounds(order.count)
        case "hold":
            return pollers.hold(order.count, order.rate)
        case _:
            raise ValueError(f"there is no order {order.do!r}")


def main() -> None:
    """Carry out orders until there are no more."""
    raise_file_limit()
    pollers: Pollers | None = None
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        pollers = pollers or Pollers(order)
        sys.stdout.buffer.write(msgspec.json.encode(perform(pollers, order)) + b"\n")
        sys.stdout.buffer.flush()
    if pollers:
        pollers.close()


if __name__ == "__main__":
    main()
