"""HTTP by hand: for senders and readers who do not behave."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Self

from tests.sim.process import HOST


class Wire:
    """One connection to a hub.

    Args:
        port: of the hub.
        host: where it is reached.
        receive_bytes: the size of the receive buffer; small for a reader who reads little.
    """

    def __init__(self, port: int, *, host: str = HOST, receive_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(30)
        try:
            self.socket.connect((host, port))
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def begin(self, method: str, path: str, key: str = "", **headers: str) -> None:
        """Send the head of a request; `_` in a header's name stands for `-`."""
        lines = [f"{method} {path} HTTP/1.1", "Host: hub"]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def pour(self, pieces: Iterable[bytes]) -> int:
        """Send pieces of a chunked body until they end or the hub has answered; the bytes."""
        sent_bytes = 0
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                if select.select([self.socket], [], [], 0)[0]:
                    return sent_bytes
                self.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                sent_bytes += len(piece)
            self.socket.sendall(b"0\r\n\r\n")
        return sent_bytes

    def all(self) -> bytes:
        """What the hub sends until it closes."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(65_536):
                yield piece

    def answer(self) -> tuple[int, Any]:
        """The status and the JSON of an answer that names its length."""
        data = b""
        for piece in self.pieces():
            data += piece
            head, end, body = data.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            if end and len(body) >= length:
                return int(data.split()[1]), json.loads(body or b"null")
        raise AssertionError(f"the answer broke off: {data[:200]!r}")
