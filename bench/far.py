"""The same over a bad line: 300 ms there and back, and every hundredth packet lost.

`python -m bench.line -- python -m bench.far FOLDER` runs beside a line and prints what it
found as JSON; `measure` starts that and judges it. Hub and floors are reached over the line
and without it, in the same run: what the line costs stands beside what it must cost anybody.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.children import ChildFailed, Crowd, load
from bench.line import FAR, inside, refusal
from bench.polling import CROWDS, ours, theirs, turn
from bench.run import Run
from bench.server import EVERYWHERE, LOOPBACK, ROOT, Hub, Server, environment, floor, push_floor
from bench.subscribers import raise_file_limit
from bench.taxii_load import EVERYTHING, ask, newest

STREAM = "/api/stream?after=now"
_WITHIN_S = 900.0

Figures = dict[str, Any]


class Trip(msgspec.Struct, frozen=True):
    """How large the measurement is: polls, reports, subscribers -> reports, stream readers."""

    polls: int = 25
    reports: int = 10
    subscribers: dict[int, int] = msgspec.field(default_factory=lambda: {1: 5, 1_000: 4, 10_000: 2})
    streams: int = 1_000


def _at(server: Server, host: str) -> str:
    return server.url.replace(LOOPBACK, host)


def _single(hub: Hub, ground: Server, host: str, trip: Trip) -> Figures:
    """One client: empty polls, and submissions until they are seen."""
    mine, below = _at(hub, host), _at(ground, host)
    tail = load(do="walk", url=ground.url)["next"]
    place = {"url": mine, "path": EVERYTHING}
    return {
        "poll": ask(do="poll", key=hub.reader, count=trip.polls, **place),
        "floor poll": load(do="poll", url=below, after=tail, count=trip.polls),
        "visible": ask(
            do="visible",
            key=hub.writer,
            read_key=hub.reader,
            added_after=newest(hub.url, hub.writer),
            count=trip.reports,
            seed=f"visible {host}",
            **place,
        ),
        "floor visible": load(
            do="visible", url=below, after=tail, count=trip.reports, seed=f"floor {host}"
        ),
    }


def _crowds(hub: Hub, ground: Server, host: str, trip: Trip) -> Figures:
    found: Figures = {}
    for count, reports in trip.subscribers.items():
        with theirs(ground, _at(ground, host), f"floor {host} {count}") as people:
            found[f"floor {count}"] = turn(people, ground, count, reports)
        with ours(hub, _at(hub, host), f"{host} {count}") as people:
            found[str(count)] = turn(people, hub, count, reports)
    return found


def _pushed(hub: Hub, raw: Server, host: str, trip: Trip) -> Figures:
    """Streams: raw sockets and the hub's."""
    reports = 4
    with Crowd(url=_at(raw, host), path="/stream", seed=f"raw {host}") as people:
        below = turn(people, raw, trip.streams, reports)
    keys = {"key": hub.writer, "read_key": hub.reader}
    with Crowd(url=_at(hub, host), path=STREAM, seed=f"push {host}", **keys) as people:
        return {"floor pushed": below, "pushed": turn(people, hub, trip.streams, reports)}


def travelled(folder: Path, trip: Trip) -> Figures:
    """Both ways to the same servers; only within a namespace that has a line."""
    hub = Hub(folder / "hub", EVERYWHERE)
    ground, raw = floor(folder, EVERYWHERE), push_floor(folder, EVERYWHERE)
    try:
        hub.open()
        ground.start("/api/objects")
        raw.start()
        found = {}
        for name, host in (("near", LOOPBACK), ("far", FAR)):
            found[name] = {
                **_single(hub, ground, host, trip),
                **_crowds(hub, ground, host, trip),
                **_pushed(hub, raw, host, trip),
            }
        return found
    finally:
        for server in (hub, ground, raw):
            server.kill()


def measure(run: Run, trip: Trip) -> None:
    """P6, P7, P8, P11 over the line; skipped, with the reason, where none can be had."""
    why = refusal()
    if why:
        run.say(f"no bad line can be had here: {why}")
        for goal in run.board.goals:
            if "-line" in goal:
                run.board.skip(goal, f"skipped: {why}")
        return
    order = msgspec.json.encode(trip).decode()
    done = subprocess.run(
        inside(sys.executable, "-m", "bench.far", str(run.folder_for("far")), order),
        capture_output=True,
        cwd=ROOT,
        env=environment(),
        timeout=_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise ChildFailed(done.stderr.decode(errors="replace")[-1_500:])
    run.say(done.stderr.decode().strip().splitlines()[-1])
    judge(run, msgspec.json.decode(done.stdout), trip)


def judge(run: Run, found: Figures, trip: Trip) -> None:
    """Hold it against the goals; both figures of the hub are told, near and far."""
    near, far = found["near"], found["far"]
    run.keep("line", found)
    for goal, name in (("P6-line", "poll"), ("P7-line", "visible")):
        run.board.beside(goal, far[name]["p50_ms"], far[f"floor {name}"]["p50_ms"])
    missed = far["pushed"]["missed"]
    for name, count in zip(CROWDS, trip.subscribers, strict=True):
        missed += far[str(count)]["missed"]
        last, below = far[str(count)]["last_ms"], far[f"floor {count}"]["last_ms"]
        run.board.beside(f"P8-line-{name}", last, below)
    pushed = far["pushed"]["last_ms"], far["floor pushed"]["last_ms"]
    run.board.beside("P8-line-push", *pushed)
    run.board.plain("P8-line-missed", missed)
    most = str(max(trip.subscribers))
    run.board.beside("P11-line", far[most]["cpu_us"], near[most]["cpu_us"])
    for name in ("poll", "visible", *map(str, trip.subscribers), "pushed"):
        kind = "p50_ms" if name in ("poll", "visible") else "last_ms"
        figures = [side[key][kind] for side in (near, far) for key in (name, f"floor {name}")]
        run.say(
            f"line, {name}: near {figures[0]:.2f} ms (floor {figures[1]:.2f}),"
            f" far {figures[2]:.0f} ms (floor {figures[3]:.0f})"
        )


if __name__ == "__main__":
    raise_file_limit()
    wanted = msgspec.json.decode(sys.argv[2], type=Trip)
    sys.stdout.buffer.write(msgspec.json.encode(travelled(Path(sys.argv[1]), wanted)))
