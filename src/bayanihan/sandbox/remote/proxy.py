"""The recording proxy: the only way out of a remote tool's client, to one declared address.

A process of its own for each start of the client. It takes a line, posts it to the address that
the manifest declares, and gives the answer back on a line. Where to, by which method and with
which headers is not the client's choice; a redirection is an answer and is not followed.
Everything is written down before it leaves and after it came back, with digests, in bounds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

MOST_ASKED_BYTES = 2 << 20
MOST_ANSWERED_BYTES = 256 << 10
MOST_RECORD_BYTES = 4 << 30
# How a far side that lets an idle connection go looks to who asks next. One that is slow has
# been told already, and is not told twice.
_LET_GO = (ConnectionResetError, BrokenPipeError)


def host_of(url: str) -> str:
    """The declared host with its port, as people name it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{_port(parts)}"


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


@dataclass
class Far:
    """The declared address, connected to when first asked.

    Args:
        url: the address.
        patience_s: how long a connection or an answer may take, in seconds.
    """

    url: str
    patience_s: float
    _connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; more than the bound is cut and so no answer."""
        parts = urlsplit(self.url)
        kept = self._connection is not None
        connection = self._connection or self._connected(parts)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read(MOST_ANSWERED_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if kept and isinstance(error, _LET_GO):  # of an idle connection
                return self.post(body)
            raise
        if len(data) > MOST_ANSWERED_BYTES or answer.will_close:
            self.close()
        if len(data) > MOST_ANSWERED_BYTES:
            raise ValueError("the answer is too long")
        return answer.status, data

    def _connected(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", _port(parts)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=self.patience_s, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=self.patience_s)
        return self._connection

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Record:
    """What was disclosed and what came back, as JSON lines that are only ever added to.

    Args:
        descriptor: of the file, open for appending.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def note(self, **told: Any) -> None:
        """Add a line. Raises `OSError` when the record is full."""
        line = json.dumps({"at": dt.datetime.now(dt.UTC).isoformat(), **told}).encode() + b"\n"
        if os.fstat(self._descriptor).st_size + len(line) > MOST_RECORD_BYTES:
            raise OSError("the record is full")
        os.write(self._descriptor, line)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def exchanged(body: bytes, far: Far, record: Record) -> dict[str, Any]:
    """Post one body and write it down; what the client is told."""
    host = host_of(far.url)
    record.note(asked=body.decode(errors="replace"), host=host, digest=_digest(body))
    begun = time.monotonic()
    try:
        status, data = far.post(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        told = f"{type(error).__name__}: {error}"[:300]
        record.note(failed=told, host=host)
        return {"error": told}
    text = data.decode(errors="replace")
    took_ms = round((time.monotonic() - begun) * 1000, 1)
    record.note(answered=text, status=status, digest=_digest(data), took_ms=took_ms, host=host)
    return {"status": status, "body": text}


def lines(line: socket.socket) -> Iterator[bytes]:
    """What the client writes, line by line, until it ends or writes too long a one."""
    held = b""
    while data := line.recv(1 << 16):
        held += data
        while b"\n" in held:
            whole, _, held = held.partition(b"\n")
            yield whole
        if len(held) > MOST_ASKED_BYTES:
            return


def main(arguments: list[str]) -> int:
    """Serve one client: descriptors of line and record, the address, seconds of patience."""
    line_number, record_number, url, patience_s = arguments
    far, record = Far(url, float(patience_s)), Record(int(record_number))
    with socket.socket(fileno=int(line_number)) as line:
        for body in lines(line):
            line.sendall(json.dumps(exchanged(body, far, record)).encode() + b"\n")
    far.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
