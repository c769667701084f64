"""What befalls two nodes and their PostgreSQL server during a soak."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.nodes.conftest import check
from tests.sim.postgres import Server
from tests.sim.process import RunningHub, command
from tests.soak.faults import STOPPED_FOR_S

Fault = Callable[[Server, str, Sequence[RunningHub], random.Random], str]
PATIENT_S = 300.0
_copies = itertools.count()


def node_killed(_: Server, __: str, nodes: Sequence[RunningHub], chance: random.Random) -> str:
    """kill -9 of a node, and up again; the other one serves."""
    hub = chance.choice(nodes)
    hub.kill()
    time.sleep(chance.random())
    hub.start()
    return "up again"


def node_stopped(_: Server, __: str, nodes: Sequence[RunningHub], chance: random.Random) -> str:
    """SIGTERM of a node, and up again."""
    hub = chance.choice(nodes)
    ended = hub.stop()
    assert ended.code == 0, f"it ended with {ended.code}: {ended.stderr}"
    hub.start()
    return "ended with 0; up again"


def node_frozen(_: Server, __: str, nodes: Sequence[RunningHub], chance: random.Random) -> str:
    """A node gets no turn for a while, the lock of a batch in its hand perhaps."""
    hub = chance.choice(nodes)
    hub.process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_FOR_S)
    hub.process.send_signal(signal.SIGCONT)
    hub.wait_ready()
    return f"away for {STOPPED_FOR_S:.0f} s; went on"


def both_killed(_: Server, address: str, nodes: Sequence[RunningHub], __: random.Random) -> str:
    """kill -9 of all nodes, the checker, and up again."""
    for hub in nodes:
        hub.kill()
    check(address)
    for hub in nodes:
        hub.start()
    return "the record whole; up again"


def server_killed(
    server: Server, address: str, nodes: Sequence[RunningHub], chance: random.Random
) -> str:
    """kill -9 of the server and all its processes; it recovers from its log."""
    server.kill()
    time.sleep(chance.random())
    server.start()
    check(address)
    for hub in nodes:
        hub.wait_ready()
    return "recovered; the record whole; the nodes went on"


def cut(server: Server, address: str, nodes: Sequence[RunningHub], chance: random.Random) -> str:
    """Every connection is ended, again and again."""
    for _ in range(chance.randint(1, 10)):
        server.cut(address)
        time.sleep(chance.random() / 5)
    for hub in nodes:
        hub.wait_ready()
    return "the nodes went on"


def dumped(server: Server, _: str, nodes: Sequence[RunningHub], chance: random.Random) -> str:
    """The database's own copy, brought back elsewhere, with a new epoch, and checked."""
    name = f"copy_{next(_copies)}"
    copy = server.database(name)
    with TemporaryDirectory(dir=server.folder) as folder:
        Path(folder).chmod(0o777)
        file = f"{folder}/dump"
        server.run("pg_dump", "-d", server.address("soak"), "-n", "bayanihan", "-Fc", "-f", file)
        server.run("pg_restore", "-d", copy, file)
    time.sleep(10)  # the copy says that nodes serve it, until that is old
    for words in (
        ("restore", "--store", copy, "--data", nodes[0].data),
        ("verify", "--store", copy, "--data", nodes[0].data / "none"),
    ):
        ran = command(*words, timeout_s=PATIENT_S)
        assert ran.returncode == 0, ran.stderr.decode()
    with server.connection() as link:
        link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    return "brought back elsewhere; " + ran.stdout.decode().strip().splitlines()[-1]


def verified(_: Server, address: str, nodes: Sequence[RunningHub], __: random.Random) -> str:
    """`bayanihan verify` beside the load."""
    ran = command("verify", "--data", nodes[0].data, "--store", address, timeout_s=PATIENT_S)
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode().strip().splitlines()[-1]


FAULTS: Mapping[str, Fault] = {
    "kill -9 of a node": node_killed,
    "SIGTERM of a node": node_stopped,
    "a node frozen": node_frozen,
    "kill -9 of both nodes": both_killed,
    "kill -9 of the server": server_killed,
    "connections cut": cut,
    "pg_dump": dumped,
    "verify": verified,
}
