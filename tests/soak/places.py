"""Where a soak's record is: one hub with a file, or two nodes over a PostgreSQL server."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tests.nodes.conftest import node
from tests.sim.postgres import Server
from tests.sim.process import RunningHub, command
from tests.soak import faults, server_faults

# A node folds what it missed before it is ready, while the other one is loaded.
STARTED_WITHIN_S = 120.0


class Place(Protocol):
    """What a soak soaks. `hub` is asked; it may be away."""

    hub: RunningHub

    def befall(self, folder: Path, chance: random.Random) -> str:
        """Let one fault happen; which, and how it ended."""
        ...

    def end(self) -> int:
        """Stop it; the worst exit code."""
        ...

    def kill(self) -> None:
        """End whatever still runs."""
        ...

    def verified(self) -> subprocess.CompletedProcess[bytes]:
        """`bayanihan verify` on what is left."""
        ...


class InFile:
    """One hub, its record in its data directory."""

    def __init__(self, folder: Path) -> None:
        self.hub = RunningHub(folder / "data").start()

    def befall(self, folder: Path, chance: random.Random) -> str:
        """See `Place`."""
        name = chance.choice(list(faults.FAULTS))
        return f"{name}: {faults.FAULTS[name](self.hub, folder, chance)}"

    def end(self) -> int:
        """See `Place`."""
        return self.hub.stop().code

    def kill(self) -> None:
        """See `Place`."""
        if self.hub.running:
            self.hub.kill()

    def verified(self) -> subprocess.CompletedProcess[bytes]:
        """See `Place`."""
        return command("verify", "--data", self.hub.data)


class EitherNode(RunningHub):
    """Two nodes as one hub: each request goes to the next that runs."""

    def __init__(self, nodes: list[RunningHub]) -> None:
        self.nodes = nodes
        self.data, self.options, self.host = nodes[0].data, nodes[0].options, nodes[0].host
        self._turn = 0

    @property
    def port(self) -> int:  # type: ignore[override]
        """Another one each time that it is asked for."""
        self._turn += 1
        running = [each for each in self.nodes if each.running] or self.nodes
        return running[self._turn % len(running)].port


class OnPostgres:
    """Two nodes over one server, whose commits are durable: its disk is synchronised."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(settings={}).make().start()
        self.address = self.server.database("soak")
        one = node(folder / "one", self.address).start()
        two = node(folder / "two", self.address, one).start()
        one.ready_within_s = two.ready_within_s = STARTED_WITHIN_S
        self.hub: RunningHub = EitherNode([one, two])
        self.nodes = [one, two]
        self._due: list[str] = []

    def befall(self, folder: Path, chance: random.Random) -> str:
        """See `Place`. Each fault has its turn before one comes again: they take long."""
        if not self._due:
            self._due = chance.sample(list(server_faults.FAULTS), len(server_faults.FAULTS))
        name = self._due.pop()
        happened = server_faults.FAULTS[name](self.server, self.address, self.nodes, chance)
        return f"{name}: {happened}"

    def end(self) -> int:
        """See `Place`."""
        return max(each.stop().code for each in self.nodes)

    def kill(self) -> None:
        """See `Place`."""
        for each in self.nodes:
            if each.running:
                each.kill()
        self.server.stop()

    def verified(self) -> subprocess.CompletedProcess[bytes]:
        """See `Place`; the server must run."""
        words = ("verify", "--data", self.nodes[0].data, "--store", self.address)
        return command(*words, timeout_s=server_faults.PATIENT_S)


PLACES: Mapping[str, type[InFile | OnPostgres]] = {"file": InFile, "postgresql": OnPostgres}
