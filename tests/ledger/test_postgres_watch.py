"""A server that lets everybody wait is left for one reason alone: another was promoted."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from bayanihan.ledger import Ledger, store_at
from bayanihan.ledger.contract.scene import draft, outcomes
from bayanihan.ledger.postgres_hosts import Hosts
from bayanihan.ledger.postgres_watch import Watch
from tests.nodes.cluster import DURABLE
from tests.sim.postgres import Server, several


class Answering:
    """A server as far as `Hosts` asks it."""

    def __init__(self, timeline: int) -> None:
        self.timeline = timeline

    def execute(self, _: str) -> Answering:
        return self

    def fetchone(self) -> tuple[int]:
        return (self.timeline,)

    def close(self) -> None:
        """Nothing is held."""


class Servers:
    """Servers by name: their timelines; 0 is a standby. One that hangs answers when told."""

    def __init__(self, **timelines: int) -> None:
        self.timelines = timelines
        self.hanging = ""
        self.answer = threading.Event()
        self.asked: list[str] = []
        self.hosts = Hosts(self.connect, lambda host, **_: host, {"host": ",".join(timelines)})

    def connect(self, described: str) -> Answering:
        for host in described.split(","):
            self.asked.append(host)
            if host == self.hanging:
                self.answer.wait(30)
            elif timeline := self.timelines[host]:
                return Answering(timeline)
        raise psycopg.OperationalError("nobody takes writes")


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


@contextlib.contextmanager
def watched(servers: Servers, late: Callable[[], bool]) -> Iterator[list[int]]:
    """Somebody looks; the timelines at which what waits was broken off."""
    left: list[int] = []
    watch = Watch(servers.hosts, late, lambda: left.append(servers.hosts.timeline))
    watch.start()
    try:
        yield left
    finally:
        servers.answer.set()
        watch.stop()


def test_one_that_hangs_is_left_once_another_is_promoted() -> None:
    servers = Servers(a=1, b=0, c=0)
    assert servers.hosts.in_force().timeline == 1
    servers.hanging = "a"
    with watched(servers, lambda: True) as left:
        until(lambda: len(left) > 8)  # long enough to know that it hangs
        servers.asked.clear()
        with pytest.raises(psycopg.OperationalError, match="takes writes"):
            servers.hosts.in_force()
        assert "a" not in servers.asked, "whoever is in a hurry waits for one that hangs"
        assert set(left) == {1}, "a slow server was given up though none was promoted"
        servers.timelines["c"] = 2
        until(lambda: 2 in left)
        assert servers.hosts.in_force().timeline == 2
        assert servers.hosts.places[0][0] == "c"


def test_one_that_is_slow_is_asked_again_when_it_answers() -> None:
    servers = Servers(a=1, b=0)
    servers.hosts.in_force()
    servers.hanging, late = "a", [True]
    with watched(servers, lambda: late[0]) as left:
        until(lambda: len(left) > 8)
        servers.hanging = ""
        servers.answer.set()
        late[0] = False
        seen = len(left)
        until(lambda: servers.hosts.timeline == 1 and "a" in described(servers))
        time.sleep(0.5)
        assert len(left) <= seen + 1, "it looks though nothing is late"
        assert servers.hosts.in_force().timeline == 1


def described(servers: Servers) -> list[str]:
    """Whom a new connection asks."""
    servers.asked.clear()
    with contextlib.suppress(psycopg.OperationalError):
        servers.hosts.in_force()
    return list(servers.asked)


@pytest.mark.long
def test_a_commit_that_waits_for_a_server_that_hangs_goes_to_the_next(tmp_path: Path) -> None:
    """Its machine answers, so TCP never gives it up."""
    primary, standby = Server(settings=DURABLE).make().start(), Server(settings=DURABLE)
    try:
        standby.follow(primary, "s1").start()
        store = store_at(several([primary, standby]))
        with contextlib.closing(Ledger(tmp_path, store=store)) as ledger:
            assert outcomes(ledger.append([draft("note--1")])) == ["accepted"]
            until(lambda: bool(ledger.store.confirmed_s and ledger.store.confirmed_s > 0))
            until(lambda: caught_up(primary, standby))
            primary.freeze()
            told: list[str] = []
            caller = threading.Thread(
                target=lambda: told.extend(outcomes(ledger.append([draft("note--2")])))
            )
            caller.start()
            time.sleep(4)
            assert not told
            standby.promote()
            caller.join(20)
            assert told == ["accepted"]
            found = [entry.object_id for entry, _ in ledger.scan(0, 10)]
            assert found == ["note--1", "note--2"]
            primary.thaw()
            assert outcomes(ledger.append([draft("note--3")])) == ["accepted"]
            ledger.refresh()
            assert ledger.length == 3
            assert ledger.alarm is None
    finally:
        primary.stop()
        standby.stop()


def caught_up(primary: Server, standby: Server) -> bool:
    """Whether a standby holds all that its primary wrote."""
    with primary.connection() as one, standby.connection() as two:
        written = one.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        held = two.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", written).fetchone()
    return held == (True,)
