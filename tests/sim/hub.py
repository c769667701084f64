"""A hub in one process: serves feeds and takes receipts over real HTTP, and can misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from bayanihan.core.feed_delta import MEDIA_TYPE
from bayanihan.core.receipt import Receipt, opened


def zone(number: int, *names: str) -> bytes:
    """A policy zone of version `number` that blocks `names`."""
    lines = [
        "; Bayanihan feed: rpz.zone",
        f"; items: {len(names)}, held: 0, not expressed: 0",
        "$TTL 60",
        f"@ SOA localhost. hostmaster.localhost. {number} 60 60 432000 60",
        "@ NS localhost.",
        f'canary.bayanihan TXT "version-{number}"',
        *(f"{name} CNAME .\n*.{name} CNAME ." for name in names),
        "",
    ]
    return "\n".join(lines).encode()


@dataclass
class SimulatedHub:
    """The hub. Set its fields to change what it does next.

    `feeds` maps a feed to its bytes and cursor. `fault` is "" or how a feed is spoilt:
    `cut`, `empty`, `bent`, `bare` (no digest), `coded` (no gzip, but said to be), `status`
    (answers `status`). `deltas` are what is answered for `since`, by cursor. `refusal` is a
    code that receipts are refused with.
    """

    feeds: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    fault: str = ""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None
    receipts: list[Receipt] = field(default_factory=list)
    publics: set[bytes] = field(default_factory=set)
    fetched: list[int] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    authorization: str = ""
    deltas: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"simulated": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def publish(self, body: bytes, feed: str = "rpz.zone") -> str:
        """A new version of a feed; its digest."""
        digest = hashlib.sha256(body).hexdigest()
        self.feeds[feed] = (body, f"cursor-{digest[:12]}")
        self.served.add(digest)
        return digest

    def cursor(self, feed: str = "rpz.zone") -> str:
        return self.feeds[feed][1]

    @property
    def states(self) -> list[str]:
        return [receipt.state for receipt in self.receipts]


class _Handler(BaseHTTPRequestHandler):
    simulated: SimulatedHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        hub = self.simulated
        hub.authorization = self.headers.get("Authorization", "")
        feed, _, query = self.path.removeprefix("/feeds/").partition("?")
        delta = hub.deltas.get(query.removeprefix("since="))
        if hub.fault == "status":
            self._answer(hub.status, b"<html>no</html>", hub.headers)
        elif feed not in hub.feeds:
            self._refuse(404, "not-found")
        elif delta is not None:
            hub.fetched.append(226)
            headers = {"Content-Type": MEDIA_TYPE, "Bayanihan-Cursor": hub.cursor(feed)}
            self._answer(200, delta, headers)
        else:
            self._serve(*hub.feeds[feed])

    def _serve(self, body: bytes, cursor: str) -> None:
        hub = self.simulated
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "ETag": f'"{digest[:20]}"',
            "Bayanihan-Cursor": cursor,
            "Bayanihan-Digest": f"sha-256={digest}",
        }
        if self.headers.get("If-None-Match") == headers["ETag"]:
            hub.fetched.append(304)
            self._answer(304, b"", headers)
            return
        hub.fetched.append(200)
        if hub.fault == "bare":
            del headers["Bayanihan-Digest"]
        if hub.fault == "coded":
            headers["Content-Encoding"] = "gzip"
        sent = {"empty": b"", "bent": body[:-1] + b"!", "cut": body[: len(body) // 2]}
        length = len(body) if hub.fault == "cut" else None
        self._answer(200, sent.get(hub.fault, body), headers, length)
        self.close_connection = hub.fault == "cut"

    def do_POST(self) -> None:
        hub = self.simulated
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if hub.refusal:
            self._refuse(*hub.refusal)
            return
        receipt, public = opened(document)
        hub.receipts.append(receipt)
        hub.publics.add(public)
        self._answer(200, b"{}", {})

    def _refuse(self, status: int, code: str) -> None:
        error = {"code": code, "message": f"told {code}", "next_step": "do it", "where": "here"}
        self._answer(status, json.dumps({"error": error}).encode(), {})

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str], length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
