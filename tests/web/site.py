"""A whole hub on a loopback port, with people who push, sign in and answer for engines."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import uvicorn

from bayanihan.app import create_app
from bayanihan.core import moment
from bayanihan.core.receipt import Receipt, State, sign
from bayanihan.core.signing import SigningKey
from bayanihan.hub import Hub

T = TypeVar("T")
PATIENCE_S = 30.0
NOW = "2026-11-22T08:00:00.000Z"


def eventually(found: Callable[[], T]) -> T:
    """The first true answer; what it was at last, when it never came true."""
    until_s = time.monotonic() + PATIENCE_S
    while not (answer := found()) and time.monotonic() < until_s:
        time.sleep(0.02)
    return answer


def indicator(value: str, *, name: str = "", **more: Any) -> dict[str, Any]:
    """An indicator for one domain name."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": NOW,
        "modified": NOW,
        "name": name or f"names {value}",
        "pattern": f"[domain-name:value = '{quoted}']",
        "pattern_type": "stix",
        "valid_from": NOW,
        **more,
    }


class Site:
    """The hub and its server. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = Hub(folder)
        self.admin = (folder / "admin.key").read_text().strip()
        config = uvicorn.Config(
            create_app(self.hub), host="127.0.0.1", port=0, log_level="warning", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="site", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert eventually(lambda: self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.hub.close()

    def client(self, key: str = "") -> httpx.Client:
        """A client with a key, or without any."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)

    def send(self, method: str, path: str, key: str = "", **options: Any) -> Any:
        """One request that must succeed; its JSON."""
        with self.client(key or self.admin) as client:
            return client.request(method, path, **options).raise_for_status().json()

    def key(self, member: str, constituent: str = "", *, scopes: str = "") -> str:
        """A new key of a member, or of a constituent of it, which is added."""
        if constituent:
            place = f"/api/members/{member}/constituents"
            self.send("POST", place, json={"name": constituent, "title": f"{constituent} & sons"})
        order = {
            "member": member,
            "constituent": constituent,
            "scopes": (scopes or "report read feed receipt").split(),
        }
        return str(self.send("POST", "/api/keys", json=order)["key"])

    def push(self, key: str, *objects: dict[str, Any], **terms: Any) -> str:
        """Push objects, wait until the feeds have them, and give the first one's id."""
        answer = self.send("POST", "/api/objects", key, json={"objects": objects}, params=terms)
        assert answer["refused"] == 0, answer
        self.settle()
        return str(objects[0]["id"])

    def settle(self) -> None:
        """Wait until everything that was entered is folded."""
        assert eventually(lambda: self.hub.active.position >= self.hub.ledger.length)

    def answer_for(self, key: str, feed: str, state: State = "probed") -> None:
        """A defender's receipt for the present version of a feed."""
        with self.client(key) as client:
            version = client.get(f"/feeds/{feed}").raise_for_status()
            receipt = Receipt(
                feed=feed,
                cursor=version.headers["Bayanihan-Cursor"],
                digest=version.headers["Bayanihan-Digest"].removeprefix("sha-256="),
                state=state,
                at=moment.render(time.time_ns() // 1_000),
            )
            signed = sign(receipt, SigningKey(key.encode()[-32:]))
            client.post("/api/receipts", json=signed).raise_for_status()

    @contextlib.contextmanager
    def signed_in(self, key: str) -> Iterator[httpx.Client]:
        """A browser's client: a session's cookie and no key."""
        with self.client() as client:
            answer = client.post("/sign-in", data={"key": key}, headers={"Origin": self.url})
            assert answer.status_code == 303, answer.text
            yield client
