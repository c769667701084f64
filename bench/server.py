"""Servers under measurement: started as an operator would start them, watched through /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec

from bench.wire import Connection, Target

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
_START_WITHIN_S = 60.0
# A measurement asks more than any desk does: its keys have a rate of their own.
UNLIMITED = {"requests_per_s": 1_000_000, "in_flight": 20_000}
_STOP_WITHIN_S = 60.0
_PAUSE_S = 0.003


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """This environment, with the checkout's packages in reach."""
    paths = [str(ROOT / "src"), str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


class Server:
    """One server process.

    Args:
        command: its program and arguments.
        port: where it will listen.
        log: where its output goes.
        variables: what its environment has besides ours.
    """

    def __init__(
        self, command: list[str], port: int, log: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self._environment = {**environment(), **(variables or {})}
        self.command = command
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, path: str = "", key: str = "", wanted: bytes = b"") -> float:
        """Start it; seconds from exec to the first 200 at `path` with `wanted` in its body.

        Without a path it only has to listen.

        Raises:
            TimeoutError: when it does not answer so within a minute, or ends before.
        """
        with self._log.open("ab") as log:
            began_s = time.perf_counter()
            self._process = self._launch(log)
        target = Target.of(self.url, key)
        while time.perf_counter() - began_s < _START_WITHIN_S:
            if self._answers(target, path, wanted):
                return time.perf_counter() - began_s
            if self._process.poll() is not None:
                break
            time.sleep(_PAUSE_S)
        self.kill()
        raise TimeoutError(f"{' '.join(self.command)} did not start:\n{self.told()}")

    def told(self) -> str:
        """The last of what it wrote."""
        return self._log.read_text(errors="replace")[-1_500:]

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environment
        )

    @staticmethod
    def _answers(target: Target, path: str, wanted: bytes) -> bool:
        try:
            connection = Connection(target)
        except OSError:
            return False
        try:
            status, body = connection.exchange(target.request("GET", path)) if path else (200, b"")
        except OSError:
            return False
        finally:
            connection.close()
        return status == 200 and wanted in body

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it as an operator would, and wait; kill it when it does not end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning, and wait."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    # what the kernel says

    def cpu_s(self) -> float:
        """Processor time that all its threads have had, to the nanosecond."""
        total_ns = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            total_ns += int((task / "schedstat").read_text().split()[0])
        return total_ns / 1e9

    def pss_mib(self) -> float:
        """Its proportional share of memory, in MiB."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        raise ValueError("the kernel does not say the memory of a process")

    def settle(self, limit_s: float = 3_600.0) -> float:
        """Wait until it is idle (under a tenth of a processor); how long that took, in s.

        Raises:
            TimeoutError: when it is still at work after `limit_s`: a figure taken beside that
                work would be another figure.
        """
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < limit_s:
            before_s = self.cpu_s()
            time.sleep(0.5)
            if self.cpu_s() - before_s < 0.05:
                return time.perf_counter() - began_s
        raise TimeoutError(f"{' '.join(self.command)} was never idle in {limit_s:.0f} s")


def command() -> list[str]:
    """The public command, as installed beside this interpreter."""
    installed = Path(sys.executable).with_name("bayanihan")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "bayanihan"]


class Hub(Server):
    """A hub on a data directory, with default settings; its keys are made on the first start."""

    READY = "/health/ready"

    def __init__(self, data: Path, host: str = LOOPBACK) -> None:
        port = free_port()
        line = [*command(), "up", "--data", str(data), "--host", host, "--port", str(port)]
        super().__init__(line, port, data.with_suffix(".log"))
        self.data = data
        self.writer = ""
        self.reader = ""

    def open(self) -> float:
        """Start it and make the two keys of the measurements; seconds to ready."""
        took_s = self.start(self.READY)
        admin = Target.of(self.url, (self.data / "admin.key").read_text().strip())
        self.writer = self._key(admin, {"member": "SG", "scopes": ["report", "read"]})
        self.reader = self._key(admin, {"member": "MY", "scopes": ["read"]})
        return took_s

    def settle(self, limit_s: float = 3_600.0) -> float:
        """Wait until all is folded, and it is idle then; how long that took, in s.

        A hub that waits for its disk looks idle as well, so it is asked.
        """
        began_s = time.perf_counter()
        while any(self._lags()):
            if time.perf_counter() - began_s > limit_s:
                raise TimeoutError(f"the projections were never level in {limit_s:.0f} s")
            time.sleep(1.0)
        super().settle(limit_s)
        return time.perf_counter() - began_s

    def _lags(self) -> list[float]:
        admin = Target.of(self.url, (self.data / "admin.key").read_text().strip())
        connection = Connection(admin)
        status, body = connection.exchange(admin.request("GET", "/metrics"))
        connection.close()
        lines = [
            line
            for line in body.decode().splitlines()
            if line.startswith("bayanihan_projection_lag")
        ]
        if status != 200 or not lines:
            raise ValueError(f"the hub does not tell how far its projections are: {status}")
        return [float(line.rsplit(" ", 1)[1]) for line in lines]

    @staticmethod
    def _key(admin: Target, order: dict[str, object]) -> str:
        connection = Connection(admin)
        order = {**order, "limits": UNLIMITED}
        request = admin.request("POST", "/api/keys", msgspec.json.encode(order))
        status, body = connection.exchange(request)
        connection.close()
        if status != 201:
            raise ValueError(f"no key was made: {status} {body!r}")
        return str(msgspec.json.decode(body)["key"])

    def verify(self) -> tuple[bool, str]:
        """What `bayanihan verify` says of the data directory, and its last line."""
        line = [*command(), "verify", "--data", str(self.data)]
        done = subprocess.run(line, capture_output=True, text=True, env=environment(), check=False)
        told = (done.stdout or done.stderr).strip().splitlines()
        return done.returncode == 0, told[-1] if told else ""


def floor(folder: Path, host: str = LOOPBACK) -> Server:
    """The floor that stores and reads."""
    port = free_port()
    line = [sys.executable, "-m", "bench.floor", "app", "--host", host, "--port", str(port)]
    return Server([*line, "--db", str(folder / "floor.db")], port, folder / "floor.log")


def push_floor(folder: Path, host: str = LOOPBACK) -> Server:
    """The floor that pushes."""
    port = free_port()
    line = [sys.executable, "-m", "bench.floor", "push", "--host", host, "--port", str(port)]
    return Server(line, port, folder / "push.log")
