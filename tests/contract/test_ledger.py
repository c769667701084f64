"""The contract suite against each engine, and the checker after every check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bayanihan.ledger import Ledger, SqliteStore, check_ledger, store_at
from bayanihan.ledger.contract import CHECKS, Make
from tests.sim.databases import Databases
from tests.sim.postgres import VERSIONS, Server

every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@every_check
@pytest.mark.parametrize("index_limit", [None, 16], ids=["one-run", "many-runs"])
def test_sqlite(check: Callable[[Make], None], index_limit: int | None, tmp_path: Path) -> None:
    check(lambda: Ledger(tmp_path, index_limit=index_limit))
    store = SqliteStore(tmp_path / "ledger.db", read_only=True)
    try:
        assert check_ledger(store).faults == []
    finally:
        store.close()


def held(check: Callable[[Make], None], address: str, folder: Path) -> None:
    """The check passes on a PostgreSQL database, and the checker finds nothing after it."""
    check(lambda: Ledger(folder, store=store_at(address)))
    store = store_at(address, read_only=True)(folder)
    try:
        assert check_ledger(store).faults == []
    finally:
        store.close()


@every_check
def test_postgres(check: Callable[[Make], None], databases: Databases, tmp_path: Path) -> None:
    held(check, databases.fresh(), tmp_path)


@pytest.fixture(scope="module", params=VERSIONS[1:], ids=lambda version: f"postgres-{version}")
def older(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """An older server."""
    server = Server(request.param).make().start()
    try:
        yield Databases(server)
    finally:
        server.stop()


@pytest.mark.long
@every_check
def test_an_older_postgres(check: Callable[[Make], None], older: Databases, tmp_path: Path) -> None:
    held(check, older.fresh(), tmp_path)
