"""A real hub for the tests that need one: shared by a worker's tests, or of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.databases import Databases
from tests.sim.postgres import Server
from tests.sim.process import RunningHub


@pytest.fixture(scope="session")
def shared_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One hub process; it must end well and have had nothing to complain of."""
    hub = RunningHub(tmp_path_factory.mktemp("shared") / "data").start()
    yield hub
    stopped = hub.stop()
    assert stopped.code == 0, stopped.stderr
    complaints = [line for line in stopped.stderr.splitlines() if " WARNING uvicorn" not in line]
    assert complaints == []


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The newest PostgreSQL server there is, for all tests of a worker."""
    server = Server().make().start()
    try:
        yield Databases(server)
    finally:
        server.stop()


@pytest.fixture
def hub(shared_hub: RunningHub) -> Iterator[RunningHub]:
    """The shared hub; after each test the checker finds its record whole."""
    yield shared_hub
    shared_hub.check()


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A hub of this test alone, not started; whatever the test leaves running is ended."""
    hub = RunningHub(tmp_path / "data")
    yield hub
    if hub.running:
        hub.kill()
    if (hub.data / "ledger.db").exists():
        hub.check()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's own hubs is used."""
    for name in ("BAYANIHAN_HUB", "BAYANIHAN_KEY", "BAYANIHAN_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def at(hub: RunningHub, told: None, monkeypatch: pytest.MonkeyPatch) -> RunningHub:
    """The shared hub, named in the environment with its operator's key."""
    monkeypatch.setenv("BAYANIHAN_HUB", hub.url)
    monkeypatch.setenv("BAYANIHAN_DATA", str(hub.data))
    return hub
