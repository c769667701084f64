"""A reader of a hub's stream, on a thread of its own, over a connection that can be cut."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Self
from urllib.parse import quote

from bayanihan.commands.follow import Reset, lines_of, parse
from tests.sim.process import HOST, RunningHub
from tests.sim.wire import Wire

WITHIN_S = 20.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come to pass."""
    end_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.01)


def dechunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a chunked body, whole chunks only; it ends where the body does."""
    rest = b""
    for piece in pieces:
        rest += piece
        while b"\r\n" in rest:
            size, _, after = rest.partition(b"\r\n")
            end = int(size, 16)
            if not end:
                return
            if len(after) < end + 2:
                break
            yield after[:end]
            rest = after[end + 2 :]


class StreamReader:
    """Reads one stream from the moment it is made; use it as a context manager.

    Args:
        hub: where.
        key: whose; "" is nobody's.
        after: the cursor, "now" for what is new.
        last_event_id: the header, where one is sent.
        host: where the hub is reached.
    """

    def __init__(
        self,
        hub: RunningHub,
        key: str = "",
        after: str = "",
        *,
        last_event_id: str = "",
        host: str = HOST,
    ) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.cursor = ""
        self.status = 0
        self.reset: Reset | None = None
        self.ended = threading.Event()
        self._wire = Wire(hub.port, host=host)
        self._wire.socket.settimeout(None)
        more = {"Last_Event_ID": last_event_id} if last_event_id else {}
        try:
            self._wire.begin("GET", f"/api/stream?after={quote(after)}", key, **more)
        except OSError:  # the hub went meanwhile
            self._wire.socket.close()
            raise
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with suppress(OSError):
                self._read()
        except Reset as reset:
            self.reset = reset
        finally:
            self.ended.set()

    def _read(self) -> None:
        pieces = self._wire.pieces()
        head = b""
        for piece in pieces:
            head += piece
            if b"\r\n\r\n" in head:
                break
        else:
            return
        self.status = int(head.split()[1])
        first = head.partition(b"\r\n\r\n")[2]
        body = dechunked(part for parts in ((first,), pieces) for part in parts)
        for event_id, data in parse(lines_of(body)):
            self.cursor = event_id
            if data:
                self.events.append((event_id, json.loads(data)))

    @property
    def ids(self) -> list[str]:
        return [event["id"] for _, event in self.events]

    def wait_open(self) -> Self:
        """Wait until the hub has told where a stream of "now" begins."""
        until(lambda: bool(self.cursor))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._wire.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(WITHIN_S)
        self._wire.socket.close()
