"""P8 and P11 where nobody is pushed to: one report, and a crowd of subscribers who poll.

What a subscriber is, and when all of them poll, is said in `bench.pollers`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.children import Crowd, Load, load
from bench.load import median_of
from bench.run import Run
from bench.server import Hub, Server
from bench.taxii_load import EVERYTHING, newest

FLOOR = "/api/objects?limit=100&after={since}"
OURS = f"{EVERYTHING}?limit=100&added_after={{since}}"
# In a trial run the crowds are smaller; they keep their names.
CROWDS = ("1", "1000", "10000")
# Every ten seconds: far more often than any known client does.
_EVERY_S = 10.0

Figures = dict[str, Any]


class Fan(NamedTuple):
    """How large a measurement is.

    Args:
        reports: subscribers -> reports in one turn.
        repeats: turns of each server.
        bulk_objects: what is taken in while subscribers poll.
    """

    reports: Mapping[int, int]
    repeats: int
    bulk_objects: int


def ours(hub: Hub, url: str, seed: str) -> Crowd:
    """Subscribers of a hub that they reach at `url`."""
    place = {"url": url, "key": hub.writer, "read_key": hub.reader}
    paths = {"path": OURS, "submit": EVERYTHING}
    return Crowd("bench.pollers", **place, **paths, since=newest(hub.url, hub.writer), seed=seed)


def theirs(ground: Server, url: str, seed: str) -> Crowd:
    """Subscribers of the floor."""
    since = load(do="walk", url=ground.url)["next"]
    paths = {"path": FLOOR, "submit": "/api/objects"}
    return Crowd("bench.pollers", url=url, **paths, since=since, seed=seed)


def turn(people: Crowd, server: Server, count: int, reports: int) -> Figures:
    """Let `count` subscribers poll for so many reports; with processor time of the server."""
    people.do("open", count=count)
    before_s = server.cpu_s()
    figures = people.do("rounds", count=reports)
    spent_s = server.cpu_s() - before_s
    return {**figures, "cpu_us": spent_s / figures["deliveries"] * 1e6}


def fan_out(run: Run, hub: Hub, ground: Server, size: Fan) -> None:
    """P8, P11-delivery: floor and hub in turn, for each number of subscribers."""
    missed, each = 0, {}
    for name, (count, reports) in zip(CROWDS, size.reports.items(), strict=True):
        mine, floors = [], []
        for repeat in range(size.repeats):
            with theirs(ground, ground.url, f"floor polled {count} {repeat}") as people:
                floors.append(turn(people, ground, count, reports))
            with ours(hub, hub.url, f"polled {count} {repeat}") as people:
                mine.append(turn(people, hub, count, reports))
        missed += sum(figures["missed"] for figures in mine)
        each[count] = mine
        last, below = median_of(mine, "last_ms"), median_of(floors, "last_ms")
        run.keep(f"polled by {count}", {"ours": mine, "floor": floors})
        run.board.beside(f"P8-{name}", last, below)
        run.say(
            f"{count:,} who poll: p50 {median_of(mine, 'p50_ms'):.2f} ms, last {last:.2f} ms,"
            f" floor {below:.2f} ms, {median_of(mine, 'cpu_us'):.0f} us of processor each"
        )
    run.board.plain("P8-missed", missed)
    few, many = sorted(each)[-2:]
    run.board.beside(
        "P11-delivery", median_of(each[many], "cpu_us"), median_of(each[few], "cpu_us")
    )


def ingest_beside(run: Run, hub: Hub, size: Fan) -> None:
    """P11-ingest: bulk that the subscribers may not see, with and without their polls."""
    count = sorted(size.reports)[-2]
    goal, rate, alone, together = "P11-ingest", count / _EVERY_S, [], []
    for repeat in range(size.repeats):
        hub.settle()
        alone.append(_bulk(hub, f"{goal} alone {repeat}", size.bulk_objects))
        with ours(hub, hub.url, f"{goal} beside {repeat}") as people:
            hub.settle()
            people.do("open", count=count)
            people.order("hold", count=max(1, round(rate * alone[-1]["elapsed_s"])), rate=rate)
            together.append(_bulk(hub, f"{goal} together {repeat}", size.bulk_objects))
            held = people.answer()
        run.keep(goal, {"alone": alone[-1], "together": together[-1], "held": held})
    rates = [
        statistics.median(answer["accepted"] / answer["elapsed_s"] for answer in some)
        for some in (together, alone)
    ]
    run.board.beside(goal, *rates)
    run.say(f"ingest beside {count:,} who poll: {rates[0]:,.0f} of {rates[1]:,.0f} objects/s")


def _bulk(hub: Hub, seed: str, count: int) -> Figures:
    return Load(
        do="ingest",
        url=hub.url,
        key=hub.writer,
        seed=seed,
        size=100,
        count=count,
        connections=4,
        red=True,
    ).answer()
