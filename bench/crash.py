"""P16: killed in mid-ingest, the hub has lost nothing that it acknowledged."""

from __future__ import annotations

import time

from bench.children import Load, load
from bench.run import Run
from bench.server import Hub

GOALS = ("P16-lost", "P16-verify")
ROUNDS = 3
_COUNT, _SIZE, _CONNECTIONS = 60_000, 100, 8
_FIRST_KILL_S, _NEXT_KILL_S = 0.4, 0.35


def _lost(run: Run, hub: Hub, after: str, number: int) -> tuple[int, str]:
    """One round: acknowledged objects that are gone, and the cursor behind what is there."""
    order = Load(
        do="ingest",
        url=hub.url,
        key=hub.writer,
        seed=f"crash {number} {time.time_ns()}",
        size=_SIZE,
        count=_COUNT,
        connections=_CONNECTIONS,
        ids=True,
    )
    order.begun()
    time.sleep(_FIRST_KILL_S + number * _NEXT_KILL_S)
    hub.kill()
    answer = order.answer()
    back_s = hub.start(Hub.READY)
    seen = load(do="walk", url=hub.url, key=hub.reader, after=after, ids=True)
    lost = set(answer["acknowledged"]) - set(seen["ids"])
    run.keep(
        "crash",
        {
            "acknowledged": len(answer["acknowledged"]),
            "there": seen["count"],
            "lost": len(lost),
            "in_mid_ingest": answer["broken"],
            "back_s": back_s,
        },
    )
    run.say(
        f"kill -9 after {len(answer['acknowledged']):,} acknowledged: {seen['count']:,} there,"
        f" {len(lost)} lost, ready again in {back_s:.2f} s"
    )
    if not answer["broken"]:
        run.say("the load had ended before the kill; this round shows less than it should")
    return len(lost), seen["next"]


def measure(run: Run, hub: Hub) -> None:
    """Rounds of kill -9, then the checker over what is left. The hub is stopped after it."""
    after = load(do="walk", url=hub.url, key=hub.reader)["next"]
    total = 0
    for number in range(ROUNDS):
        lost, after = _lost(run, hub, after, number)
        total += lost
    run.board.plain("P16-lost", total)
    hub.kill()
    ok, told = hub.verify()
    run.board.plain("P16-verify", 0 if ok else 1)
    run.say(f"verify after kill -9: {told}")
