"""`python -m bench feeds`: the feeds of a large active set, and what a small change costs.

Two hubs are filled, the second ten times the first, so that what grows with the set shows as
a slope. No engine is asked: that is the engine's own speed. Each feed's figures are printed as
soon as they are there, and a run that is cut short still prints the table of those.
"""

from __future__ import annotations

import gc
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec
from publicsuffixlist import PublicSuffixList

from bayanihan.core.feed_delta import Delta, apply
from bayanihan.core.marking import PUBLIC, Audience
from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.active import Active
from bayanihan.readers.feeds import FORMATS, Judge, Press, never_block_lines, warning_lists
from bench import goals

GOALS = Path(__file__).with_name("goals_feeds.toml")
CHANGES = 100
LIST_ENTRIES = 500_000
BATCH = 1_000
TOLD_EVERY = 100_000

_SCREENED = 200_000
_ASKED = 5
_MIB = 1024 * 1024
_BEGAN_S = time.perf_counter()
_Result = TypeVar("_Result")


class Made(msgspec.Struct, frozen=True):
    """One feed at one size: seconds to make it anew, its size, and what a change costs.

    `remake_s` is the making of the version with the changes in it, `delta_s` the answer to
    one who asks what changed, `delta_bytes` that answer.
    """

    feed: str
    active: int
    items: int
    size_bytes: int
    make_s: float
    remake_s: float
    delta_s: float
    delta_bytes: int


class Bench:
    """A hub's record with its active set and press, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder)
        self.active = Active(folder / "projections", self.ledger.epoch, self.ledger.length)
        never_block = NeverBlock(never_block_lines(), PublicSuffixList().is_public)
        self.press = Press(
            self.active,
            FORMATS,
            judge=Judge(never_block),
            policy="bench",
            level_of=lambda number: self.ledger.store.audiences()[number - 1].level,
            seal=self.ledger.cursors.seal,
            secret=b"s" * 32,
        )
        self._made = 0

    def fill(self, count: int) -> None:
        """Append so many indicators more, one value each, and fold them."""
        end = self._made + count
        while self._made < end:
            few = min(BATCH, end - self._made)
            self.ledger.append([_draft(self._made + number) for number in range(few)])
            self._made += few
            if self._made % TOLD_EVERY == 0:
                say(f"{self._made:,} indicators appended")
        while self.active.catch_up(self.ledger.scan, self.ledger.length):
            pass

    def measure(self, feed: str) -> Made:
        """Make a feed, change the set a little, and ask what changed."""
        rights, now_us = self.ledger.rights(PUBLIC), self.ledger.now_us()
        gc.collect()
        first, make_s = timed(lambda: self.press.version(feed, rights, now_us))
        self.fill(CHANGES)
        second, remake_s = timed(lambda: self.press.version(feed, rights, now_us))
        # A tenth of a millisecond: one switch of threads beside it would be all that is seen.
        told = [timed(lambda: self._delta(second, rights, first.cursor)) for _ in range(_ASKED)]
        delta, delta_s = told[0][0], statistics.median([seconds for _, seconds in told])
        if delta is not None and not _leads(apply(first.body, delta), second.pieces()):
            raise AssertionError(f"the delta of {feed} leads elsewhere")
        return Made(
            feed=feed,
            active=self._made,
            items=first.items,
            size_bytes=first.size_bytes,
            make_s=make_s,
            remake_s=remake_s,
            delta_s=delta_s,
            delta_bytes=len(msgspec.json.encode(delta)) if delta else 0,
        )

    def _delta(self, found: object, rights: object, since: str) -> Delta | None:
        delta = self.press.delta(found, rights, since)  # type: ignore[arg-type]
        if delta is not None:
            msgspec.json.encode(delta)
        return delta

    def close(self) -> None:
        """Close the files."""
        self.press.close()
        self.active.close()
        self.ledger.close()


def _leads(body: bytes, pieces: Iterable[bytes]) -> bool:
    """Whether a file is that of some pieces, which together would fill the memory again."""
    at = 0
    for piece in pieces:
        if not body.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(body)


def say(text: str) -> None:
    """A line of progress: the seconds since the start, and what happened."""
    print(f"{time.perf_counter() - _BEGAN_S:7.0f} s  {text}", flush=True)


def timed(work: Callable[[], _Result]) -> tuple[_Result, float]:
    """What `work` gives, and its seconds."""
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def screening() -> float:
    """Values a second that are held against `LIST_ENTRIES` lines and the shipped lists."""
    lines = [f"site{number}.listed-{number % 977}.com" for number in range(LIST_ENTRIES)]
    suffixes = PublicSuffixList().is_public
    rules = NeverBlock([*never_block_lines(), *lines], suffixes, (), warning_lists())
    asked = [_observable(number) for number in range(_SCREENED)]
    _, seconds = timed(lambda: [rules.reason(each) for each in asked])
    return _SCREENED / seconds


def feeds(stored: int) -> None:
    """Fill, measure and print; the goals last."""
    rows: dict[str, list[Made]] = {}
    board = goals.Board(goals.load_goals(GOALS), stored)
    try:
        for size in (stored // 10, stored):
            for made in measured(size):
                rows.setdefault(made.feed, []).append(made)
        board.plain("F3-screening", screening())
    finally:
        # A run of many minutes that is cut short has told what it found.
        for line in table(rows):
            print(line)
        judge(board, rows)
        board.plain("F4-memory", _memory_mib())
        print(goals.table(board.rows()), flush=True)


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def judge(board: goals.Board, rows: dict[str, list[Made]]) -> None:
    """Hold the worst feed against each goal, and for growth all feeds together.

    One feed's delta takes a tenth of a millisecond, so its own growth is mostly chance.
    """
    told = [found[-1] for found in rows.values() if found[-1].delta_bytes]
    if told:
        board.plain("F1-delta", max(made.delta_s for made in told) * 1_000)
        board.plain("F1-bytes", max(made.delta_bytes for made in told) / 1024)
    pairs = [(found[0], found[1]) for found in rows.values() if len(found) > 1]
    deltas = [(small.delta_s, large.delta_s) for small, large in pairs if large.delta_bytes]
    if deltas:
        before_s, after_s = map(sum, zip(*deltas, strict=True))
        board.beside("F1-growth", after_s * 1_000, before_s * 1_000)
    steps = [(small.remake_s, large.remake_s) for small, large in pairs]
    if steps:
        before_s, after_s = map(sum, zip(*steps, strict=True))
        board.beside("F2-remake", after_s * 1_000, before_s * 1_000)


def measured(size: int) -> Iterator[Made]:
    """Each feed that carries something of a set of this size."""
    with tempfile.TemporaryDirectory() as folder, closing(Bench(Path(folder))) as bench:
        _, seconds = timed(lambda: bench.fill(size))
        say(f"{size:,} indicators appended and folded in {seconds:.1f} s")
        for feed in FORMATS:
            made = bench.measure(feed)
            say(
                f"{feed}: {made.items:,} items made in {made.make_s:.2f} s, again in"
                f" {made.remake_s * 1_000:.0f} ms, delta {made.delta_s * 1_000:.2f} ms;"
                f" {_memory_mib():.0f} MiB at most"
            )
            if made.items:
                yield made


def table(rows: dict[str, list[Made]]) -> Iterator[str]:
    """The lines of a table: the large hub's figures, and how each grew from the small one."""
    yield (
        f"{'feed':22}{'active':>9}{'items':>9}{'MiB':>8}{'make s':>9}{'remake s':>10}"
        f"{'delta ms':>10}{'delta KiB':>11}{'remake x':>10}{'delta x':>9}"
    )
    for feed, (small, *larger) in rows.items():
        large = larger[0] if larger else small
        yield (
            f"{feed:22}{large.active:9}{large.items:9}{large.size_bytes / _MIB:8.1f}"
            f"{large.make_s:9.2f}{large.remake_s:10.2f}{large.delta_s * 1_000:10.2f}"
            f"{large.delta_bytes / 1024:11.1f}"
            f"{large.remake_s / small.remake_s:10.1f}{large.delta_s / small.delta_s:9.1f}"
        )


def _observable(number: int) -> Observable:
    share = number % 20
    if share < 10:
        return Observable("domain", f"n{number}.evil-{number % 9_973}.com")
    if share < 15:
        text = f"45.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return Observable("ipv4", text)
    if share < 18:
        return Observable("url", f"http://evil-{number % 9_973}.com/path/{number}")
    return Observable("sha256", f"{number:064x}")


_PATHS = {
    "domain": "domain-name:value",
    "ipv4": "ipv4-addr:value",
    "url": "url:value",
    "sha256": "file:hashes.'SHA-256'",
}


def _draft(number: int) -> Draft:
    found = _observable(number)
    object_id = f"indicator--{uuid.UUID(int=number, version=4)}"
    body = msgspec.json.encode(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": object_id,
            "pattern": f"[{_PATHS[found.type]} = '{found.value}']",
            "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z",
        }
    )
    return Draft("object", Audience("clear"), "bench", "SG", object_id, body, version_us=1)
