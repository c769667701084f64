"""Many reports as fast as it goes, and from the slopes what 10^8 would need, on paper.

The run lies in as many partitions as 10^8 would, each smaller: what a question to the index
costs for each further partition is measured, not guessed.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from bayanihan.ledger import Ledger, check_ledger
from bayanihan.ledger.postgres import PostgresStore
from bayanihan.ledger.postgres_schema import PARTITION_ROWS

AIM = 100_000_000
PARTITIONS = -(-AIM // PARTITION_ROWS)
RUNGS = 6
ASKED = 1_000
CHUNK = 20_000
TOLD_EVERY_S = 30.0
# Rows, bodies and indexes of 950 bytes, and the server's log of a gigabyte.
BYTES_EACH = 1_500
LOG_BYTES = 2_000_000_000
HEAD = f"{'entries':>12} {'appended/s':>11} {'asked ms':>9} {'page ms':>8} {'GB':>7} {'parts':>6}"
_SIZES = """
SELECT coalesce(sum(pg_relation_size(c.oid) + pg_relation_size(c.reltoastrelid)), 0),
       coalesce(sum(pg_indexes_size(c.oid)), 0), count(*)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'bayanihan.entries'::regclass
"""


class Rung(NamedTuple):
    """How it stood after so many entries."""

    entries: int
    appended_per_s: float
    asked_ms: float
    page_ms: float
    table_bytes: int
    index_bytes: int
    partitions: int


class Slope(NamedTuple):
    """A straight line through measured points."""

    start: float
    rise: float

    def at(self, x: float) -> float:
        """Its height."""
        return self.start + self.rise * x


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """The line with the least squares; flat where it would fall, for nothing gets cheaper."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    rise = max(0.0, rise)
    return Slope(mean_y - rise * mean_x, rise)


class Climb:
    """Appends many reports, and tells how far it is; what was measured stays when it is stopped.

    Args:
        address: an empty database.
        reports: how many.
        append: appends so many to a ledger, and says at how many a second.
        within_s: a rung that would end later is not begun.
    """

    def __init__(
        self,
        address: str,
        reports: int,
        append: Callable[[Ledger, int], float],
        within_s: float = float("inf"),
    ) -> None:
        self._address = address
        self._reports = reports
        self._append = append
        self._began_s = time.monotonic()
        self._until_s = self._began_s + within_s
        self._told_s = 0.0
        self.rungs: list[Rung] = []
        self.verified_per_s = 0.0

    def run(self) -> None:
        """Climb to the top, or until there is no time for a further rung; then `verify`."""
        rows = -(-self._reports // PARTITIONS)
        PostgresStore(self._address, partition_rows=rows).close()
        print(HEAD, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder), store=lambda _: PostgresStore(self._address))
            with contextlib.closing(ledger):
                self._climb(ledger)
        began_s = time.perf_counter()
        with contextlib.closing(PostgresStore(self._address, read_only=True)) as store:
            assert check_ledger(store).ok
        self.verified_per_s = self.rungs[-1].entries / (time.perf_counter() - began_s)

    def _climb(self, ledger: Ledger) -> None:
        for rung in range(1, RUNGS + 1):
            began_s = time.monotonic()
            rate = self._grown(ledger, self._reports * rung // RUNGS)
            self.rungs.append(_looked(ledger, self._address, rate))
            print(_line(self.rungs[-1]), flush=True)
            if rung < RUNGS and 2 * time.monotonic() - began_s > self._until_s:
                print("There is no time for a further rung.")
                return

    def _grown(self, ledger: Ledger, size: int) -> float:
        """Append up to a size, a part at a time; entries a second."""
        took_s, before = 0.0, ledger.length
        while (left := size - ledger.length) > 0:
            count = min(left, CHUNK)
            rate = self._append(ledger, count)
            took_s += count / rate
            self._tell(ledger.length, rate)
        return (ledger.length - before) / took_s

    def _tell(self, size: int, rate: float) -> None:
        """How far it is, now and then: to whoever watches, not among the figures."""
        now_s = time.monotonic()
        if now_s - self._told_s < TOLD_EVERY_S:
            return
        self._told_s = now_s
        passed_s = now_s - self._began_s
        left_s = passed_s * (self._reports - size) / size
        print(
            f"{size:,} of {self._reports:,}, {rate:,.0f}/s now, {passed_s / 60:.0f} min passed,"
            f" about {left_s / 60:.0f} left",
            file=sys.stderr,
            flush=True,
        )


def _looked(ledger: Ledger, address: str, rate: float) -> Rung:
    identity = ledger.store.identities(Path(), None)
    asked_s = min(_timed(lambda: identity.positions(list(range(ASKED)))) for _ in range(5))
    end = ledger.length
    page_s = min(_timed(lambda: ledger.store.scan(end - ASKED, ASKED)) for _ in range(5))
    with psycopg.connect(address) as link:
        row = link.execute(_SIZES).fetchone()
    assert row is not None
    table, index, partitions = (int(each) for each in row)
    return Rung(end, rate, asked_s * 1_000, page_s * 1_000, table, index, partitions)


def _timed(act: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def on_paper(rungs: Sequence[Rung], verified_per_s: float) -> list[tuple[str, str]]:
    """What 10^8 entries would need, by the lines through the rungs; 0 where none verified."""
    cost = slope([(one.partitions, 1 / one.appended_per_s) for one in rungs])
    asked = slope([(one.partitions, one.asked_ms) for one in rungs])
    table = slope([(one.entries, one.table_bytes) for one in rungs]).rise
    index = slope([(one.entries, one.index_bytes) for one in rungs]).rise
    load_s = sum(PARTITION_ROWS * cost.at(number) for number in range(1, PARTITIONS + 1))
    hours = AIM / verified_per_s / 3_600 if verified_per_s else 0.0
    return [
        ("partitions of 8,388,608", f"{PARTITIONS}"),
        ("rows and bodies", f"{table * AIM / 1e9:,.0f} GB ({table:,.0f} bytes an entry)"),
        ("indexes", f"{index * AIM / 1e9:,.0f} GB ({index:,.0f} bytes an entry)"),
        ("indexes of the newest partition", f"{index * PARTITION_ROWS / 1e9:,.1f} GB of memory"),
        ("appended in the last partition", f"{1 / cost.at(PARTITIONS):,.0f}/s"),
        ("all of it appended", f"{load_s / 3_600:,.1f} h"),
        (f"the index asked for {ASKED} identities", f"{asked.at(PARTITIONS):,.1f} ms"),
        ("`verify`", f"{hours:,.1f} h at {verified_per_s:,.0f}/s" if hours else "not measured"),
    ]


def _line(one: Rung) -> str:
    """One rung as a line under `HEAD`."""
    size = (one.table_bytes + one.index_bytes) / 1e9
    return (
        f"{one.entries:>12,} {one.appended_per_s:>11,.0f} {one.asked_ms:>9.1f}"
        f" {one.page_ms:>8.1f} {size:>7.2f} {one.partitions:>6}"
    )


def told(rungs: Sequence[Rung], verified_per_s: float) -> None:
    """Print the paper."""
    if len(rungs) < 2:
        print("\nOne point makes no line: nothing is said of 10^8.")
        return
    print(f"\n10^8 entries, on paper, by the lines through these {len(rungs)} points:")
    for what, figure in on_paper(rungs, verified_per_s):
        print(f"  {what:40} {figure}")
