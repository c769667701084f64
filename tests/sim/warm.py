"""Processes that start warm: one interpreter has the package imported and forks for each.

A hub's start is mostly imports, and a run of the tests starts hundreds of hubs and commands.
Each is still a process of its own, with its own files, signals and end: what is forked goes
through `bayanihan.cli.main` with its words and leaves as any interpreter does. Tests of a cold
start call `python -m bayanihan` themselves.

Run as a module this is the server. It is asked over a Unix socket with one line, an `Order`;
it answers with the process's id and, when that has ended, with its exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import random
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from bayanihan.cli import COMMANDS, main

LOOK_S = 0.05


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What to run: the words after `bayanihan`, its surroundings, and its three streams.

    Attributes:
        open_files: the most files that it may open; 0 for what this process may.
    """

    words: list[str]
    environment: dict[str, str]
    folder: str
    streams: tuple[str, str, str]
    open_files: int = 0


class Process:
    """A process that was forked: what `subprocess.Popen` offers, as far as tests use it."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire.makefile("rb")
        self._socket = wire
        self._looking = threading.Lock()
        self.pid = int(self._wire.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def wait(self, timeout_s: float) -> int:
        """Its exit code, once it has ended: negative where a signal ended it.

        Several threads may wait: they look in turns, and each only for a moment.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = until_s - time.monotonic()
            with self._looking:
                self._look(max(0.0, min(left_s, LOOK_S)))
                if self.returncode is not None:
                    return self.returncode
            if left_s <= 0:
                raise subprocess.TimeoutExpired("bayanihan", timeout_s)

    def _look(self, for_s: float) -> None:
        if self.returncode is not None:
            return
        with selectors.DefaultSelector() as ready:
            ready.register(self._socket, selectors.EVENT_READ)
            if not ready.select(for_s):
                return
        self.returncode = int(self._wire.readline())
        self._wire.close()
        self._socket.close()

    def send_signal(self, sent: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sent)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def begin(
    words: Sequence[str],
    environment: Mapping[str, str],
    streams: tuple[Path | str, Path | str, Path | str],
    *,
    folder: Path | None = None,
    open_files: int = 0,
) -> Process:
    """Fork a `bayanihan` process. Its streams are files; the last two are added to."""
    into = str(folder or Path.cwd())
    named = (str(streams[0]), str(streams[1]), str(streams[2]))
    order = Order(list(words), dict(environment), into, named, open_files)
    wire = socket.socket(socket.AF_UNIX)
    wire.connect(str(_server(environment["PYTHONPATH"])))
    wire.sendall(msgspec.json.encode(order) + b"\n")
    return Process(wire)


@cache
def _server(python_path: str) -> Path:
    """The socket of this process's server, which ends when this process does."""
    root = Path(__file__).resolve().parents[2]
    folder = tempfile.TemporaryDirectory(prefix="bayanihan-warm-")
    place = Path(folder.name) / "socket"
    kept = {name: value for name, value in os.environ.items() if "BAYANIHAN" not in name}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.sim.warm", str(place)],
        cwd=root,
        env=kept | {"PYTHONPATH": f"{python_path}:{root}", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def end() -> None:
        server.communicate()
        folder.cleanup()

    atexit.register(end)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n", "no process can be forked from"
    return place


def serve(place: str) -> None:
    """Fork what is asked for until standard input ends; returns in what was forked alone."""
    for where in COMMANDS.values():
        importlib.import_module(where.partition(":")[0])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as ready:
        listener.bind(place)
        listener.listen(16)
        print("ready", flush=True)
        ready.register(listener, selectors.EVENT_READ)
        ready.register(sys.stdin.buffer, selectors.EVENT_READ)
        while True:
            if any(key.fileobj is not listener for key, _ in ready.select()):
                os._exit(0)
            wire, _ = listener.accept()
            if os.fork() == 0:
                break
            wire.close()
    _mind(wire)


def _mind(wire: socket.socket) -> None:
    """Fork once more; here stay with the process to its end, there go on as it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with wire, wire.makefile("rb") as lines:
        order = msgspec.json.decode(lines.readline(), type=Order)
        pid = os.fork()
        if pid:
            wire.sendall(b"%d\n" % pid)
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(BrokenPipeError):
                wire.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
    random.seed()
    for number, name in enumerate(order.streams):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    if order.open_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (order.open_files, order.open_files))
    sys.argv = ["bayanihan", *order.words]
    main()


if __name__ == "__main__":
    serve(sys.argv[1])
