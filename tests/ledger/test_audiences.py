"""The list of audiences in memory, while several threads read it and the writer adds to it."""

from __future__ import annotations

import threading
from pathlib import Path

from bayanihan.core.marking import Audience
from bayanihan.ledger.sqlite import SqliteStore

PAUSE_S = 0.2


class PausingStore(SqliteStore):
    """A store whose first reader is slow between reading the file and keeping what it read."""

    def __init__(self, path: Path) -> None:
        self.has_read, self.may_go_on = threading.Event(), threading.Event()
        super().__init__(path)

    def _audiences_after(self, number: int) -> list[Audience]:
        found = super()._audiences_after(number)
        if not self.has_read.is_set():
            self.has_read.set()
            self.may_go_on.wait(PAUSE_S)
        return found


def add(store: SqliteStore, number: int) -> None:
    with store.transaction():
        store.insert_audience(number, Audience("red", persons=(str(number),)))
    store.audiences_grew()


def test_a_slow_reader_does_not_take_back_what_a_quick_one_has_seen(tmp_path: Path) -> None:
    store = PausingStore(tmp_path / "ledger.db")
    add(store, 1)
    slow = threading.Thread(target=store.audiences)
    slow.start()
    assert store.has_read.wait(10)
    add(store, 2)
    assert len(store.audiences()) == 2
    store.may_go_on.set()
    slow.join()
    assert len(store.audiences()) == 2
    store.close()
