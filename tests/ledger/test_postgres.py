"""What only a ledger that several nodes write to must promise."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bayanihan.core.merkle import verify_inclusion
from bayanihan.errors import Broken, Refused, Unavailable
from bayanihan.ledger import (
    ERASURES,
    Again,
    Change,
    ConnectionLost,
    Erasure,
    ErasureList,
    Ledger,
    SqliteStore,
    Where,
    check_ledger,
    migrate_ledger,
    migrating,
    postgres_link,
    read_erasures,
    renew,
    store_at,
)
from bayanihan.ledger.contract.scene import GREEN, SG, all_of, draft, numbered, outcomes
from bayanihan.ledger.engine import Row, Turn
from bayanihan.ledger.postgres import PostgresStore
from bayanihan.ledger.postgres_hosts import Hosts
from bayanihan.ledger.postgres_link import Links
from tests.sim.databases import PARTITION_ROWS, Databases
from tests.sim.postgres import VERSIONS
from tests.sim.reader import until

ALL = Where(kinds=("object", "erased"))


@pytest.fixture
def address(databases: Databases) -> Iterator[str]:
    """A ledger of the test's own; whole at the end."""
    address = databases.fresh()
    yield address
    store = store_at(address, read_only=True)(Path())
    with contextlib.closing(store):
        assert check_ledger(store).faults == []


def wait_seen(ledger: Ledger) -> None:
    """Wait until the database knows of a node."""
    until_s = time.monotonic() + 10
    while ledger.store.confirmed_s == float("-inf"):
        assert time.monotonic() < until_s, "the node does not say that it lives"
        time.sleep(0.01)


def opened(address: str, folder: Path) -> contextlib.closing[Ledger]:
    """One node's ledger."""
    return contextlib.closing(Ledger(folder, store=store_at(address)))


def test_a_reader_misses_nothing_that_two_nodes_write(address: str, tmp_path: Path) -> None:
    """The race that plain sequence numbers lose: see ADR 20."""
    each, seen, ended = 60, list[int](), threading.Event()
    with (
        opened(address, tmp_path / "1") as one,
        opened(address, tmp_path / "2") as two,
        opened(address, tmp_path / "3") as reader,
    ):

        def write(ledger: Ledger, name: int) -> None:
            for number in range(each):
                ledger.append([draft(f"note--{name}-{number}", audience=GREEN)])

        def follow() -> None:
            after = 0
            while not ended.is_set() or reader.length > after:
                page = reader.read(SG, after, 7, ALL)
                seen.extend(item.entry.position for item in page.items)
                after = page.last
                reader.wait(after, 0.02)
                if ended.is_set():
                    reader.refresh()

        writers = [
            threading.Thread(target=write, args=(ledger, 4 * at + number))
            for at, ledger in enumerate((one, two))
            for number in range(4)
        ]
        tail = threading.Thread(target=follow)
        for thread in (tail, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        ended.set()
        tail.join()
        assert seen == list(range(1, 8 * each + 1))
        stamps = [entry.stamp_us for entry, _ in reader.scan(0, 1_000)]
        assert all(early < late for early, late in pairwise(stamps))
        heads = set()
        for ledger in (one, two, reader):
            ledger.refresh()
            heads.add((ledger.head().size, ledger.head().root))
        assert len(heads) == 1


def test_a_node_opens_while_another_writes(address: str, tmp_path: Path) -> None:
    """Between any two questions of the one that opens, the other commits."""
    with opened(address, tmp_path / "1") as busy:
        busy.append(numbered(0, 700))
        number = itertools.count(1_000, 50)

        class Overtaken(PostgresStore):
            def turn(self) -> Turn | None:
                told, first = super().turn(), next(number)
                if self.confirmed_s == float("-inf"):  # it is not open yet
                    busy.append(numbered(first, first + 50))
                return told

        ledger = Ledger(tmp_path / "2", store=lambda _: Overtaken(address))
        with contextlib.closing(ledger):
            assert outcomes(ledger.append(numbered(0, 1))) == ["duplicate"]
            assert outcomes(ledger.append(numbered(9_000, 9_300))) == ["accepted"] * 300
            assert ledger.alarm is None


def test_identity_and_state_hold_across_nodes(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path / "1") as one, opened(address, tmp_path / "2") as two:
        assert outcomes(one.append([draft("note--1", b'{"n":1}')])) == ["accepted"]
        assert outcomes(two.append([draft("note--1", b'{"n":1}')])) == ["duplicate"]
        assert outcomes(two.append([draft("note--1", b'{"n":2}')])) == ["conflict"]
        assert two.erase(SG, "note--1", "a name in it") == [1]
        assert outcomes(one.append([draft("note--1", b'{"n":1}')])) == ["accepted"]
        assert one.state.put([Change("room", "a", b"1", expected=0)])
        assert not two.state.put([Change("room", "a", b"2", expected=0)])
        found = two.state.get("room", "a")
        assert found is not None
        assert two.state.put([Change("room", "a", b"2", expected=found.version)])
        assert not one.state.put([Change("room", "a", b"3", expected=found.version)])


def noted(ledger: Ledger, count: int) -> list[int]:
    """Facts that nothing tells from a repetition, entered one by one; the acknowledged ones."""
    positions = []
    for number in range(count):
        one = draft(f"note--{number}", version_us=None, kind="notice")
        with contextlib.suppress(Unavailable):  # not acknowledged: nothing is promised
            positions.append(ledger.append([one])[0].position)
    return positions


def test_a_commit_whose_answer_was_lost_is_neither_repeated_nor_denied(
    address: str, databases: Databases, tmp_path: Path
) -> None:
    """The connection is ended from outside again and again, at any moment of a batch."""
    ended = threading.Event()

    def cut() -> None:
        while not ended.wait(0.1):
            databases.server.cut(address)

    with opened(address, tmp_path) as ledger:
        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            acknowledged = noted(ledger, 60)
        finally:
            ended.set()
            cutter.join()
        ledger.refresh()
        names = [entry.object_id for entry, _ in ledger.scan(0, 1_000)]
        assert len(names) == len(set(names)), "a fact was entered twice"
        assert len(acknowledged) == len(set(acknowledged))
        assert set(acknowledged) <= set(range(1, ledger.length + 1))
        assert len(acknowledged) > 20


def test_a_history_that_was_lost_stops_the_node(databases: Databases, tmp_path: Path) -> None:
    address = databases.fresh()
    with opened(address, tmp_path / "1") as ledger:
        ledger.append(numbered(0, 10))
        with psycopg.connect(address) as link:  # as on a standby that lacked the last entries
            link.execute("SET search_path = bayanihan")
            link.execute("DELETE FROM entries WHERE position > 4")
            link.execute("UPDATE place SET position = 4, peaks = %s", (ledger.store.node(2, 0),))
        with pytest.raises(Broken, match="no longer holds"):
            ledger.append(numbered(10, 11))
        with pytest.raises(Broken, match="no longer holds"):
            ledger.append(numbered(11, 12))
        assert ledger.alarm is not None
        with pytest.raises(Broken, match="ends before"):
            ledger.refresh()


def test_erasure_leaves_nothing_that_a_query_finds(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path) as ledger:
        ledger.append([draft("note--1", b'"sesame-open"'), draft("note--2", b'"kept"')])
        ledger.erase(SG, "note--1", "a name in it")
        with psycopg.connect(address) as link:
            row = link.execute(
                "SELECT author, origin, object_id, version, salt, digest, body, same_key,"
                " object_key, size FROM bayanihan.entries WHERE position = 1"
            ).fetchone()
        assert row == (None,) * 9 + (0,)
        assert ledger.positions_of("note--1") == [3]


def test_an_old_server_and_a_wrong_address_are_named(databases: Databases, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="A store is postgresql://"):
        store_at("mysql://127.0.0.1/x")
    with databases.server.connection() as link:
        link.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(Refused, match="LATIN1") as refusal:
        PostgresStore(databases.server.address("latin"))
    assert (refusal.value.code, "createdb" in refusal.value.next_step) == ("bad-setting", True)


class Answering:
    """A server as far as `Hosts` asks it."""

    def __init__(self, timeline: int) -> None:
        self.timeline, self.closed = timeline, False

    def execute(self, _: str) -> Answering:
        return self

    def fetchone(self) -> tuple[int]:
        return (self.timeline,)

    def close(self) -> None:
        self.closed = True


def test_the_server_on_the_highest_timeline_is_asked() -> None:
    """Which is first in the address, and which answers, makes no difference."""
    up = {"a": 1, "b": 1}
    made: list[Answering] = []

    def connect(described: str) -> Answering:
        for host in described.split(","):
            if host in up:
                made.append(Answering(up[host]))
                return made[-1]
        raise psycopg.OperationalError("nobody answers")

    def asked(hosts: Hosts) -> int:
        before = len(made)
        link, timeline = hosts.in_force()
        assert timeline == link.timeline
        assert [each for each in made[before:] if not each.closed] == [link]
        return int(link.timeline)

    hosts = Hosts(connect, lambda host, **_: host, {"host": "a,b,c"})
    assert asked(hosts) == 1
    del up["a"]
    up["b"] = 2
    assert asked(hosts) == 2
    up["a"] = 1
    assert [asked(hosts) for _ in range(3)] == [2] * 3
    del up["b"]
    with pytest.raises(psycopg.OperationalError, match="nobody"):
        hosts.in_force()
    up.update(a=1, b=1, c=1)
    with pytest.raises(ConnectionLost, match="left behind"):
        hosts.in_force()
    up["c"] = 3
    late = Hosts(connect, lambda host, **_: host, {"host": "a,b,c"})
    assert asked(late) == 3, "a node that starts late is misled"


def test_a_server_that_is_too_old_is_refused_with_the_next_step(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None so old can be had here: what is asked for is newer than the newest."""
    monkeypatch.setattr(postgres_link, "OLDEST_SERVER", 190_000)
    address = databases.empty()
    with pytest.raises(Refused, match=f"PostgreSQL {VERSIONS[0]} is too old") as refusal:
        PostgresStore(address)
    assert (refusal.value.code, "Upgrade" in refusal.value.next_step) == ("bad-setting", True)
    with psycopg.connect(address) as link:
        found = link.execute("SELECT to_regnamespace('bayanihan')").fetchone()
    assert found == (None,), "something was made in a database that will not do"


def test_each_node_lists_what_another_took_back(address: str, tmp_path: Path) -> None:
    with opened(address, tmp_path / "1") as one, opened(address, tmp_path / "2") as two:
        one.append(numbered(0, 4))
        lists = [ErasureList(tmp_path / str(n), each) for n, each in ((1, one), (2, two))]
        lists[0].note(one.erase(SG, "note--1", "a name in it"))
        gone = one.append([draft("note--2", b"{}", kind="withdrawn", version_us=None)])
        lists[0].note([gone[0].position])
        two.refresh()
        lists[1].follow()
        lists[1].follow()
        known = [read_erasures((tmp_path / n / ERASURES).read_bytes()) for n in ("1", "2")]
        assert sorted(known[0], key=str) == sorted(known[1], key=str)
        assert [(each.position, bool(each.withdrawn)) for each in known[1]] == [
            (2, False),
            (3, True),
        ]
        begun = ErasureList(tmp_path / "2", two)  # a node that starts again writes nothing twice
        begun.follow()
        assert read_erasures((tmp_path / "2" / ERASURES).read_bytes()) == known[1]


def test_a_new_history_begins_once_no_node_serves_the_old_one(address: str, tmp_path: Path) -> None:
    """What the database brought back may lack an erasure: the list makes it again."""
    with opened(address, tmp_path / "1") as ledger:
        epoch = ledger.epoch
        ledger.append(numbered(0, 3))
        entry = ledger.store.entry(2)
        assert entry is not None
        wait_seen(ledger)
        with pytest.raises(Refused, match="Nodes serve this ledger") as refusal:
            renew(address, [])
        assert (refusal.value.code, "Stop them" in refusal.value.next_step) == ("in-use", True)
        assert ledger.store.meta("epoch") == epoch
    report, again = renew(address, [Erasure(2, entry.header.leaf.hex()), Erasure(3, "00")])
    assert (report.entries, again) == (3, Again(erased=1))
    with opened(address, tmp_path / "2") as ledger:
        assert ledger.epoch != epoch
        found = [item.entry.object_id for item in ledger.read(SG, 0, 10).items]
        assert found == ["note--0", "note--2"]


def test_a_node_of_the_history_before_is_stopped(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connected, connect = list[Links](), Links.connect

    def noted(links: Links) -> Any:
        connected.append(links)
        return connect(links)

    monkeypatch.setattr(Links, "connect", noted)
    with opened(address, tmp_path / "1") as ledger:
        ledger.append(numbered(0, 3))
        wait_seen(ledger)
        before = len(connected)
        with psycopg.connect(address) as link:
            link.execute("UPDATE bayanihan.meta SET value = 'another!' WHERE name = 'epoch'")
        for act in (ledger.refresh, lambda: ledger.append([draft("note--9")])):
            with pytest.raises(Broken, match="begun a new history") as broken:
                act()
            assert broken.value.code == "history-lost"
        until(lambda: len(connected) > before + 4)
        told = [each for each in caplog.messages if "begun a new history" in each]
        assert len(told) == 1, "a line for each of its tries"
    with opened(address, tmp_path / "2") as again:
        assert again.length == 3
        assert outcomes(again.append([draft("note--9")])) == ["accepted"]


def test_nodes_whose_clocks_differ_by_an_hour_stamp_in_one_order(
    address: str, tmp_path: Path
) -> None:
    """The database's clock counts, and no node's."""
    hour_us = 3_600_000_000

    def off(by_us: int) -> contextlib.closing[Ledger]:
        folder = tmp_path / str(by_us)
        clock = partial(lambda by_us: time.time_ns() // 1_000 + by_us, by_us)
        return contextlib.closing(Ledger(folder, now_us=clock, store=store_at(address)))

    with off(-hour_us) as slow, off(hour_us) as fast:
        began_us = time.time_ns() // 1_000
        told = [
            at.append([draft(f"note--{number}")])[0]
            for number, at in enumerate((slow, fast, fast, slow, slow, fast))
        ]
        ended_us = time.time_ns() // 1_000
    stamps = [one.stamp_us for one in told]
    assert all(early < late for early, late in pairwise(stamps))
    assert began_us - 2_000_000 < stamps[0] < stamps[-1] < ended_us + 2_000_000


def test_a_node_that_starts_after_the_clock_jumped_back_stamps_nothing(
    address: str, tmp_path: Path
) -> None:
    """It has no memory of the clock; the last stamp tells it."""
    hour_us = 3_600_000_000
    with opened(address, tmp_path / "1") as ledger:
        ledger.append([draft("note--1")])
    shift = "UPDATE bayanihan.place SET stamp = stamp + %s"
    with psycopg.connect(address) as link:
        link.execute(shift, (hour_us,))
    with opened(address, tmp_path / "2") as ledger:
        with pytest.raises(Unavailable) as refusal:
            ledger.append([draft("note--2")])
        assert (refusal.value.code, ledger.length) == ("clock-behind", 1)
    with psycopg.connect(address) as link:
        link.execute(shift, (-hour_us,))


def test_pages_proofs_and_erasures_reach_over_partitions(address: str, tmp_path: Path) -> None:
    size = 2 * PARTITION_ROWS + 50
    with opened(address, tmp_path) as ledger:
        versions = [draft("note--all", b"%d" % at, version_us=at) for at in (1, 2, 3)]
        ledger.append([versions[0], *numbered(0, PARTITION_ROWS), versions[1]])
        ledger.append([*numbered(PARTITION_ROWS, size - 3), versions[2]])
        with psycopg.connect(address) as link:
            made = link.execute(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'bayanihan.entries'::regclass"
            ).fetchone()
        assert made == (3,)
        assert all_of(ledger, SG, 7) == list(range(1, size + 1))
        head = ledger.head()
        for position in (1, PARTITION_ROWS, PARTITION_ROWS + 1, 2 * PARTITION_ROWS + 1, size):
            leaf = ledger.entry(SG, position).header.leaf
            path = ledger.prove(position, size)
            assert verify_inclusion(leaf, position - 1, size, path, head.root)
        assert len(ledger.erase(SG, "note--all", "a name in it")) == 3
        assert ledger.positions_of("note--all")[:-1] == []
        gone = {1, PARTITION_ROWS + 2, size}
        assert set(range(1, size + 1)) - set(all_of(ledger, SG, 50, Where())) == gone


def test_a_migration_that_broke_off_goes_on(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes after two parts of five; what is there is the beginning of the record."""
    monkeypatch.setattr(migrating, "_AT_ONCE", 50)
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        ledger.append(numbered(0, 240))
        ledger.erase(SG, "note--7", "a name in it")
        root = ledger.head().root
    address, parts = databases.empty(), itertools.count()

    class GoesAway(PostgresStore):
        def insert(self, rows: Sequence[Row], indexed: Sequence[tuple[int, int, int]] = ()) -> None:
            if next(parts) == 2:
                databases.server.cut(address)
            super().insert(rows, indexed)

    source = SqliteStore(tmp_path / "ledger.db", read_only=True)
    with contextlib.closing(source):
        with contextlib.closing(GoesAway(address)) as target, pytest.raises(ConnectionLost):
            migrate_ledger(source, target)
        with contextlib.closing(PostgresStore(address)) as again:
            assert again.last()[0] == 100
            done = migrate_ledger(source, again)
    assert (done.size, done.copied, done.root) == (241, 141, root.hex())


def test_a_database_clock_that_jumps_back_stops_the_writer(address: str, tmp_path: Path) -> None:
    """The node's own wall clock plays no part; its steady one shows that the database's jumped."""
    passed_us = [0]

    def steady_us() -> int:
        return time.monotonic_ns() // 1_000 + passed_us[0]

    ledger = Ledger(
        tmp_path,
        now_us=lambda: 0,
        clock_us=steady_us,
        store=lambda _: PostgresStore(address, steady_us=steady_us),
    )
    with contextlib.closing(ledger):
        first = ledger.append([draft("note--1")])[0]
        assert abs(first.stamp_us - time.time_ns() // 1_000) < 60_000_000
        passed_us[0] = 3_600_000_000  # an hour by the steady clock, none by the database's
        with pytest.raises(Broken, match="jumped by -3600"):
            ledger.append([draft("note--2")])
        assert ledger.length == 1
