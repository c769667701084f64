"""Who holds a lock, or all connections, holds up the others for a while only."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from bayanihan.errors import Unavailable
from bayanihan.ledger import Ledger, check_ledger, postgres_link, store_at
from bayanihan.ledger.contract.scene import draft, outcomes
from bayanihan.ledger.engine import Row
from bayanihan.ledger.postgres import PostgresStore
from tests.sim.databases import Databases


def test_a_node_that_hangs_holds_up_the_others_for_a_while_only(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_link, "HELD_UP_S", 1)
    hanging, awake = threading.Event(), threading.Event()

    class Hangs(PostgresStore):
        def insert(self, rows: Sequence[Row], indexed: Sequence[tuple[int, int, int]] = ()) -> None:
            super().insert(rows, indexed)
            if not awake.is_set():
                hanging.set()
                awake.wait(60)

    address, told = databases.fresh(), list[str]()
    one = Ledger(tmp_path / "1", store=lambda _: Hangs(address))
    with (
        contextlib.closing(one),
        contextlib.closing(Ledger(tmp_path / "2", store=store_at(address))) as two,
    ):
        caller = threading.Thread(target=lambda: told.extend(outcomes(one.append([draft("n--1")]))))
        caller.start()
        assert hanging.wait(60)
        assert outcomes(two.append([draft("n--2")])) == ["accepted"]
        awake.set()
        caller.join(60)
        assert told == ["accepted"], "what was broken off was not tried again"
        one.refresh()
        assert [entry.object_id for entry, _ in one.scan(0, 10)] == ["n--2", "n--1"]
    with contextlib.closing(store_at(address, read_only=True)(Path())) as store:
        assert check_ledger(store).faults == []


def test_whoever_finds_all_connections_lent_waits_no_longer_than_they_may(
    databases: Databases,
) -> None:
    links = postgres_link.Links(databases.fresh())
    free, lent = threading.Event(), threading.Barrier(postgres_link.CONNECTIONS_LIMIT + 1)

    def hold(_: object) -> None:
        lent.wait(60)
        free.wait(5)

    holders = [
        threading.Thread(target=links.ask, args=(hold,))
        for _ in range(postgres_link.CONNECTIONS_LIMIT)
    ]
    with contextlib.closing(links):
        for holder in holders:
            holder.start()
        lent.wait(60)
        try:
            with pytest.raises(Unavailable) as caught:  # and not an answer after five seconds
                links.ask(lambda link: link.execute("SELECT 1"), within_s=0.1)
            assert caught.value.code == "overloaded"
        finally:
            free.set()
            for holder in holders:
                holder.join()
