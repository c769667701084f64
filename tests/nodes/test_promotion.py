"""A primary with two standbys, two nodes over it, and kill -9 for any of them, under load."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bayanihan.ledger import Ledger, store_at
from bayanihan.ledger.contract.scene import draft
from tests.nodes.cluster import DURABLE, Cluster, Load, everything_is_there
from tests.nodes.conftest import node
from tests.sim.objects import indicator
from tests.sim.postgres import Server

pytestmark = pytest.mark.long


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    primary = Server(settings=DURABLE).make().start()
    made = Cluster([primary, Server(settings=DURABLE), Server(settings=DURABLE)])
    try:
        made.form()
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


def test_standbys_that_hang_hold_up_reports_and_lose_none(cluster: Cluster) -> None:
    """One may hang for as long as it likes; while both do, nothing is acknowledged."""
    one, two = cluster.servers[1:]
    key = cluster.nodes[0].key("ID")
    load = Load(cluster.nodes, key)
    time.sleep(1)
    one.freeze()
    frozen_s = time.monotonic()
    time.sleep(3)
    assert load.gap_s(frozen_s) < 10, "one standby that hangs stopped the reports"
    two.freeze()
    time.sleep(1)  # what was under way when it froze
    count = len(load.acknowledged)
    time.sleep(6)
    assert len(load.acknowledged) == count, "what is on no standby was acknowledged"
    two.thaw()
    until_s = time.monotonic() + 60
    while len(load.acknowledged) < count + 10:
        assert time.monotonic() < until_s, "the reports do not go on"
        time.sleep(0.05)
    one.thaw()
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
