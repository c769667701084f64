"""Two hubs over one ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bayanihan.ledger import check_ledger, store_at
from tests.sim.databases import Databases
from tests.sim.process import RunningHub


def node(data: Path, address: str, like: RunningHub | None = None) -> RunningHub:
    """A hub on a ledger, not started; `like` gives it the signing key of another."""
    data.mkdir()
    if like:
        shutil.copy(like.data / "signing.key", data)
        shutil.copy(like.data / "admin.key", data)
    return RunningHub(data, ["--store", address])


def check(address: str) -> None:
    """The checker finds nothing wrong with a ledger."""
    store = store_at(address, read_only=True)(Path())
    try:
        assert check_ledger(store).faults == []
    finally:
        store.close()


@pytest.fixture(scope="module")
def pair(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningHub, RunningHub]]:
    """Two nodes that run; the record is whole at the end."""
    folder, address = tmp_path_factory.mktemp("nodes"), databases.fresh()
    one = node(folder / "one", address)
    two: RunningHub | None = None
    try:
        one.start()
        two = node(folder / "two", address, one).start()
        yield one, two
        assert one.stop().code == 0
        assert two.stop().code == 0
    finally:
        for each in filter(None, (one, two)):
            if each.running:
                each.kill()
    check(address)
