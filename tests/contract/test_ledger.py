"""The contract suite against each engine, and the checker after every check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bayanihan.ledger import Ledger, SqliteStore, check_ledger
from bayanihan.ledger.contract import CHECKS, Make


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("index_limit", [None, 16], ids=["one-run", "many-runs"])
def test_sqlite(check: Callable[[Make], None], index_limit: int | None, tmp_path: Path) -> None:
    check(lambda: Ledger(tmp_path, index_limit=index_limit))
    store = SqliteStore(tmp_path / "ledger.db", read_only=True)
    try:
        assert check_ledger(store).faults == []
    finally:
        store.close()
