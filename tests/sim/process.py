"""A real hub: `bayanihan up` as its own process, on a free port, with helpers to speak to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import httpx

from bayanihan.commands.verify import verified
from tests.sim import warm

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 30.0
# Where hubs are reached; over a bad line (`bench.line`) it is not the loopback.
LOOPBACK = "127.0.0.1"
HOST = os.environ.get("HUB_HOST", LOOPBACK)
ALL_SCOPES = ("report", "read", "feed", "receipt", "notice")


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the package on the path and no hub or key named.

    Compiled files are kept: half of a start would go into compiling the package anew.
    """
    left_out = re.compile("BAYANIHAN|^PYTHONDONTWRITEBYTECODE$")
    kept = {name: value for name, value in os.environ.items() if not left_out.search(name)}
    return kept | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"} | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout_s: float = 60.0,
) -> subprocess.CompletedProcess[bytes]:
    """Run one `bayanihan` command to its end."""
    with tempfile.TemporaryDirectory() as kept:
        given, said, told = (Path(kept, name) for name in ("in", "out", "err"))
        given.write_bytes(stdin)
        process = warm.begin(
            [*map(str, words)], environment(**(env or {})), (given, said, told), folder=cwd
        )
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, code, said.read_bytes(), told.read_bytes())


@dataclass(frozen=True)
class Stopped:
    """How a hub ended: its exit code, how long that took, and what it had to say."""

    code: int
    after_s: float
    stderr: str


def is_ready(client: httpx.Client) -> bool:
    """Whether a hub answers that it is ready."""
    with contextlib.suppress(httpx.TransportError):
        return client.get("/health/ready").status_code == 200
    return False


@dataclass
class RunningHub:
    """One hub process on a data directory.

    Args:
        data: the data directory, made when absent.
        options: further words for `up`.
        ready_within_s: how long a start or an end may take on a machine that others load too.
        host, inside: where it is reached, and the words before a command that runs there.
    """

    data: Path
    options: Sequence[str] = ()
    port: int = 0
    ready_within_s: float = READY_WITHIN_S
    host: str = HOST
    inside: Sequence[str] = ()
    _process: warm.Process | None = field(init=False, default=None)

    @property
    def process(self) -> warm.Process:
        assert self._process is not None, "the hub was not started"
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, open_files: int = 0) -> Self:
        """Start it and wait until it is ready; `open_files` bounds what it may open."""
        self.launch(open_files=open_files)
        self.wait_ready()
        return self

    def launch(self, *, open_files: int = 0) -> None:
        """Start the process and do not wait."""
        everywhere = [] if self.host == LOOPBACK else ["--host", "0.0.0.0"]
        self.port = self.port or free_port()
        words = ["up", "--data", str(self.data), "--port", str(self.port)]
        words += [*everywhere, *self.options]
        if self.inside:
            self._launch_inside(words)
            return
        streams = (os.devnull, os.devnull, self._errors)
        self._process = warm.begin(words, environment(), streams, open_files=open_files)

    def _launch_inside(self, words: Sequence[str]) -> None:
        """Start it elsewhere, where nothing is that was forked here."""
        with self._errors.open("ab") as errors:
            cold = subprocess.Popen(
                [*self.inside, sys.executable, "-m", "bayanihan", *words],
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self._process = cast("warm.Process", cold)

    def wait_ready(self) -> None:
        until_s = time.monotonic() + self.ready_within_s
        with self.client() as client:
            while time.monotonic() < until_s:
                assert self.running, f"the hub ended: {self.stderr()}"
                if is_ready(client):
                    return
                time.sleep(0.03)
        raise AssertionError(
            f"the hub was not ready within {self.ready_within_s} s: {self.stderr()}"
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def admin(self) -> str:
        return (self.data / "admin.key").read_text().strip()

    @property
    def _errors(self) -> Path:
        return self.data.parent / f"{self.data.name}.stderr"

    def stderr(self) -> str:
        return self._errors.read_text(errors="replace")

    def peak_memory_bytes(self) -> int:
        """The most memory that the process ever had resident (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> Stopped:
        """Ask it to end, and wait until it has."""
        began_s = time.monotonic()
        self.process.send_signal(sent)
        code = self.process.wait(max(30.0, self.ready_within_s))
        return Stopped(code, time.monotonic() - began_s, self.stderr())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def check(self) -> None:
        """The checker finds nothing wrong."""
        report = verified(self.data)
        assert report.faults == []

    # speaking to it

    @contextmanager
    def client(self, key: str = "", **options: Any) -> Iterator[httpx.Client]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # No certificates are read for plain HTTP: that would take most of the time.
        options = {"timeout": 30.0, "headers": headers, "verify": False, **options}
        with httpx.Client(base_url=self.url, trust_env=False, **options) as client:
            yield client

    def ask(self, method: str, path: str, key: str = "", **options: Any) -> httpx.Response:
        """One request on a connection of its own."""
        with self.client(key) as client:
            return client.request(method, path, **options)

    def key(self, member: str = "", *, scopes: Iterable[str] = ALL_SCOPES, **more: str) -> str:
        """The text of a new key."""
        order = {"member": member, "scopes": list(scopes), **more}
        answer = self.ask("POST", "/api/keys", self.admin, json=order)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])

    def constituent(self, member: str, name: str) -> None:
        path = f"/api/members/{member}/constituents"
        answer = self.ask("POST", path, self.admin, json={"name": name})
        assert answer.status_code == 201, answer.text

    def group(self, name: str, *members: str) -> None:
        answer = self.ask("POST", f"/api/groups/{name}", self.admin, json={"members": members})
        assert answer.status_code == 200, answer.text

    def push(self, key: str, *objects: Mapping[str, Any], **params: Any) -> dict[str, Any]:
        """Submit objects; the hub's answer."""
        body = json.dumps({"objects": objects}).encode()
        return self.push_bytes(key, body, **params)

    def push_bytes(self, key: str, body: bytes, **params: Any) -> dict[str, Any]:
        answer = self.ask("POST", "/api/objects", key, content=body, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def objects(self, key: str = "", limit: int = 1_000) -> list[dict[str, Any]]:
        """Everything that a key may see, page by page."""
        found: list[dict[str, Any]] = []
        after, more = "", True
        with self.client(key) as client:
            while more:
                params: dict[str, str | int] = {"after": after, "limit": limit}
                answer = client.get("/api/objects", params=params)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                found += page["objects"]
                after, more = page["next"], page["more"]
        return found

    def ids(self, key: str = "") -> list[str]:
        return [each["id"] for each in self.objects(key)]
