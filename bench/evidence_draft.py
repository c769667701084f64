"""From a mail to a draft: over HTTP through a real hub, and over all real phishing mails."""

from __future__ import annotations

import os
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from bayanihan.intake.evidence import Reader
from bench.evidence_text import SHARED
from bench.goals import Board
from bench.server import Hub
from tests.core.lures import FOLDER

_MAILS_S = 200
_WARM = 5


def mails_over_http(board: Board, count: int) -> None:
    """The frozen lure as a form to a hub of its own, one after the other; every draft is kept."""
    data = (FOLDER / "lure-th.eml").read_bytes()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        hub = Hub(Path(folder) / "hub")
        try:
            hub.open()
            headers = {"Authorization": f"Bearer {hub.writer}"}
            with httpx.Client(base_url=hub.url, headers=headers, timeout=60) as client:
                _sent(client, data, _WARM)
                before_s = _cpu_s(hub.pid)
                took = _sent(client, data, count)
                used_s = (_cpu_s(hub.pid) - before_s) / count
        finally:
            hub.kill()
    p95_s = took[int(count * 0.95)]
    print(
        f"mail to draft over HTTP: {count} mails, p50 {took[count // 2] * 1e3:.1f} ms, p95"
        f" {p95_s * 1e3:.1f} ms; {used_s * 1e3:.1f} ms of a core each, hub and reader together, so"
        f" {_MAILS_S} mails/s take {_MAILS_S * used_s:.1f} cores"
    )
    board.plain("E6-mail", p95_s * 1e3)


def _sent(client: httpx.Client, data: bytes, count: int) -> list[float]:
    took = []
    for _ in range(count):
        began_s = time.perf_counter()
        answer = client.post("/api/reports", files={"file": ("lure.eml", data)})
        took.append(time.perf_counter() - began_s)
        if answer.status_code != 201:
            raise ValueError(f"no draft was made: {answer.text[:500]}")
    return sorted(took)


def real_mails(board: Board) -> None:
    """Every mail of the phishing pot and of the public fixtures through the reader."""
    reader = Reader()
    took: list[tuple[float, str]] = []
    ended = late = 0
    try:
        reader.examine(b"warm up")
        for name, data in _mails():
            began_s = time.perf_counter()
            found = reader.examine(data)
            took.append((time.perf_counter() - began_s, name))
            ended += any("ended while" in each for each in found.left_out)
            late += any("not read within" in each for each in found.left_out)
        memory_mib = max((_peak_mib(pid) for pid in _children(os.getpid())), default=0.0)
    finally:
        reader.stop()
    if not took:
        print("real mails: not beside this checkout")
        return
    took.sort()
    slowest_s, name = took[-1]
    print(
        f"real mails: {len(took)}, p50 {took[len(took) // 2][0] * 1e3:.1f} ms, p95"
        f" {took[int(len(took) * 0.95)][0] * 1e3:.1f} ms, the slowest {slowest_s:.2f} s ({name});"
        f" {ended} ended the reader, {late} took too long; peak {memory_mib:.0f} MiB"
    )
    board.plain("E7-slowest", slowest_s if not ended + late else float("inf"))
    board.plain("E7-memory", memory_mib)


def _mails() -> Iterator[tuple[str, bytes]]:
    for place in ("restricted/phishing_pot.tar.gz", "lures/spamassassin-testmails.tar.gz"):
        path = SHARED / place
        if path.exists():
            with tarfile.open(path) as archive:
                yield from _members(archive)


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        file = archive.extractfile(member) if member.isfile() else None
        if file is not None:
            yield member.name, file.read()


def _children(pid: int) -> Sequence[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(each) for each in (task / "children").read_text().split()]
    return found


def _cpu_s(pid: int) -> float:
    """Processor time of a process and its children, in seconds."""
    total_ns = 0
    for each in [pid, *_children(pid)]:
        for task in Path(f"/proc/{each}/task").iterdir():
            total_ns += int((task / "schedstat").read_text().split()[0])
    return total_ns / 1e9


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
