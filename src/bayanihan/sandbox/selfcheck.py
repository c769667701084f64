"""`trial selfcheck`: a tool that wants out tries each limit, and none may give.

The attempts are in `probe/tool.py`. A check is passed when the attempt was stopped, or, for a
tool that keeps state, when the harness noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bayanihan.sandbox.answer import NoAnswer, Question
from bayanihan.sandbox.isolate import Isolator, Limits, Stage
from bayanihan.sandbox.isolate.process import descendants, is_running
from bayanihan.sandbox.tool import load_tool
from bayanihan.sandbox.worker import Worker

LIMITS = Limits(
    memory_bytes=128 << 20,
    processes=24,
    file_bytes=4 << 20,
    scratch_bytes=16 << 20,
    start_s=30,
    # Long, so that no attempt fails because the machine is busy.
    item_s=20,
)
# Of what never answers, only the time limit is tried.
_SHORT = msgspec.structs.replace(LIMITS, item_s=1)
_ENDLESS = "endless-loop"
_LONG_LINE = 10_000_000


class Check(msgspec.Struct, frozen=True):
    """One attempt.

    Attributes:
        name: of the limit.
        stopped: whether the attempt failed.
        by: what stopped it, or what came of it.
    """

    name: str
    stopped: bool
    by: str


@dataclass(frozen=True)
class Outside:
    """What is outside of the sandbox and wanted inside: a secret, a folder, listening sockets."""

    secret: Path
    folder: Path
    tcp: int
    udp: int
    unix: str
    abstract: str


def selfcheck(isolator: Isolator) -> list[Check]:
    """Try everything against one isolator, in order."""
    tool = load_tool(Path(__file__).parent / "probe")
    checks = []
    with _outside() as outside, Stage(tool) as stage:
        for name, text in _attempts(outside).items():
            with Worker(isolator, stage, _SHORT if name == _ENDLESS else LIMITS) as worker:
                checks.append(_tried(worker, name, text))
        with Worker(isolator, stage, _SHORT) as worker:
            checks.append(_stall(worker))
        with Worker(isolator, stage, LIMITS) as worker:
            checks.append(_stubborn(worker))
        with Worker(isolator, stage, LIMITS) as worker, Worker(isolator, stage, LIMITS) as fresh:
            checks.append(_state(worker, fresh))
    return checks


def _attempts(outside: Outside) -> dict[str, str]:
    """Name of each check -> what the probe is told to do."""
    secret = str(outside.secret)
    places = [str(outside.folder / "new"), "/usr/new", "/etc/new", "/new", "/dev/new", "tool.py"]

    def to(family: str, kind: str, *address: object) -> str:
        return f"connect {json.dumps([family, kind, *address])}"

    return {
        "fork-bomb": f"fork_bomb {LIMITS.processes}",
        "memory-bomb": f"memory_bomb {LIMITS.memory_bytes}",
        _ENDLESS: "endless_loop",
        "long-line": f"long_line {_LONG_LINE}",
        "big-file": f"big_file {LIMITS.file_bytes}",
        "tcp": to("AF_INET", "SOCK_STREAM", "127.0.0.1", outside.tcp),
        "udp": to("AF_INET", "SOCK_DGRAM", "127.0.0.1", outside.udp),
        "unix-socket": to("AF_UNIX", "SOCK_STREAM", outside.unix),
        "abstract-socket": to("AF_UNIX", "SOCK_STREAM", outside.abstract),
        "nested-namespace": "nested_namespace",
        "symlink-escape": f"read {secret}",
        "proc-escape": f"through_proc {json.dumps([secret, os.getpid()])}",
        "write-outside": f"write {json.dumps(places)}",
    }


def _question(text: str, number: int = 1) -> Question:
    return Question(str(number), "document", text)


def _tried(worker: Worker, name: str, text: str) -> Check:
    try:
        answer, _ = worker.ask(_question(text))
    except NoAnswer as error:
        return Check(name, True, f"{error.fault}: {error}")
    return Check(name, answer.verdict == "benign", answer.reason)


def _stall(worker: Worker) -> Check:
    """A tool that reads no more, while more is written than a pipe holds."""
    with contextlib.suppress(NoAnswer):
        worker.ask(_question("keep_state"))
    try:
        worker.ask(_question("stop_reading " + "x" * (1 << 20)))
    except NoAnswer as error:
        return Check("stdin-stall", error.fault == "timeout", f"{error.fault}: {error}")
    return Check("stdin-stall", False, "it answered")


def _stubborn(worker: Worker) -> Check:
    """A tool and its child that ignore every signal they can, and must end all the same."""
    worker.start()
    pids = descendants(worker.pid)
    with contextlib.suppress(NoAnswer):
        worker.ask(_question("ignore_signals"))
    pids = sorted({*pids, *descendants(worker.pid)})
    how = worker.stop(grace_s=0.3)
    left = [pid for pid in pids if is_running(pid)]
    by = f"{how}, {len(pids)} processes ended" if not left else f"{len(left)} processes run on"
    return Check("ignored-sigterm", not left, by)


def _state(worker: Worker, fresh: Worker) -> Check:
    """A tool that answers by what it saw before must come out otherwise in a fresh sandbox."""
    try:
        worker.ask(_question("keep_state"))
        second, _ = worker.ask(_question("keep_state", 2))
        alone, _ = fresh.ask(_question("keep_state", 2))
    except NoAnswer as error:
        return Check("state-kept", False, f"could not be tried: {error}")
    noticed = second.verdict != alone.verdict
    by = "a fresh sandbox gave another verdict" if noticed else "the verdicts are the same"
    return Check("state-kept", noticed, by)


@contextlib.contextmanager
def _outside() -> Iterator[Outside]:
    folder = Path(tempfile.mkdtemp(prefix="bayanihan-outside-"))
    folder.chmod(0o777)
    secret = folder / "secret"
    secret.write_text("not for tools")
    secret.chmod(0o644)
    abstract = f"\0bayanihan-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        path = str(folder / "socket")
        for place in (path, abstract):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(place)
            listener.listen(8)
        Path(path).chmod(0o777)
        yield Outside(secret, folder, tcp.getsockname()[1], udp.getsockname()[1], path, abstract)
