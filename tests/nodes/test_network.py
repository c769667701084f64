"""The network between: the primary's line is cut under load, and comes back."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bayanihan.ledger import Ledger, store_at
from tests.nodes.cluster import DURABLE, NAMES, Cluster, Load, ask_for_standbys, everything_is_there
from tests.nodes.conftest import node
from tests.sim.network import Machine, missing, network
from tests.sim.objects import indicator
from tests.sim.postgres import Server
from tests.sim.process import RunningHub

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing())]
WITHIN_S = 120.0
# What somebody on the cut machine gets for a report: the status, or 0 for no answer.
_REPORT = """
import json, sys, httpx
url, key, body = sys.argv[1:]
try:
    told = httpx.post(url, content=body, headers={"Authorization": f"Bearer {key}"}, timeout=12)
    print(told.status_code)
except httpx.TransportError:
    print(0)
"""


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that must come to pass."""
    end_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end_s, what
        time.sleep(0.1)


def followers(server: Server) -> int:
    """How many standbys follow a server."""
    with server.connection() as link:
        row = link.execute("SELECT count(*) FROM pg_stat_replication").fetchone()
    return row[0] if row else 0


def end(hub: RunningHub) -> None:
    """kill -9, if it still runs."""
    if hub.running:
        hub.kill()


@dataclass
class Apart:
    """A cluster whose machines are apart: `nodes[0]` has its own, `nodes[1]` the primary's."""

    cluster: Cluster
    machines: list[Machine]

    def report_there(self, key: str, said: dict[str, str]) -> int:
        """Report to the node beside the first primary, from that machine."""
        words = (f"{self.cluster.nodes[1].url}/api/objects", key, json.dumps({"objects": [said]}))
        command = [*self.machines[0].inside, sys.executable, "-c", _REPORT, *words]
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        return int(done.stdout)

    def fail_over(self) -> Server:
        """What whoever watches the servers does: promote, and let the other follow."""
        chosen = self.cluster.furthest()
        (other,) = (each for each in self.cluster.servers[1:] if each is not chosen)
        name = NAMES[self.cluster.servers.index(other) - 1]
        chosen.promote()
        line = f"host={chosen.host} port={chosen.port} user=postgres application_name={name}"
        with other.connection() as link:
            link.execute("ALTER SYSTEM SET primary_slot_name = ''")
            link.execute(f"ALTER SYSTEM SET primary_conninfo = '{line}'")
            link.execute("SELECT pg_reload_conf()")
        ask_for_standbys(chosen)
        return chosen


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    with network() as net, contextlib.ExitStack() as closing:
        machines = [net.machine() for _ in range(4)]
        servers = [
            Server(settings=DURABLE, host=each.address, inside=each.inside) for each in machines[:3]
        ]
        for server in servers:
            closing.callback(server.stop)
        servers[0].make().start()
        cluster = Cluster(servers)
        cluster.form()
        for name, machine in (("own", machines[3]), ("beside", machines[0])):
            like = cluster.nodes[0] if cluster.nodes else None
            hub = node(tmp_path / name, cluster.address, like)
            hub.host, hub.inside, hub.ready_within_s = machine.address, machine.inside, WITHIN_S
            cluster.nodes.append(hub.start())
            closing.callback(end, hub)
        yield Apart(cluster, machines)


def test_a_primary_that_was_cut_off_acknowledges_nothing_more(
    apart: Apart, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, old = apart.cluster, apart.cluster.servers[0]
    own, beside = cluster.nodes
    key = own.key("SG")
    load = Load([own], key)
    until(lambda: len(load.acknowledged) > 20, "nothing is acknowledged")
    apart.machines[0].cut()
    chosen = apart.fail_over()
    promoted_s = time.monotonic()
    until(lambda: followers(chosen) == 1, "the other standby does not follow")
    followed_s = time.monotonic() - promoted_s
    lost = [indicator() for _ in range(2)]
    assert apart.report_there(key, lost[0]) != 200, "what is on no standby was acknowledged"
    until(lambda: load.acknowledged[-1][0] > promoted_s + 1, "the node does not find its way")
    gap_s = load.gap_s(promoted_s)

    apart.machines[0].mend()
    mended_s = time.monotonic()
    with contextlib.closing(Ledger(tmp_path / "new", store=store_at(cluster.address))) as ledger:
        known = [entry.object_id for entry, _ in ledger.scan(0, 100_000)]
        said = {name for at, name in list(load.acknowledged) if at < mended_s}
        assert said <= set(known), "a node that starts now reads from the one that was left behind"
    until(lambda: load.acknowledged[-1][0] > mended_s + 3, "the old primary stopped the reports")
    beside.wait_ready()
    until(lambda: beside.ask("GET", "/api/members", key).status_code == 200, "it stays away")
    assert old.process is not None
    assert old.process.poll() is None, "nobody fenced it, and the node left it all the same"
    acknowledged = everything_is_there(cluster, load, key)
    assert acknowledged
    with capsys.disabled():
        print(
            f"\nfirst report acknowledged {gap_s:.2f} s after the promotion; its one standby"
            f" followed after {followed_s:.2f} s"
        )
