"""What befalls the hub during a soak. Each fault says in a few words how it ended."""

from __future__ import annotations

import random
import resource
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.sim.process import RunningHub, command

FULL_FOR_S = 1.0
STOPPED_FOR_S = 2.0

Fault = Callable[[RunningHub, Path, random.Random], str]


def killed(hub: RunningHub, _: Path, chance: random.Random) -> str:
    """kill -9, the checker, and up again."""
    hub.kill()
    hub.check()
    time.sleep(chance.random() / 5)
    hub.start()
    return "the record whole; up again"


def stopped(hub: RunningHub, _: Path, __: random.Random) -> str:
    """SIGTERM, the checker, and up again."""
    ended = hub.stop()
    assert ended.code == 0, f"it ended with {ended.code}"
    hub.check()
    hub.start()
    return "ended with 0; the record whole; up again"


def frozen(hub: RunningHub, _: Path, __: random.Random) -> str:
    """The process gets no turn for a while: the slow machine."""
    hub.process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_FOR_S)
    hub.process.send_signal(signal.SIGCONT)
    hub.wait_ready()
    return f"away for {STOPPED_FOR_S:.0f} s; went on"


def full(hub: RunningHub, _: Path, __: random.Random) -> str:
    """No file may grow: to the hub, the disk is full."""
    largest = max(path.stat().st_size for path in hub.data.rglob("*") if path.is_file())
    limit_bytes = largest + 64 * 1024
    pid = hub.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    time.sleep(FULL_FOR_S)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    hub.wait_ready()
    return "refused or went on; ready after"


def backed_up(hub: RunningHub, folder: Path, chance: random.Random) -> str:
    """A backup beside the load, restored elsewhere and checked."""
    file, data = folder / f"{chance.random()}.tar", folder / f"restored-{chance.random()}"
    for words in (
        ("backup", file, "--data", hub.data),
        ("restore", file, "--data", data),
        ("verify", "--data", data),
    ):
        ran = command(*words)
        assert ran.returncode == 0, ran.stderr.decode()
    return "restored elsewhere; " + ran.stdout.decode().strip().splitlines()[-1]


def verified(hub: RunningHub, _: Path, __: random.Random) -> str:
    """`bayanihan verify` beside the load."""
    ran = command("verify", "--data", hub.data)
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode().strip().splitlines()[-1]


FAULTS: Mapping[str, Fault] = {
    "kill -9": killed,
    "SIGTERM": stopped,
    "frozen": frozen,
    "disk full": full,
    "backup": backed_up,
    "verify": verified,
}
