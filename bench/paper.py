"""Many reports as fast as it goes, and from the slopes what 10^8 would need, on paper.

The run lies in as many partitions as 10^8 would, each smaller: what a question to the index
costs for each further partition is measured, not guessed.
"""

from __future__ import annotations

import contextlib
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


def climbed(
    address: str, reports: int, append: Callable[[Ledger, int], float]
) -> tuple[list[Rung], float]:
    """Append so many reports; each rung of the way, and entries a second of `verify`.

    Args:
        address: an empty database.
        reports: how many.
        append: appends so many to a ledger, and says at how many a second.
    """
    rows = -(-reports // PARTITIONS)
    PostgresStore(address, partition_rows=rows).close()
    rungs: list[Rung] = []
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), store=lambda _: PostgresStore(address))
        with contextlib.closing(ledger):
            for rung in range(1, RUNGS + 1):
                rate = _grown(ledger, reports * rung // RUNGS, append)
                rungs.append(_looked(ledger, address, rate))
        began_s = time.perf_counter()
        with contextlib.closing(PostgresStore(address, read_only=True)) as store:
            assert check_ledger(store).ok
        return rungs, reports / (time.perf_counter() - began_s)


def _grown(ledger: Ledger, size: int, append: Callable[[Ledger, int], float]) -> float:
    """Append up to a size, a part at a time; entries a second."""
    took_s, before = 0.0, ledger.length
    while (left := size - ledger.length) > 0:
        count = min(left, CHUNK)
        took_s += count / append(ledger, count)
    return (ledger.length - before) / took_s


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
    """What 10^8 entries would need, by the lines through the rungs."""
    cost = slope([(one.partitions, 1 / one.appended_per_s) for one in rungs])
    asked = slope([(one.partitions, one.asked_ms) for one in rungs])
    table = slope([(one.entries, one.table_bytes) for one in rungs]).rise
    index = slope([(one.entries, one.index_bytes) for one in rungs]).rise
    load_s = sum(PARTITION_ROWS * cost.at(number) for number in range(1, PARTITIONS + 1))
    return [
        ("partitions of 8,388,608", f"{PARTITIONS}"),
        ("rows and bodies", f"{table * AIM / 1e9:,.0f} GB ({table:,.0f} bytes an entry)"),
        ("indexes", f"{index * AIM / 1e9:,.0f} GB ({index:,.0f} bytes an entry)"),
        ("indexes of the newest partition", f"{index * PARTITION_ROWS / 1e9:,.1f} GB of memory"),
        ("appended in the last partition", f"{1 / cost.at(PARTITIONS):,.0f}/s"),
        ("all of it appended", f"{load_s / 3_600:,.1f} h"),
        (f"the index asked for {ASKED} identities", f"{asked.at(PARTITIONS):,.1f} ms"),
        ("`verify`", f"{AIM / verified_per_s / 3_600:,.1f} h at {verified_per_s:,.0f}/s"),
    ]


def told(rungs: Sequence[Rung], verified_per_s: float) -> None:
    """Print what was measured, and the paper."""
    print(
        f"{'entries':>12} {'appended/s':>11} {'asked ms':>9} {'page ms':>8} {'GB':>7} {'parts':>6}"
    )
    for one in rungs:
        size = (one.table_bytes + one.index_bytes) / 1e9
        print(
            f"{one.entries:>12,} {one.appended_per_s:>11,.0f} {one.asked_ms:>9.1f}"
            f" {one.page_ms:>8.1f} {size:>7.2f} {one.partitions:>6}"
        )
    print(f"\n10^8 entries, on paper, by the lines through these {len(rungs)} points:")
    for what, figure in on_paper(rungs, verified_per_s):
        print(f"  {what:40} {figure}")
