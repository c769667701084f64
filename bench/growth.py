"""P6, P7, P10 and P12 by size: what grows with what is stored, and what must not."""

from __future__ import annotations

from typing import Any

from bench.children import load
from bench.ingest import turn
from bench.load import median_of
from bench.run import Run
from bench.server import Hub, Server

GOALS = (
    *("P6-floor", "P6-peer", "P6-tail"),
    *("P7-floor", "P7-floor-tail", "P7-peer", "P7-peer-tail"),
    *("P10-poll-1m", "P10-visible-1m", "P10-page-1m", "P10-ingest-1m"),
    *("P10-poll-10m", "P10-visible-10m", "P10-page-10m", "P10-ingest-10m"),
    *("P12-1m", "P12-10m"),
)
RUNGS = (10_000, 100_000, 1_000_000, 10_000_000)
# Beyond this the floor's random index makes filling it the longest part of the run.
_FLOOR_LIMIT = 1_000_000
_INGEST_FROM = 100_000
_POLLS, _REPORTS, _PAGES, _TURNS, _TURN_OBJECTS = 1_000, 200, 40, 3, 20_000
_FILL_SIZE, _FILL_CONNECTIONS = 1_000, 2

Figures = dict[str, Any]


class Climber:
    """One server on its way up.

    Args:
        server: a hub or a floor.
        write_key, read_key: "" where no credentials are asked.
    """

    def __init__(self, server: Server, write_key: str = "", read_key: str = "") -> None:
        self.server = server
        self._keys = (write_key, read_key)
        self._held = 0
        self._tail = ""

    def fill(self, count: int) -> float:
        """Fill it up to `count` objects; objects a second, the making of them included."""
        missing = count - self._held
        if missing <= 0:
            return 0.0
        answer = load(
            do="ingest",
            url=self.server.url,
            key=self._keys[0],
            seed=f"fill {self._held}",
            size=_FILL_SIZE,
            count=missing,
            connections=_FILL_CONNECTIONS,
            limit_s=7_200.0,
            ahead=False,
        )
        if answer["accepted"] != missing:
            raise ValueError(f"of {missing} objects {answer['accepted']} were taken")
        self._held = count
        return float(missing / answer["elapsed_s"])

    def look(self) -> Figures:
        """Walk to the end, then poll, report and page there."""
        write, read = self._keys
        url = self.server.url
        walked = load(do="walk", url=url, key=read, after=self._tail)
        self._tail = walked["next"]
        pages = load(do="walk", url=url, key=read, pages=_PAGES)
        polled = load(do="poll", url=url, key=read, after=self._tail, count=_POLLS)
        seen = load(
            do="visible",
            url=url,
            key=write,
            read_key=read,
            after=self._tail,
            count=_REPORTS,
            seed=f"visible {self._held}",
        )
        self._tail = seen["next"]
        self._held += _REPORTS
        return {"page": pages, "poll": polled, "visible": seen, "walked": walked["count"]}

    def ingest(self) -> Figures:
        """One turn of envelopes of 1000."""
        seed = f"growth {self._held}"
        answer = turn(self.server, self._keys[0], seed, 1_000, _TURN_OBJECTS, 8)
        self._held += answer["accepted"]
        return answer


def climb(run: Run, hub: Hub, floor: Server) -> None:
    """Climb the rungs up to the run's size, hub and floor in turn on each."""
    ours, theirs = Climber(hub, hub.writer, hub.reader), Climber(floor)
    seen: dict[int, Figures] = {}
    for rung in [rung for rung in RUNGS if rung <= run.stored]:
        rate = ours.fill(rung)
        if rung <= _FLOOR_LIMIT:
            theirs.fill(rung)
        settled_s = hub.settle()
        figures = {"ours": ours.look(), "fill": rate, "settled_s": settled_s}
        figures["floor"] = theirs.look()
        figures["pss_mib"] = hub.pss_mib()
        if rung >= _INGEST_FROM:
            figures |= _ingest(ours, theirs)
        seen[rung] = figures
        run.keep("growth", {"rung": rung, **figures})
        _tell(run, rung, figures)
    _judge_reading(run, seen)
    _judge_growth(run, seen)


def _ingest(ours: Climber, theirs: Climber) -> Figures:
    turns = [(theirs.ingest(), ours.ingest()) for _ in range(_TURNS)]
    return {
        "ingest": median_of([mine for _, mine in turns], "rate"),
        "floor_ingest": median_of([other for other, _ in turns], "rate"),
    }


def _tell(run: Run, rung: int, figures: Figures) -> None:
    ours = figures["ours"]
    rate = f", ingest {figures['ingest']:,.0f} objects/s" if "ingest" in figures else ""
    run.say(
        f"{rung:,} stored: poll {ours['poll']['p50_ms']:.3f} ms,"
        f" visible {ours['visible']['p50_ms']:.2f} ms, page {ours['page']['p50_ms']:.2f} ms,"
        f" memory {figures['pss_mib']:.0f} MiB{rate}"
    )


def _judge_reading(run: Run, seen: dict[int, Figures]) -> None:
    """P6 and P7, at 100,000 stored or the largest rung below."""
    at = max(rung for rung in seen if rung <= _INGEST_FROM)
    ours, floor, board = seen[at]["ours"], seen[at]["floor"], run.board
    polled, ground = ours["poll"], floor["poll"]
    board.beside("P6-floor", polled["p50_ms"], ground["p50_ms"])
    board.peer("P6-peer", polled["p50_ms"], ground["p50_ms"])
    board.beside("P6-tail", polled["p99_ms"], polled["p50_ms"])
    for ending, name in (("", "p50_ms"), ("-tail", "p99_ms")):
        mine, other = ours["visible"][name], floor["visible"][name]
        board.beside(f"P7-floor{ending}", mine, other)
        board.peer(f"P7-peer{ending}", mine, other)


def _judge_growth(run: Run, seen: dict[int, Figures]) -> None:
    for rung, ending in ((1_000_000, "1m"), (10_000_000, "10m")):
        if rung not in seen:
            continue
        here, low = seen[rung], seen[RUNGS[0]]["ours"]
        for name in ("poll", "visible", "page"):
            mine = here["ours"][name]["p50_ms"]
            run.board.beside(f"P10-{name}-{ending}", mine, low[name]["p50_ms"])
        run.board.beside(f"P10-ingest-{ending}", here["ingest"], seen[_INGEST_FROM]["ingest"])
        run.board.plain(f"P12-{ending}", here["pss_mib"])
