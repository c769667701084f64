"""An agent at a simulated hub, with a clock that the test moves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bayanihan.agent.engine import Command
from bayanihan.agent.hub import Hub
from bayanihan.agent.identity import identity
from bayanihan.agent.place import Place
from bayanihan.agent.turn import Follower, Order, Outcome
from tests.sim.hub import SimulatedHub

START_US = 1_780_000_000_000_000


def python(code: str, *words: str) -> Command:
    """A command that runs a few lines of Python."""
    return Command((sys.executable, "-c", code, *words))


class Bench:
    """A folder with an agent's file in it, at one hub."""

    def __init__(self, folder: Path, hub: SimulatedHub) -> None:
        self.folder = folder
        self.hub = hub
        self.out = folder / "rpz.zone"
        self.state = folder / "state"
        self.now_us = START_US
        self.rested_s: list[float] = []

    def tick(self) -> int:
        self.now_us += 1
        return self.now_us

    def turn(
        self,
        *,
        feed: str = "rpz.zone",
        check: Command | None = None,
        reload: Command | None = None,
        probe: Command | None = None,
        control: str = "good.example",
        key: str = "byn_a_b",
    ) -> Outcome:
        """One turn of an agent that was just started."""
        order = Order(
            feed=feed,
            state_folder=self.state,
            check=check,
            reload=reload,
            probe=probe,
            control=control,
        )
        with closing(Place(self.out)) as place, closing(Hub(self.hub.address, key)) as hub:
            signing_key = identity(self.state, lambda size: bytes(size))
            follower = Follower(
                order,
                hub,
                place,
                signing_key,
                now_us=self.tick,
                rest=self.rested_s.append,
                choose=lambda _below: 0,
            )
            return follower.turn()

    def loose_files(self) -> list[str]:
        """What lies beside the file that should not."""
        kept = {"rpz.zone", ".rpz.zone.lock", ".rpz.zone.record", ".rpz.zone.last-good", "state"}
        return [path.name for path in self.folder.iterdir() if path.name not in kept]


@pytest.fixture
def hub() -> Iterator[SimulatedHub]:
    with SimulatedHub() as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, hub: SimulatedHub) -> Bench:
    return Bench(tmp_path, hub)
