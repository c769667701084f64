"""A small raw HTTP client with keep-alive: cheap, many connections, this machine only.

It knows just what the hub and the floors answer with: a status and a `Content-Length`.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import select
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.line import FAR

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RECEIVE_BYTES = 1 << 18
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Target:
    """A server on this machine, and the headers that every request to it carries."""

    host: str
    port: int
    headers: str = ""
    media: str = "application/json"

    @classmethod
    def of(
        cls, url: str, key: str = "", basic: str = "", media: str = "application/json"
    ) -> Target:
        """The target of a URL, with a key or with "name:password" to sign in.

        Raises:
            ValueError: unless it is a loopback address, or that of `bench.line`.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        near = host == FAR or ipaddress.ip_address(host).is_loopback
        if parts.scheme != "http" or not near:
            raise ValueError(f"{url} is not on the loopback; nothing else is put under load")
        word = f"Basic {base64.b64encode(basic.encode()).decode()}" if basic else f"Bearer {key}"
        headers = f"Authorization: {word}\r\n" if key or basic else ""
        return cls(host, port, f"{headers}Accept: {media}\r\n", media)

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """One request as bytes."""
        about = f"Content-Type: {self.media}\r\nContent-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{self.headers}"
        return (head + (about if body else "") + "\r\n").encode() + body

    def open(self, receive_buffer_bytes: int = 0) -> socket.socket:
        """A new connection, blocking; the buffer is left to the system when 0."""
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        sock.settimeout(_TIMEOUT_S)
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            sock.connect((self.host, self.port))
        except OSError:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def open_many(self, count: int) -> list[socket.socket]:
        """New connections that are made at the same time, non-blocking. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        found = [socket.socket(family) for _ in range(count)]
        try:
            for sock in found:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect_ex((self.host, self.port))
            _await_connected(found)
        except OSError:
            for sock in found:
                sock.close()
            raise
        return found


def _await_connected(made: list[socket.socket]) -> None:
    """Wait until each is connected. Raises `OSError` when one cannot be."""
    with select.epoll() as waiting:
        for sock in made:
            waiting.register(sock, select.EPOLLOUT)
        until_s, left = time.perf_counter() + _TIMEOUT_S, len(made)
        while left and time.perf_counter() < until_s:
            for fd, _ in waiting.poll(1.0):
                waiting.unregister(fd)
                left -= 1
    for sock in made:
        if fault := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(fault, os.strerror(fault))
        sock.getpeername()


def answer_size(data: bytes | bytearray) -> int:
    """How long the answer at the start of `data` is; 0 while its head is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    found = _LENGTH.search(data, 0, end)
    if found is None:
        raise ValueError(f"an answer without Content-Length: {bytes(data[:end])!r}")
    return end + 4 + int(found[1])


def split(answer: bytes) -> tuple[int, bytes]:
    """Status and body of a whole answer."""
    return int(answer[9:12]), answer[answer.index(b"\r\n\r\n") + 4 :]


class Connection:
    """One keep-alive connection that waits for each answer.

    Raises:
        ConnectionError: when the server closes it.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._socket = target.open()

    def send(self, request: bytes) -> None:
        """Send without waiting for the answer."""
        self._socket.sendall(request)

    def receive(self) -> tuple[int, bytes]:
        """The next answer: status and body."""
        data = bytearray()
        size = 0
        while not size or len(data) < size:
            part = self._socket.recv(_RECEIVE_BYTES)
            if not part:
                raise ConnectionResetError("the server closed the connection")
            data += part
            size = size or answer_size(data)
        return split(bytes(data))

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send and receive."""
        self.send(request)
        return self.receive()

    def get(self, path: str) -> bytes:
        """The body of a GET that must answer 200."""
        status, body = self.exchange(self.target.request("GET", path))
        if status != 200:
            raise ValueError(f"GET {path} answered {status}: {body[:300]!r}")
        return body

    def close(self) -> None:
        """Close it."""
        self._socket.close()


@dataclass
class Tally:
    """What a drive of many connections met. Times in seconds."""

    answers: list[tuple[int, int, bytes, float]] = field(default_factory=list)
    elapsed_s: float = 0.0
    broken: bool = False


@dataclass
class _Lane:
    socket: socket.socket
    number: int = 0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    received: bytearray = field(default_factory=bytearray)
    size: int = 0
    began_s: float = 0.0


class Drive:
    """Keeps many connections busy from one thread: each sends its next request on an answer.

    Args:
        target: where to.
        requests: what to send, in order; shared by all connections.
        connections: how many.
        limit_s: no request is begun after so many seconds.
    """

    def __init__(
        self, target: Target, requests: Iterator[bytes], connections: int, limit_s: float
    ) -> None:
        self._requests = enumerate(requests)
        self._limit_s = limit_s
        self._selector = selectors.DefaultSelector()
        self._lanes = [_Lane(target.open()) for _ in range(connections)]
        self._tally = Tally()
        self._open = 0

    def run(self) -> Tally:
        """Send until the requests or the time run out, or the server goes away.

        An answer is (number of the request, status, first 200 bytes of the body, seconds).
        """
        began_s = time.perf_counter()
        for lane in self._lanes:
            lane.socket.setblocking(False)
            self._selector.register(lane.socket, selectors.EVENT_READ, lane)
            self._begin(lane, began_s + self._limit_s)
        while self._open:
            ready = self._selector.select(_TIMEOUT_S)
            if not ready:
                raise TimeoutError(f"no answer within {_TIMEOUT_S} s")
            for key, events in ready:
                self._step(key.data, events, began_s + self._limit_s)
        self._tally.elapsed_s = time.perf_counter() - began_s
        self._selector.close()
        for lane in self._lanes:
            lane.socket.close()
        return self._tally

    def _begin(self, lane: _Lane, until_s: float) -> None:
        now_s = time.perf_counter()
        found = next(self._requests, None) if now_s < until_s else None
        if found is None:
            self._selector.unregister(lane.socket)
            return
        self._open += 1
        lane.number, request = found
        lane.unsent, lane.began_s = memoryview(request), now_s
        lane.received, lane.size = bytearray(), 0
        self._push(lane)

    def _push(self, lane: _Lane) -> None:
        try:
            while lane.unsent:
                lane.unsent = lane.unsent[lane.socket.send(lane.unsent) :]
        except BlockingIOError:
            self._selector.modify(lane.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, lane)
            return
        self._selector.modify(lane.socket, selectors.EVENT_READ, lane)

    def _step(self, lane: _Lane, events: int, until_s: float) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._push(lane)
            if events & selectors.EVENT_READ:
                self._pull(lane, until_s)
        except ConnectionError:
            self._tally.broken = True
            self._selector.unregister(lane.socket)
            self._open -= 1

    def _pull(self, lane: _Lane, until_s: float) -> None:
        part = lane.socket.recv(_RECEIVE_BYTES)
        if not part:
            raise ConnectionResetError("the server closed the connection")
        lane.received += part
        lane.size = lane.size or answer_size(lane.received)
        if not lane.size or len(lane.received) < lane.size:
            return
        status, body = split(bytes(lane.received))
        took_s = time.perf_counter() - lane.began_s
        self._tally.answers.append((lane.number, status, body[:200], took_s))
        self._open -= 1
        self._begin(lane, until_s)
