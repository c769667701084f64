"""A primary with two standbys, two nodes over it, and kill -9 for any of them, under load."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from bayanihan.ledger import Ledger, store_at
from bayanihan.ledger.contract.scene import draft
from tests.nodes.conftest import check, node
from tests.sim.objects import indicator
from tests.sim.postgres import Server, several
from tests.sim.process import RunningHub

pytestmark = pytest.mark.long

DURABLE = {"wal_level": "replica", "max_wal_senders": "8", "hot_standby": "on"}


@dataclass
class Cluster:
    """Three servers and two nodes."""

    servers: list[Server]
    nodes: list[RunningHub] = field(default_factory=list)

    @property
    def address(self) -> str:
        return several(self.servers)

    def wait_streaming(self, count: int) -> None:
        """Wait until so many standbys follow."""
        until_s = time.monotonic() + 30
        with self.servers[0].connection() as link:
            while time.monotonic() < until_s:
                found = link.execute("SELECT count(*) FROM pg_stat_replication").fetchone()
                if found and found[0] >= count:
                    return
                time.sleep(0.05)
        raise AssertionError("the standbys do not follow")

    def furthest(self) -> Server:
        """Of the standbys that run: the one that holds most."""
        found = []
        for server in self.servers[1:]:
            with server.connection() as link:
                row = link.execute("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn").fetchone()
                found.append((row[0] if row else 0, server))
        return max(found, key=lambda each: each[0])[1]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    primary = Server(settings=DURABLE).make().start()
    made = Cluster([primary])
    try:
        for name in ("s1", "s2"):
            standby = Server(settings=DURABLE).follow(primary, name)
            made.servers.append(standby.start())
        made.wait_streaming(2)
        with primary.connection() as link:
            link.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (s1, s2)'")
            link.execute("SELECT pg_reload_conf()")
        one = node(tmp_path / "one", made.address).start()
        made.nodes.append(one)
        made.nodes.append(node(tmp_path / "two", made.address, one).start())
        yield made
    finally:
        for hub in made.nodes:
            if hub.running:
                hub.kill()
        for server in made.servers:
            server.stop()


class Load:
    """Callers that report one by one to either node, and note when each was acknowledged."""

    def __init__(self, nodes: list[RunningHub], key: str) -> None:
        self._nodes, self._key = nodes, key
        self.acknowledged: list[tuple[float, str]] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(at,)) for at in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self, at: int) -> None:
        turn = at
        while not self._ended.is_set():
            said = indicator()
            while not self._ended.is_set():
                turn += 1
                if self._told(self._nodes[turn % len(self._nodes)], said):
                    self.acknowledged.append((time.monotonic(), said["id"]))
                    break

    def _told(self, hub: RunningHub, said: dict[str, str]) -> bool:
        """The same report again until it is acknowledged, at the other node if need be."""
        try:
            answer = hub.ask("POST", "/api/objects", self._key, json={"objects": [said]})
        except httpx.TransportError:
            time.sleep(0.05)
            return False
        if answer.status_code != 200:
            assert answer.status_code == 503, answer.text
            time.sleep(0.05)
            return False
        return answer.json()["results"][0]["result"] in ("accepted", "duplicate")

    def stop(self) -> list[str]:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
        return [name for _, name in self.acknowledged]

    def gap_s(self, after_s: float) -> float:
        """How long after a moment the first report was acknowledged."""
        return min(at for at, _ in self.acknowledged if at > after_s) - after_s


def everything_is_there(cluster: Cluster, load: Load, key: str) -> None:
    """Every acknowledged report, once, at every node that runs, in one order."""
    acknowledged = load.stop()
    seen = [hub.ids(key) for hub in cluster.nodes if hub.running]
    for found in seen:
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        assert found == seen[0]
    check(cluster.address)


def test_the_primary_is_killed_and_a_standby_promoted(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    key = cluster.nodes[0].key("SG")
    load = Load(cluster.nodes, key)
    time.sleep(3)
    cluster.servers[0].kill()
    time.sleep(1)
    chosen = cluster.furthest()
    began_s = time.monotonic()
    chosen.promote()
    promoted_s = time.monotonic()
    time.sleep(4)
    with capsys.disabled():
        print(
            f"\npromote took {promoted_s - began_s:.2f} s; first report acknowledged"
            f" {load.gap_s(promoted_s):.2f} s after; {len(load.acknowledged)} in all"
        )
    everything_is_there(cluster, load, key)


def test_a_standby_and_a_node_are_killed(cluster: Cluster) -> None:
    key = cluster.nodes[0].key("MY")
    load = Load(cluster.nodes, key)
    time.sleep(1)
    cluster.servers[1].kill()
    killed_s = time.monotonic()
    time.sleep(2)
    assert load.gap_s(killed_s) < 10, "a lost standby stopped the reports"
    cluster.nodes[1].kill()
    killed_s = time.monotonic()
    time.sleep(2)
    load.gap_s(killed_s)
    cluster.nodes[1].start()
    everything_is_there(cluster, load, key)


def test_a_commit_that_is_on_no_standby_is_not_acknowledged(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Also where an administrator breaks off the wait, which PostgreSQL calls a success."""
    with (
        contextlib.closing(Ledger(tmp_path / "here", store=store_at(cluster.address))) as ledger,
        ThreadPoolExecutor(1) as caller,
    ):
        for server in cluster.servers[1:]:
            server.kill()
        waiting = caller.submit(ledger.append, [draft("note--1")])
        time.sleep(1)
        cluster.servers[0].cancel_waits()
        time.sleep(1)
        assert not waiting.done(), "what is on no standby was acknowledged"
        for server in cluster.servers[1:]:
            server.start()
        assert [one.outcome for one in waiting.result(60)] == ["accepted"]
        ledger.refresh()
        found = [entry.object_id for entry, _ in ledger.scan(0, 1_000)]
        assert found.count("note--1") == 1


def test_a_primary_without_standbys_lets_no_key_in(cluster: Cluster) -> None:
    """Cut off, it cannot commit: what it says may be old. CLEAR is served to whoever asks."""
    hub = cluster.nodes[0]
    key = hub.key("TH")
    hub.push(hub.admin, indicator(), tlp="clear")
    for server in cluster.servers[1:]:
        server.kill()
    until_s = time.monotonic() + 20
    while hub.ask("GET", "/api/objects", key).status_code == 200:
        assert time.monotonic() < until_s, "a node that cannot tell lets a key in"
        time.sleep(0.2)
    refused = hub.ask("GET", "/api/objects", key)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "store-away"
    assert hub.ask("GET", "/feeds/domains.txt").status_code == 200
    assert hub.ask("GET", "/health/live").status_code == 200
    for server in cluster.servers[1:]:
        server.start()
    until_s = time.monotonic() + 20
    while hub.ask("GET", "/api/objects", key).status_code != 200:
        assert time.monotonic() < until_s, "the node does not come back"
        time.sleep(0.2)
