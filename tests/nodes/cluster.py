"""A primary with two synchronous standbys and nodes over it, and callers that load them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import httpx

from tests.nodes.conftest import check
from tests.sim.objects import indicator
from tests.sim.postgres import Server, several
from tests.sim.process import RunningHub

DURABLE = {"wal_level": "replica", "max_wal_senders": "8", "hot_standby": "on"}
NAMES = ("s1", "s2")


def ask_for_standbys(server: Server) -> None:
    """From now on a commit on this primary needs one of the standbys."""
    with server.connection() as link:
        link.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (s1, s2)'")
        link.execute("SELECT pg_reload_conf()")


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

    def form(self) -> None:
        """Let two standbys follow the primary, of which one must have each commit."""
        primary = self.servers[0]
        for server, name in zip(self.servers[1:], NAMES, strict=True):
            server.follow(primary, name).start()
        self.wait_streaming(2)
        ask_for_standbys(primary)

    def furthest(self) -> Server:
        """Of the standbys that run: the one that holds most."""
        found = []
        for server in self.servers[1:]:
            with server.connection() as link:
                row = link.execute("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn").fetchone()
                found.append((row[0] if row else 0, server))
        return max(found, key=lambda each: each[0])[1]


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


def everything_is_there(cluster: Cluster, load: Load, key: str) -> list[str]:
    """Every acknowledged report, once, at every node that runs, in one order; which they are."""
    acknowledged, until_s = load.stop(), time.monotonic() + 30
    seen: list[list[str]] = [[], [""]]
    while any(found != seen[0] for found in seen) and time.monotonic() < until_s:
        # A report that nobody was told of may still come, between the one list and the other.
        seen = [hub.ids(key) for hub in cluster.nodes if hub.running]
    for found in seen:
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        assert found == seen[0]
    check(cluster.address)
    return acknowledged
