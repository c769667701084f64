"""P8, P11 and P12 a subscriber: one report to one, a thousand, ten thousand open streams."""

from __future__ import annotations

import statistics
from typing import Any

from bench.children import Crowd, Load
from bench.load import median_of
from bench.run import Run
from bench.server import Hub, Server

GOALS = (
    *("P8-1", "P8-1000", "P8-10000", "P8-missed", "P8-slow"),
    *("P11-delivery", "P11-ingest", "P12-subscriber"),
)
STREAM = "/api/stream?after=now"
# subscribers -> reports in one turn
REPORTS = {1: 30, 1_000: 15, 10_000: 5}
REPEATS = 3
_FEW, _NEVER_READ, _FILL_OBJECTS = 200, 20, 400
_BULK_OBJECTS, _BULK_SIZE, _BULK_CONNECTIONS = 40_000, 100, 4
_RATE, _HOLD_S = 50.0, 8.0

Figures = dict[str, Any]


def crowd(hub: Hub, seed: str) -> Crowd:
    """Subscribers of a hub."""
    return Crowd(url=hub.url, key=hub.writer, read_key=hub.reader, path=STREAM, seed=seed)


def _turn(people: Crowd, server: Server, count: int) -> Figures:
    """Open `count` streams, report to them; with memory and processor time of the server."""
    resting_mib = server.pss_mib()
    opened = people.do("open", count=count)
    open_mib = server.pss_mib()
    before_s = server.cpu_s()
    figures = people.do("rounds", count=REPORTS[count])
    spent_s = server.cpu_s() - before_s
    return {
        **figures,
        "opened_s": opened["took_s"],
        "cpu_us": spent_s / figures["deliveries"] * 1e6,
        "kib_each": (open_mib - resting_mib) * 1024 / count,
    }


def fan_out(run: Run, hub: Hub, floor: Server) -> None:
    """Raw sockets and hub in turn, for each number of subscribers."""
    missed, each = 0, {}
    for count in REPORTS:
        ours, theirs = [], []
        for repeat in range(REPEATS):
            with Crowd(url=floor.url, path="/stream", seed=f"raw {count} {repeat}") as people:
                theirs.append(_turn(people, floor, count))
            with crowd(hub, f"push {count} {repeat}") as people:
                ours.append(_turn(people, hub, count))
        missed += sum(figures["missed"] for figures in ours)
        each[count] = ours
        last, ground = median_of(ours, "last_ms"), median_of(theirs, "last_ms")
        run.keep(f"push {count}", {"ours": ours, "floor": theirs})
        run.board.beside(f"P8-{count}", last, ground)
        run.say(
            f"push to {count:,}: p50 {median_of(ours, 'p50_ms'):.2f} ms, last {last:.2f} ms,"
            f" floor {ground:.2f} ms, {median_of(ours, 'cpu_us'):.1f} us of processor each"
        )
    run.board.plain("P8-missed", missed)
    many, some = median_of(each[10_000], "cpu_us"), median_of(each[1_000], "cpu_us")
    run.board.beside("P11-delivery", many, some)
    # The first time is the honest one: later ones find memory that the hub kept.
    run.board.plain("P12-subscriber", each[10_000][0]["kib_each"])


def slow_readers(run: Run, hub: Hub) -> None:
    """The last of 200 subscribers, without and with 20 others that never read, in turn."""
    without, beside = [], []
    with crowd(hub, "slow") as people:
        people.do("open", count=_FEW)
        people.do("rounds", count=5)
        for _ in range(REPEATS):
            without.append(people.do("rounds", count=15)["last_ms"])
            people.do("stuck", count=_NEVER_READ, size=_FILL_OBJECTS)
            beside.append(people.do("rounds", count=15)["last_ms"])
            people.do("unstick")
    run.keep("slow readers", {"without": without, "beside": beside})
    run.board.beside("P8-slow", statistics.median(beside), statistics.median(without))
    run.say(f"slow readers: {statistics.median(without):.2f} -> {statistics.median(beside):.2f} ms")


def ingest_beside(run: Run, hub: Hub) -> None:
    """Bulk that the subscribers may not see, with and without 1,000 who get 50 events/s.

    The bulk is TLP RED: were it theirs as well, a thousand copies of it would be the load.
    """
    alone, together = [], []
    for repeat in range(REPEATS):
        hub.settle()
        alone.append(_bulk(hub, f"alone {repeat}").answer())
        with crowd(hub, f"beside {repeat}") as people:
            people.do("open", count=1_000)
            hub.settle()  # else the folding of the one bulk would slow the other
            people.order("hold", count=int(_RATE * _HOLD_S), rate=_RATE)
            bulk = _bulk(hub, f"together {repeat}").answer()
            held = people.answer()
        together.append(bulk)
        run.keep("ingest beside subscribers", {"alone": alone[-1], "together": bulk, "held": held})
    rates = [
        [answer["accepted"] / answer["elapsed_s"] for answer in some] for some in (alone, together)
    ]
    ours, beside = statistics.median(rates[1]), statistics.median(rates[0])
    run.board.beside("P11-ingest", ours, beside)
    run.say(f"ingest beside 1,000 subscribers: {ours:,.0f} of {beside:,.0f} objects/s")


def _bulk(hub: Hub, seed: str) -> Load:
    return Load(
        do="ingest",
        url=hub.url,
        key=hub.writer,
        seed=seed,
        size=_BULK_SIZE,
        count=_BULK_OBJECTS,
        connections=_BULK_CONNECTIONS,
        red=True,
    )


def measure(run: Run, hub: Hub, floor: Server) -> None:
    """All of it."""
    fan_out(run, hub, floor)
    slow_readers(run, hub)
    ingest_beside(run, hub)
