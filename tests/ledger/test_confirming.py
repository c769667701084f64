"""A node goes on asking what is in force, and telling of it, whatever fails in between."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from bayanihan.errors import Unavailable
from bayanihan.ledger import Confirming, Ledger, SqliteStore, confirming


class Shared(SqliteStore):
    """A store that says that other nodes write as well."""

    @property
    def confirmed_s(self) -> float:  # type: ignore[override]
        return time.monotonic()


class Registry:
    """Stands for what is followed: how it fails next, and what it was asked."""

    edition: object = None
    fault: Exception | None = None
    told = 0
    heard = asyncio.Event()

    def follow(self) -> None:
        fault, self.fault = self.fault, None
        if fault:
            raise fault
        self.edition = self.edition or object()

    def tell(self) -> None:
        self.told += 1
        if self.told == 1:
            raise Unavailable("store-away", "This node cannot tell which keys are in force")
        self.heard.set()


@pytest.mark.parametrize(
    "fault", [sqlite3.OperationalError("disk is full"), Unavailable("store-away", "away")]
)
def test_it_goes_on_asking_and_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(confirming, "_EVERY_S", 0.01)
    registry = Registry()
    with contextlib.closing(Ledger(tmp_path, store=Shared)) as ledger:
        asking = Confirming(ledger, registry.follow, lambda: registry.edition, registry.tell)

        async def go_on() -> None:
            registry.fault, registry.heard = fault, asyncio.Event()
            await asking.ask()
            knew = asking.holds
            registry.fault = fault
            asking.start()
            async with asyncio.timeout(60):
                await registry.heard.wait()
            assert (knew, asking.holds) == (False, True)
            assert asking.failed is None
            await asking.stop()

        asyncio.run(go_on())
    assert registry.told == 2, "told again until it was heard, and then no more"
