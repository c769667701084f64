"""P12 at rest and P13: what a hub weighs empty, and how soon it serves again."""

from __future__ import annotations

import statistics

from bench.run import Run
from bench.server import Hub

GOALS = ("P12-rest", "P13-clean", "P13-crash")
REPEATS = 3
_FIRST_OBJECT = "/api/objects?limit=1"
_OBJECT = b'"id":"'


def at_rest(run: Run, hub: Hub) -> None:
    """The memory of a hub that has just been started on an empty directory."""
    hub.settle()
    mib = hub.pss_mib()
    run.board.plain("P12-rest", mib)
    run.say(f"at rest: {mib:.0f} MiB")


def again(run: Run, hub: Hub) -> None:
    """Stop or kill, start, and time from exec to the first object served.

    The hub is left running.
    """
    times_s: dict[str, list[float]] = {"clean": [], "crash": []}
    for _ in range(REPEATS):
        hub.stop()
        times_s["clean"].append(hub.start(_FIRST_OBJECT, hub.reader, _OBJECT))
        hub.kill()
        times_s["crash"].append(hub.start(_FIRST_OBJECT, hub.reader, _OBJECT))
    run.keep("start", times_s)
    for how, some in times_s.items():
        run.board.plain(f"P13-{how}", statistics.median(some))
    clean, crash = (statistics.median(some) for some in times_s.values())
    run.say(f"start: {clean:.2f} s after a clean stop, {crash:.2f} s after kill -9")
