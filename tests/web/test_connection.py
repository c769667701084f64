"""Connections that fall silent, or take nothing, are let go."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from bayanihan.web.connection import Connection

LARGE = b"x" * 8_000_000


class Hasty(Connection):
    """The same, with less patience than a test has."""

    head_within_s = 0.2
    stalled_s = 0.5


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = LARGE if scope["path"] == "/large" else b"ok"
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def served(talk: Any) -> Any:
    config = uvicorn.Config(app, port=0, http=Hasty, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        return await talk(port, server)
    finally:
        server.should_exit = True
        await running


async def gone(server: uvicorn.Server) -> None:
    async with asyncio.timeout(20):
        while server.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    async def talk(port: int, server: uvicorn.Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(20):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        await gone(server)
        writer.close()

    await served(talk)


async def test_who_takes_nothing_is_let_go_and_who_is_slow_is_not() -> None:
    async def talk(port: int, server: uvicorn.Server) -> None:
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.1)
        assert server.server_state.connections
        await gone(server)
        stalled.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        taken = 0
        while piece := await reader.read(65_536):
            taken += len(piece)
            if taken < 4_000_000:
                await asyncio.sleep(0.01)
        assert taken > len(LARGE)
        writer.close()

    await served(talk)
