"""P1 to P3: how fast objects become durable, by size of envelope, beside the floor."""

from __future__ import annotations

from bench.children import load
from bench.load import Answer, median_of
from bench.run import Run
from bench.server import Hub, Server

GOALS = (
    *("P1-floor", "P1-peer", "P2-floor", "P2-peer", "P3-floor", "P3-burst", "P3-peer"),
    "P16-count",
)
REPEATS = 3
LIMIT_S = 20.0
# size of envelope -> objects in one turn, connections, the goals that a peer stands beside
TURNS: dict[int, tuple[int, int, tuple[str, ...]]] = {
    1: (5_000, 16, ("P1-peer",)),
    100: (20_000, 16, ("P2-peer",)),
    1_000: (40_000, 8, ("P3-burst", "P3-peer")),
}
_FLOOR_GOALS = {1: "P1-floor", 100: "P2-floor", 1_000: "P3-floor"}


def turn(server: Server, key: str, seed: str, size: int, count: int, connections: int) -> Answer:
    """One turn of ingest, with its rate and the server's processor time an object."""
    before_s = server.cpu_s()
    answer = load(
        do="ingest",
        url=server.url,
        key=key,
        seed=seed,
        size=size,
        count=count,
        connections=connections,
        limit_s=LIMIT_S,
    )
    if answer["refused"] or answer["broken"] or not answer["accepted"]:
        raise ValueError(f"not all was taken: {answer['refused']}\n{server.told()}")
    answer["rate"] = answer["accepted"] / answer["elapsed_s"]
    answer["cpu_us"] = (server.cpu_s() - before_s) / answer["accepted"] * 1e6
    return answer


def measure(run: Run, hub: Hub, floor: Server) -> int:
    """Floor and hub in turn, the same objects to both; how many the hub then holds."""
    held = 0
    for size, (count, connections, peers) in TURNS.items():
        ours, theirs = [], []
        for repeat in range(REPEATS):
            seed = f"ingest {size} {repeat}"
            theirs.append(turn(floor, "", seed, size, count, connections))
            ours.append(turn(hub, hub.writer, seed, size, count, connections))
        held += sum(answer["accepted"] for answer in ours)
        rate, ground = median_of(ours, "rate"), median_of(theirs, "rate")
        run.keep(f"ingest {size}", {"ours": ours, "floor": theirs})
        run.board.beside(_FLOOR_GOALS[size], rate, ground)
        for goal in peers:
            run.board.peer(goal, rate, ground)
        run.say(
            f"ingest, envelopes of {size}: {rate:,.0f} objects/s"
            f" ({median_of(ours, 'cpu_us'):.0f} us of processor each), floor {ground:,.0f}"
        )
    return held


def count_back(run: Run, hub: Hub, held: int) -> None:
    """Read everything back and compare the count with what was accepted."""
    seen = load(do="walk", url=hub.url, key=hub.reader)
    run.keep("read back", seen)
    run.board.plain("P16-count", seen["count"] - held)
    rate = seen["count"] / seen["waited_s"]
    run.say(f"read back: {seen['count']:,} of {held:,} objects, {rate:,.0f} objects/s")
