"""The loop of one hub, measured: report, store, read, push, crash, start again.

The hub is started through the public command with default settings. Floor and hub take
turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bayanihan import __version__
from bayanihan.config import Settings
from bench import crash, growth, ingest, peers, pushing, starting, validation
from bench.goals import Board, load_goals, table
from bench.run import Run
from bench.server import ROOT, Hub, Server, command, floor, push_floor
from bench.subscribers import raise_file_limit

PARTS: dict[str, tuple[str, ...]] = {
    "validation": validation.GOALS,
    "ingest": ingest.GOALS,
    "crash": crash.GOALS,
    "growth": growth.GOALS,
    "pushing": pushing.GOALS,
    "starting": starting.GOALS,
}
"""The parts of the loop, and the goals that each of them judges."""
RESULTS = ROOT / "bench" / "results"


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Kill these servers in the end, whatever happens."""
    try:
        yield
    finally:
        for server in servers:
            server.kill()


def small_hub(run: Run, parts: tuple[str, ...]) -> None:
    """An empty hub and floor: ingest, count, crash."""
    place = run.folder_for("small")
    hub, ground = Hub(place / "hub"), floor(place)
    with running(hub, ground):
        hub.open()
        ground.start("/api/objects")
        if "ingest" in parts:
            held = ingest.measure(run, hub, ground)
            ingest.count_back(run, hub, held)
        if "crash" in parts:
            ground.stop()
            crash.measure(run, hub)


def large_hub(run: Run, parts: tuple[str, ...]) -> None:
    """A hub at rest, then with a floor filled to the run's size: growth, push, start."""
    place = run.folder_for("large")
    hub, ground, raw = Hub(place / "hub"), floor(place), push_floor(place)
    with running(hub, ground, raw):
        hub.open()
        if "starting" in parts:
            starting.at_rest(run, hub)
        ground.start("/api/objects")
        growth.climb(run, hub, ground)
        ground.stop()
        if "pushing" in parts:
            raw.start()
            pushing.measure(run, hub, raw)
            raw.stop()
        if "starting" in parts:
            starting.again(run, hub)


def about(stored: int) -> dict[str, object]:
    """What a result must say to be understood later."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "stored": stored,
    }


def loop(stored: int, parts: tuple[str, ...], peer_pythons: dict[str, str]) -> Run:
    """Measure; print the settings first and the table last.

    Args:
        stored: how many objects the large hub is filled with.
        parts: which of `PARTS` to measure.
        peer_pythons: a peer's name -> an interpreter that has it installed.
    """
    files = raise_file_limit()
    facts = about(stored)
    print(f"hub: {' '.join(command())} up --data DIR --port N")
    print(f"settings, all default: {msgspec.json.encode(Settings()).decode()}")
    print(f"machine: {facts}, open files: {files}")
    with tempfile.TemporaryDirectory(prefix="bayanihan-bench-") as folder:
        run = Run(Path(folder), stored, Board(load_goals(), stored))
        peers.measure(run, peer_pythons)
        if "validation" in parts:
            validation.measure(run)
        if {"ingest", "crash"} & set(parts):
            small_hub(run, parts)
        if {"growth", "pushing", "starting"} & set(parts):
            large_hub(run, parts)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "loop.jsonl").open("ab") as file:
        file.write(run.line(facts))
    print(table(run.board.rows([goal for part in parts for goal in PARTS[part]])))
    return run
