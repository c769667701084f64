"""`python -m bench cluster`: what a ledger on PostgreSQL costs, as ratios measured in one run."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import BayanihanError
from bayanihan.ledger import Draft, Ledger, store_at
from bench.paper import BYTES_EACH, LOG_BYTES, Climb, told
from tests.sim.postgres import Server, several

GREEN = Audience("green")
READER = Viewer(key="k", person="ana", member="SG")
BATCH = 1_000
CALLERS = 16
BODY = b'{"type":"indicator","pattern":"[domain-name:value = \'%s.example\']","pad":"%s"}'
_FLOOR = "COPY floor FROM STDIN (FORMAT BINARY)"
# With two more than a batch can hold the writer never waits for them.
FLOODERS = 7
STREAMING = {"wal_level": "replica", "max_wal_senders": "8", "hot_standby": "on"}
# What a server of its own would have; checkpoints further apart write fewer whole pages.
FLOODED = {**STREAMING, "max_wal_size": "1GB"}


def _drafts(count: int, size_bytes: int = 950) -> list[Draft]:
    found = []
    for _ in range(count):
        name = uuid.uuid4().hex
        body = BODY % (name.encode(), b"x" * (size_bytes - 90))
        found.append(Draft("object", GREEN, "ana", "SG", f"indicator--{name}", body, 1))
    return found


def _copy(link: psycopg.Connection, first: int, drafts: Sequence[Draft]) -> None:
    with link.cursor() as cursor, cursor.copy(_FLOOR) as copy:
        copy.set_types(["int8", "text", "int8", "int8", "bytea"])
        for number, one in enumerate(drafts, first):
            copy.write_row((number, one.object_id, 1, 1, one.body))


def _copied_per_s(address: str, count: int) -> float:
    """The floor: the same bodies by COPY into a table with one unique key, a thousand a commit."""
    drafts = _drafts(count)
    with psycopg.connect(address, autocommit=True) as link:
        link.execute(
            "CREATE TABLE floor (position bigint PRIMARY KEY, id text, modified bigint,"
            " added bigint, raw bytea)"
        )
        began_s = time.perf_counter()
        for at in range(0, count, BATCH):
            _copy(link, at, drafts[at : at + BATCH])
        took_s = time.perf_counter() - began_s
        link.execute("DROP TABLE floor")
    return count / took_s


def _appended_per_s(ledgers: Sequence[Ledger], count: int, each: int, callers: int = 0) -> float:
    """`count` drafts in calls of `each`, by callers that are spread over the nodes."""
    drafts = _drafts(count)
    calls = iter([drafts[at : at + each] for at in range(0, count, each)])
    lock = threading.Lock()

    def call(ledger: Ledger) -> None:
        while True:
            with lock:
                some = next(calls, None)
            if some is None:
                return
            ledger.append(some)

    callers = callers or (CALLERS if each == 1 else 2)
    threads = [
        threading.Thread(target=call, args=(ledgers[n % len(ledgers)],)) for n in range(callers)
    ]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        with lock:
            calls = iter(())
        for thread in threads:
            thread.join()
        raise
    return count / (time.perf_counter() - began_s)


def _read_per_s(ledgers: Sequence[Ledger]) -> float:
    """Objects a second that full reads by pages of a thousand give, one reader a node."""
    read = [0] * len(ledgers)

    def whole(at: int) -> None:
        after, more = 0, True
        while more:
            page = ledgers[at].read_bodies(READER, after, BATCH)
            read[at] += len(page.bodies)
            after, more = page.last, page.more

    threads = [threading.Thread(target=whole, args=(at,)) for at in range(len(ledgers))]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(read) / (time.perf_counter() - began_s)


def _stored_bytes(address: str) -> int:
    with psycopg.connect(address) as link:
        row = link.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


@contextlib.contextmanager
def _opened(address: str, count: int) -> Iterator[list[Ledger]]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as open_ones:
        nodes = [
            open_ones.enter_context(
                contextlib.closing(Ledger(Path(folder) / str(n), store=store_at(address)))
            )
            for n in range(count)
        ]
        yield nodes


def _report(ledger: Ledger, ended: threading.Event, at_s: list[float]) -> None:
    """Report one by one, and note when each was acknowledged."""
    while not ended.is_set():
        with contextlib.suppress(BayanihanError):
            ledger.append(_drafts(1))
            at_s.append(time.monotonic())


def _gap_s(primary: Server, standby: Server, fall: Callable[[], None]) -> tuple[float, int]:
    """Let the primary fall under load, promote: from there to the first acknowledgement."""
    standby.follow(primary, "s1").start()
    with _opened(several([primary, standby]), 1) as (ledger,):
        at_s: list[float] = []
        ended = threading.Event()

        caller = threading.Thread(target=_report, args=(ledger, ended, at_s))
        caller.start()
        time.sleep(2)
        fall()
        time.sleep(0.5)
        standby.promote()
        promoted_s = time.monotonic()
        time.sleep(8)
        ended.set()
        caller.join()
        after = [each for each in at_s if each > promoted_s]
        return min(after, default=float("inf")) - promoted_s, len(at_s)


def _gaps() -> list[tuple[str, str, str]]:
    """The gap after a primary that was killed, and after one that hangs and tells nobody."""
    rows = []
    for how in ("killed", "hangs"):
        primary = Server(settings=STREAMING).make().start()
        standby = Server(settings=STREAMING)
        try:
            fall = primary.kill if how == "killed" else primary.freeze
            gap_s, count = _gap_s(primary, standby, fall)
        finally:
            standby.stop()
            primary.stop()
        rows.append((f"gap after promote, the primary {how}", f"{gap_s:.2f} s", f"of {count}"))
    return rows


def cluster(stored: int) -> None:
    """Measure and print one table.

    Args:
        stored: objects that envelopes bring; a tenth as many come one by one.
    """
    primary = Server(settings=STREAMING).make().start()
    try:
        address = primary.database("bench")
        copied = _copied_per_s(address, min(stored, 20_000))
        with _opened(address, 2) as nodes:
            before = _stored_bytes(address)
            many = _appended_per_s(nodes[:1], stored, BATCH)
            size = (_stored_bytes(address) - before) / stored
            pair = _appended_per_s(nodes, stored // 2, BATCH)
            single = _appended_per_s(nodes[:1], stored // 10, 1)
            single_pair = _appended_per_s(nodes, stored // 10, 1)
            for node in nodes:
                node.refresh()
            read, read_pair = _read_per_s(nodes[:1]), _read_per_s(nodes)
    finally:
        primary.stop()
    rows = [
        ("COPY, a thousand a commit, one unique key", f"{copied:,.0f}/s", "1.00"),
        ("envelopes of 1000, one node", f"{many:,.0f}/s", f"{many / copied:.2f}"),
        ("envelopes of 1000, two nodes", f"{pair:,.0f}/s", f"{pair / copied:.2f}"),
        (f"single reports, {CALLERS} callers", f"{single:,.0f}/s", f"{single / copied:.2f}"),
        ("the same over two nodes", f"{single_pair:,.0f}/s", f"{single_pair / single:.2f} of one"),
        ("full read by pages, one node", f"{read:,.0f}/s", f"{read / copied:.2f}"),
        ("full read, two nodes", f"{read_pair:,.0f}/s", f"{read_pair / read:.2f} of one"),
        *_gaps(),
        ("stored per million of 950 bytes", f"{size:.0f} MB", f"{size / 950:.2f} of the bytes"),
    ]
    for what, figure, ratio in rows:
        print(f"{what:45} {figure:>14}   {ratio}")
    print("Nodes and server share this machine's cores, so two nodes cannot show twice one.")


def flood(reports: int, within_minutes: float) -> None:
    """So many reports as fast as it goes, and what 10^8 would need; prints both.

    What was measured is printed at once, and the paper also when it is stopped from outside.

    Args:
        reports: how many; a million takes about 1.5 GB of disk.
        within_minutes: a sixth that would end later is not begun.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = Server(settings=FLOODED).make().start()
    needed, free = reports * BYTES_EACH + LOG_BYTES, shutil.disk_usage(server.folder).free
    climb = Climb(
        server.database("flood"),
        reports,
        lambda ledger, count: _appended_per_s([ledger], count, BATCH, FLOODERS),
        60 * within_minutes,
    )
    try:
        if free < needed:
            sys.exit(f"{needed / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} GB are free")
        climb.run()
    except KeyboardInterrupt:
        print("Stopped.")
    finally:
        server.stop()
    told(climb.rungs, climb.verified_per_s)
