"""TAXII beside the floor of the same run: full reads, polls, crowds, growth, a bad line.

The hub is started through the public command with default settings and filled through
`/api/objects`; of what is stored, a second reader may see a tenth.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core.marking import TLP_2_IDS, group_marking_id
from bench import far, polling
from bench.children import load
from bench.far import Trip
from bench.goals import Board, load_goals, table
from bench.load import Answer, median_of
from bench.loop import RESULTS, about, running
from bench.polling import Fan
from bench.run import Run
from bench.server import UNLIMITED, Hub, Server, floor
from bench.subscribers import raise_file_limit
from bench.taxii_load import EVERYTHING, ask, newest
from bench.wire import Connection, Target
from bench.workload import Workload

GOALS = Path(__file__).with_name("goals_taxii.toml")
RUNGS = (10_000, 100_000, 1_000_000, 10_000_000)
_GROWN = {1_000_000: "1m", 10_000_000: "10m"}
RARE = "&match[type]=report"
_REPEATS, _PAGES, _ENVELOPE = 3, 40, 1_000
_GROUP = "pair"
_TENTH = msgspec.json.encode({"member": "TH", "scopes": ["read"], "limits": UNLIMITED})
_MARKINGS = (group_marking_id(_GROUP),) * 9 + (TLP_2_IDS["green"],)

Figures = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        rungs: how many objects are stored at each look, rising.
        polls: empty polls at each look.
        reports: submissions that are waited for, at each look.
        fan: the crowds who poll.
        trip: the same over a bad line.
    """

    rungs: tuple[int, ...]
    polls: int = 1_000
    reports: int = 100
    fan: Fan = field(default_factory=lambda: Fan({1: 30, 1_000: 10, 10_000: 4}, 3, 40_000))
    trip: Trip = field(default_factory=Trip)

    @property
    def full(self) -> int:
        """The rung at which everything is read, and the floor looked at for the last time."""
        return max([rung for rung in self.rungs if rung <= 100_000])

    @classmethod
    def of(cls, stored: int) -> Scale:
        """Up to `stored` objects; below the lowest rung all of it is small: a trial run."""
        if stored >= RUNGS[0]:
            return cls(tuple(rung for rung in RUNGS if rung <= stored))
        few = {1: 2, 20: 2, 40: 2}
        return cls((stored,), 20, 5, Fan(few, 1, 500), Trip(3, 2, {1: 1, 20: 1, 40: 1}, 20))


def _post(hub: Hub, key: str, path: str, body: bytes) -> dict[str, Any]:
    connection = Connection(Target.of(hub.url, key))
    status, told = connection.exchange(connection.target.request("POST", path, body))
    connection.close()
    if status not in (200, 201):
        raise ValueError(f"{path} answered {status}: {told[:300]!r}")
    return msgspec.json.decode(told, type=dict[str, Any])


class Shelf:
    """A hub and a floor that are filled with the same objects, side by side."""

    def __init__(self, hub: Hub, ground: Server) -> None:
        self.hub = hub
        self.ground = ground
        self.held = 0
        self._workload = Workload("taxii", _MARKINGS)
        admin = (hub.data / "admin.key").read_text().strip()
        _post(hub, admin, f"/api/groups/{_GROUP}", b'{"members":["SG","MY"]}')
        made = _post(hub, admin, "/api/keys", _TENTH)
        self.tenth = str(made["key"])

    def fill(self, count: int, *, floor_too: bool) -> None:
        """Fill the hub up to `count` objects, and the floor with the same of them."""
        ours = Connection(Target.of(self.hub.url, self.hub.writer))
        theirs = Connection(Target.of(self.ground.url))
        while self.held < count:
            body = self._workload.envelope(_ENVELOPE)
            for connection in (ours, theirs) if floor_too else (ours,):
                status, told = connection.exchange(
                    connection.target.request("POST", "/api/objects", body)
                )
                if status != 200 or b'"refused":0' not in told:
                    raise ValueError(f"not all was taken: {status} {told[:300]!r}")
            self.held += _ENVELOPE
        ours.close()
        theirs.close()
        self.hub.settle()

    def look(self, scale: Scale) -> Figures:
        """Polls, pages and reports at this size."""
        url, key = self.hub.url, self.hub.reader
        about_us = {"url": url, "path": EVERYTHING, "key": key}
        return {
            "poll": ask(do="poll", count=scale.polls, **about_us),
            "poll_rare": ask(do="poll", count=scale.polls, query=RARE, **about_us),
            "page": ask(do="walk", count=_PAGES, **about_us),
            "rare": ask(do="walk", count=_PAGES, query=RARE, limit=100, **about_us),
            "visible": ask(
                do="visible",
                url=url,
                path=EVERYTHING,
                key=self.hub.writer,
                read_key=key,
                added_after=newest(url, self.hub.writer),
                count=scale.reports,
                seed=f"visible {self.held}",
            ),
        }

    def look_at_floor(self, scale: Scale) -> Figures:
        """The same of the floor, which knows no filter."""
        tail = load(do="walk", url=self.ground.url)["next"]
        return {
            "poll": load(do="poll", url=self.ground.url, after=tail, count=scale.polls),
            "visible": load(
                do="visible",
                url=self.ground.url,
                after=tail,
                count=scale.reports,
                seed=f"floor {self.held}",
            ),
        }


def read_all(run: Run, shelf: Shelf) -> None:
    """P5: full reads, floor and hub in turn."""
    hub, url = shelf.hub, shelf.hub.url
    before_mib = hub.pss_mib()
    ours, tenth, theirs = [], [], []
    for _ in range(_REPEATS):
        theirs.append(_rate(load(do="walk", url=shelf.ground.url)))
        ours.append(_rate(ask(do="walk", url=url, path=EVERYTHING, key=hub.reader)))
        tenth.append(_rate(ask(do="walk", url=url, path=EVERYTHING, key=shelf.tenth)))
    ground, mine, part = (median_of(each, "rate") for each in (theirs, ours, tenth))
    run.keep("read", {"floor": theirs, "all": ours, "tenth": tenth})
    run.board.beside("P5-floor", mine, ground)
    run.board.beside("P5-tenth", part, ground)
    run.board.peer("P5-peer", mine, ground)
    run.board.beside("P5-memory", hub.pss_mib(), before_mib)
    run.say(
        f"full read: {mine:,.0f} objects/s ({median_of(ours, 'mbs'):.0f} MB/s),"
        f" a tenth {part:,.0f}, floor {ground:,.0f}; of {ours[0]['count']:,} and"
        f" {tenth[0]['count']:,} objects"
    )


def _page_all(run: Run, hub: Hub, ending: str) -> None:
    """One client pages the whole ledger: what that leaves in the hub's memory."""
    before_mib = hub.pss_mib()
    read = _rate(ask(do="walk", url=hub.url, path=EVERYTHING, key=hub.reader))
    run.keep("read_all", {"stored": ending, **read})
    run.board.beside(f"P5-memory-{ending}", hub.pss_mib(), before_mib)
    run.say(
        f"the whole ledger, {read['count']:,} objects in {read['waited_s']:.1f} s"
        f" ({read['rate']:,.0f} objects/s); memory {before_mib:.0f} to {hub.pss_mib():.0f} MiB"
    )


def _rate(answer: Answer) -> Answer:
    answer["rate"] = answer["count"] / answer["waited_s"]
    answer["mbs"] = answer["size_bytes"] / answer["waited_s"] / 1e6
    return answer


def _judge(run: Run, seen: dict[int, Figures], ground: Figures, scale: Scale) -> None:
    at = seen[scale.full]
    board = run.board
    for goal, name in (("P6", "poll"), ("P7", "visible")):
        board.beside(f"{goal}-floor", at[name]["p50_ms"], ground[name]["p50_ms"])
        board.peer(f"{goal}-peer", at[name]["p50_ms"], ground[name]["p50_ms"])
    board.beside("P6-rare", at["poll_rare"]["p50_ms"], at["poll"]["p50_ms"])
    for rung, ending in _GROWN.items():
        if rung in seen:
            for name in ("poll", "visible", "page", "rare"):
                here, low = seen[rung][name], seen[RUNGS[0]][name]
                board.beside(f"P10-{name}-{ending}", here["p50_ms"], low["p50_ms"])


def _climb(run: Run, shelf: Shelf, scale: Scale) -> None:
    """What is seen at each rung of growth, and at the floor on the last that it is filled to."""
    seen: dict[int, Figures] = {}
    below: Figures = {}
    hub, ground = shelf.hub, shelf.ground
    for rung in scale.rungs:
        shelf.fill(rung, floor_too=rung <= scale.full)
        if rung == scale.full:
            read_all(run, shelf)
        elif rung in _GROWN:
            _page_all(run, hub, _GROWN[rung])
        seen[rung] = shelf.look(scale)
        if rung <= scale.full:
            below = shelf.look_at_floor(scale)
        run.keep("rung", {"rung": rung, "ours": seen[rung], "pss_mib": hub.pss_mib()})
        told = ", ".join(f"{k} {v['p50_ms']:.2f}" for k, v in seen[rung].items())
        run.say(f"{rung:,} stored, p50 in ms: {told}; {hub.pss_mib():.0f} MiB")
        if rung == scale.full:
            polling.fan_out(run, hub, ground, scale.fan)
            polling.ingest_beside(run, hub, scale.fan)
    _judge(run, seen, below, scale)


def taxii(stored: int, scale: Scale | None = None) -> Run:
    """Measure; print the table last.

    Args:
        stored: how many objects the hub is filled with: 100000, 1000000, or 10000000 (an hour);
            less is a trial.
        scale: how much is measured, if not as much as fits the size.
    """
    scale = scale or Scale.of(stored)
    raise_file_limit()
    facts = about(stored)
    print(f"machine: {facts}")
    with tempfile.TemporaryDirectory(prefix="bayanihan-bench-") as folder:
        run = Run(Path(folder), stored, Board(load_goals(GOALS), stored))
        place = run.folder_for("taxii")
        hub, ground = Hub(place / "hub"), floor(place)
        with running(hub, ground):
            hub.open()
            ground.start("/api/objects")
            _climb(run, Shelf(hub, ground), scale)
        far.measure(run, scale.trip)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "taxii.jsonl").open("ab") as file:
        file.write(run.line(facts))
    print(table(run.board.rows(list(run.board.goals))))
    return run
