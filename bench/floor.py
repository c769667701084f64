"""The floors: the least that a server could do on this machine, each in its own process.

`python -m bench.floor app --port N --db FILE` takes and gives STIX over HTTP: it splits an
envelope, reads ids and times, stores the bytes durably (SQLite, WAL, synchronous=FULL, one
writer thread with group commit) and joins stored bytes on read. It checks no credentials,
no content and no marking, and keeps no proof.

`python -m bench.floor push --port N` writes what is posted straight to every open stream.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import parse_qs

import msgspec

BATCH_LIMIT = 5_000
ROWS_PER_STATEMENT = 200
_CACHE_KIB = 262_144
_CHECKPOINT_PAGES = 20_000

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Row = tuple[bytes, int, str, bytes]


class _Head(msgspec.Struct):
    id: str
    type: str
    modified: str = ""


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw]


_open = msgspec.json.Decoder(_Envelope).decode
_read = msgspec.json.Decoder(_Head).decode


def _row(raw: bytes) -> Row:
    head = _read(raw)
    key = bytes.fromhex(head.id[-36:].replace("-", ""))
    at = int(datetime.fromisoformat(head.modified).timestamp() * 1e6) if head.modified else 0
    return key, at, head.type, raw


def rows_of(body: bytes) -> list[Row]:
    """The rows of an envelope, or of one object."""
    if body.startswith(b'{"objects"'):
        return [_row(bytes(raw)) for raw in _open(body).objects]
    return [_row(body)]


class Store:
    """One SQLite file with one writer thread that commits what has queued up as a group."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writing = self._connect()
        self._writing.executescript(
            "CREATE TABLE IF NOT EXISTS o (seq INTEGER PRIMARY KEY, id BLOB NOT NULL,"
            " modified INTEGER NOT NULL, type TEXT NOT NULL, added INTEGER NOT NULL,"
            " raw BLOB NOT NULL);"
            "CREATE UNIQUE INDEX IF NOT EXISTS o_id ON o (id, modified);"
        )
        self._reading = self._connect()
        self._jobs: queue.SimpleQueue[tuple[list[Row], Callable[[], None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write_all, daemon=True).start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"cache_size = -{_CACHE_KIB}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def put(self, rows: list[Row], done: Callable[[], None]) -> None:
        """Queue rows; `done` is called on the writer's thread once they are durable."""
        self._jobs.put((rows, done))

    def _write_all(self) -> None:
        while True:
            jobs = [self._jobs.get()]
            count = len(jobs[0][0])
            while count < BATCH_LIMIT and not self._jobs.empty():
                jobs.append(self._jobs.get())
                count += len(jobs[-1][0])
            self._commit([row for rows, _ in jobs for row in rows])
            for _, done in jobs:
                done()

    def _commit(self, rows: list[Row]) -> None:
        added = time.time_ns() // 1000
        self._writing.execute("BEGIN IMMEDIATE")
        for at in range(0, len(rows), ROWS_PER_STATEMENT):
            part = rows[at : at + ROWS_PER_STATEMENT]
            places = ",".join([f"(?,?,?,{added},?)"] * len(part))
            self._writing.execute(
                f"INSERT OR IGNORE INTO o (id, modified, type, added, raw) VALUES {places}",
                [value for row in part for value in row],
            )
        self._writing.execute("COMMIT")

    def page(self, after: int, limit: int) -> bytes:
        """A page of stored bytes, joined."""
        rows = self._reading.execute(
            "SELECT seq, raw FROM o WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit + 1)
        ).fetchall()
        more = b"true" if len(rows) > limit else b"false"
        rows = rows[:limit]
        last = rows[-1][0] if rows else after
        body = b",".join([row[1] for row in rows])
        return b'{"objects":[%b],"more":%b,"next":"%d"}' % (body, more, last)


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _reply(send: Send, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    headers = [(b"content-type", b"application/json"), length]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def application(store: Store) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The ASGI application over a store."""

    async def take(receive: Receive, send: Send) -> None:
        rows = rows_of(await _body(receive))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def done() -> None:
            loop.call_soon_threadsafe(future.set_result, None)

        store.put(rows, done)
        await future
        await _reply(send, b'{"accepted":%d,"duplicate":0,"refused":0}' % len(rows))

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "POST":
            await take(receive, send)
            return
        asked = parse_qs(scope["query_string"].decode())
        after, limit = asked.get("after", ["0"])[0], asked.get("limit", ["100"])[0]
        await _reply(send, store.page(int(after or 0), int(limit)))

    return app


class _Pushing(asyncio.Protocol):
    """GET opens a stream; what is posted goes to all of them, then the answer."""

    streams: set[asyncio.Transport] = set()  # noqa: RUF012 - shared by all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET"):
            self._received = b""
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: open\n\n"
            )
            self.streams.add(self._transport)
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._received = body[length:]
            self._push(body[:length])

    def _push(self, body: bytes) -> None:
        frame = b"data: " + body + b"\n\n"
        for stream in self.streams:
            stream.write(frame)
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self.streams.discard(self._transport)


async def push(host: str, port: int) -> None:
    """Serve the push floor for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Pushing, host, port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Run one floor until it is ended."""
    import uvicorn
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("floor", choices=("app", "push"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", default="")
    chosen = parser.parse_args()
    if chosen.floor == "push":
        uvloop.run(push(chosen.host, chosen.port))
        return
    uvicorn.run(
        application(Store(chosen.db)),
        host=chosen.host,
        port=chosen.port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
