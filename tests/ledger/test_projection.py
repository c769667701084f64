"""Projections resume, are rebuilt to the same, and are thrown away when they must be."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import Broken
from bayanihan.ledger import (
    Draft,
    Entry,
    Ledger,
    Projection,
    Report,
    check_projection,
)

GREEN = Audience("green")
SG = Viewer(key="k", person="ana", member="SG")


class Sizes(Projection):
    """How large each object is; an erased one is no longer known."""

    name = "sizes"
    kinds = ("object", "erased")
    schema = "CREATE TABLE sizes (id TEXT PRIMARY KEY, body BLOB); CREATE TABLE folds (n INTEGER)"

    def fold(self, entry: Entry, body: bytes | None) -> None:
        if entry.header.kind == "erased":
            self.db.execute("DELETE FROM sizes WHERE id = ?", (entry.object_id,))
        elif body is not None:
            self.db.execute("INSERT OR REPLACE INTO sizes VALUES (?, ?)", (entry.object_id, body))


class Interrupted(Sizes):
    """Fails in the middle of a slice, as a crash between fold and save would."""

    fails_at = 0

    def fold(self, entry: Entry, body: bytes | None) -> None:
        super().fold(entry, body)
        if entry.position == self.fails_at:
            raise InterruptedError


class Newer(Sizes):
    version = 2


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "data")) as opened:
        yield opened


def sow(ledger: Ledger, first: int, end: int) -> None:
    ledger.append(
        [
            Draft(
                "notice" if n % 7 == 3 else "object",
                GREEN,
                "ana",
                "SG",
                f"note--{n}",
                b"body %d" % n,
                1,
            )
            for n in range(first, end)
        ]
    )


def level(projection: Projection, ledger: Ledger, limit: int = 10) -> None:
    while projection.catch_up(ledger.scan, ledger.length, limit):
        pass
    assert projection.position == ledger.length


def rows(projection: Projection) -> int:
    (count,) = projection.reading.execute("SELECT count(*) FROM sizes").fetchone()
    return int(count)


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_resumes_where_it_stopped(ledger: Ledger, tmp_path: Path, limit: int) -> None:
    place = partial(Sizes, tmp_path / "p", ledger.epoch)
    for end in (0, 30, 30, 61):
        sow(ledger, ledger.length, end)
        with contextlib.closing(place(ledger.length)) as projection:
            level(projection, ledger, limit)
            assert rows(projection) == sum(n % 7 != 3 for n in range(end))
    with contextlib.closing(Sizes(None, ledger.epoch)) as again:
        level(again, ledger)
        with contextlib.closing(place(ledger.length)) as projection:
            assert projection.digest() == again.digest()


def test_a_crash_between_fold_and_save_folds_nothing_twice(ledger: Ledger, tmp_path: Path) -> None:
    sow(ledger, 0, 40)
    place = (tmp_path / "p", ledger.epoch, 40)
    with contextlib.closing(Interrupted(*place)) as projection:
        projection.fails_at = 26
        projection.catch_up(ledger.scan, 40, 10)
        before, known = projection.position, rows(projection)
        assert 0 < before < 26
        with pytest.raises(InterruptedError):
            level(projection, ledger)
        assert 0 < projection.position < 26
        assert rows(projection) >= known
    with contextlib.closing(Interrupted(*place)) as projection:
        assert 0 < projection.position < 26
        level(projection, ledger)
        with contextlib.closing(Sizes(None, ledger.epoch)) as again:
            level(again, ledger)
            assert projection.digest() == again.digest()


def test_another_epoch_version_or_longer_history_is_thrown_away(
    ledger: Ledger, tmp_path: Path
) -> None:
    sow(ledger, 0, 20)
    folder = tmp_path / "p"
    for kind, epoch, length in (
        (Sizes, b"epoch 2!", 20),
        (Newer, ledger.epoch, 20),
        (Sizes, ledger.epoch, 19),
    ):
        with contextlib.closing(Sizes(folder, ledger.epoch, 20)) as projection:
            level(projection, ledger)
        with contextlib.closing(kind(folder, epoch, length)) as projection:
            assert projection.position == 0
            assert rows(projection) == 0
    (folder / "sizes.db").write_bytes(b"no database at all" * 100)
    with contextlib.closing(Sizes(folder, ledger.epoch, 20)) as projection:
        assert projection.position == 0


def test_the_checker_refuses_a_file_of_another_history(ledger: Ledger, tmp_path: Path) -> None:
    with contextlib.closing(Sizes(tmp_path / "p", b"epoch 2!", 0)):
        pass
    with pytest.raises(Broken, match="another history"):
        Sizes(tmp_path / "p", ledger.epoch, read_only=True)


def checked(found: Projection, ledger: Ledger) -> Report:
    report = Report()
    check_projection(found, partial(Sizes, None, ledger.epoch), ledger.store, report)
    return report


def test_a_tampered_row_is_found(ledger: Ledger, tmp_path: Path) -> None:
    sow(ledger, 0, 40)
    with contextlib.closing(Sizes(tmp_path / "p", ledger.epoch, 40)) as projection:
        projection.catch_up(ledger.scan, 40, 25)
        report = checked(projection, ledger)
        assert report.ok
        assert report.projections == {"sizes": projection.position}
        assert 0 < projection.position < 40
        with contextlib.closing(sqlite3.connect(tmp_path / "p" / "sizes.db")) as db:
            db.execute("UPDATE sizes SET body = 'other' WHERE id = 'note--4'")
            db.commit()
        report = checked(projection, ledger)
        assert report.faults == [
            f"projection sizes: differs from a replay up to {projection.position}"
        ]


def test_one_that_stands_behind_an_erasure_is_not_called_wrong(
    ledger: Ledger, tmp_path: Path
) -> None:
    sow(ledger, 0, 20)
    with contextlib.closing(Sizes(tmp_path / "p", ledger.epoch, 20)) as projection:
        level(projection, ledger)
        ledger.erase(SG, "note--5", "x")
        report = checked(projection, ledger)
        assert report.ok
        assert report.unchecked == ["sizes"]
        level(projection, ledger)
        report = checked(projection, ledger)
        assert report.ok
        assert report.unchecked == []


def test_an_erasure_in_the_middle_of_the_check_is_not_called_a_fault(
    ledger: Ledger, tmp_path: Path
) -> None:
    sow(ledger, 0, 20)

    def again() -> Sizes:
        ledger.erase(SG, "note--5", "x")
        return Sizes(None, ledger.epoch)

    with contextlib.closing(Sizes(tmp_path / "p", ledger.epoch, 20)) as projection:
        level(projection, ledger)
        report = Report()
        check_projection(projection, again, ledger.store, report)
        assert (report.faults, report.unchecked) == ([], ["sizes"])


def test_an_erased_body_leaves_the_file(ledger: Ledger, tmp_path: Path) -> None:
    name = b"Maria Clara of Binondo, account 4711"
    sow(ledger, 0, 20)
    ledger.append([Draft("object", GREEN, "ana", "SG", "note--x", name * 50, 1)])
    with contextlib.closing(Sizes(tmp_path / "p", ledger.epoch, 20)) as projection:
        level(projection, ledger)
        files = list((tmp_path / "p").iterdir())
        assert any(name in file.read_bytes() for file in files)
        ledger.erase(SG, "note--x", "x")
        level(projection, ledger)
        assert not any(name in file.read_bytes() for file in files)


def test_a_reader_only_puts_off_that_an_erased_body_leaves_the_log(
    ledger: Ledger, tmp_path: Path
) -> None:
    name = b"in-the-log.example"
    ledger.append([Draft("object", GREEN, "ana", "SG", "note--x", name * 50, 1)])
    projection = Sizes(tmp_path, ledger.epoch)
    level(projection, ledger)
    log = tmp_path / "sizes.db-wal"
    with contextlib.closing(sqlite3.connect(tmp_path / "sizes.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sizes").fetchone()
        ledger.erase(SG, "note--x", "x")
        level(projection, ledger)
        assert log.stat().st_size
    assert not projection.catch_up(ledger.scan, ledger.length)
    assert log.stat().st_size == 0
    projection.close()


class Remembering(Sizes):
    """Keeps what it folded in memory too, and fails in a chosen place once."""

    fault = ""

    def loaded(self) -> None:
        self.known: list[str] = []
        self.put_aside: list[str] = []

    def begun(self) -> None:
        self.put_aside = []

    def fold(self, entry: Entry, body: bytes | None) -> None:
        super().fold(entry, body)
        self.put_aside.append(entry.object_id)

    def gathered(self) -> None:
        self._fail("before the commit")

    def folded(self) -> None:
        self._fail("telling")
        self.known += self.put_aside

    def _empty(self) -> None:
        self._fail("emptying the log")
        super()._empty()

    def _fail(self, where: str) -> None:
        if self.fault == where:
            self.fault = ""
            raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("fault", ["before the commit", "telling", "emptying the log"])
def test_what_a_commit_owes_is_made_up_for_at_the_next_call(
    ledger: Ledger, tmp_path: Path, fault: str
) -> None:
    sow(ledger, 0, 2)
    with contextlib.closing(Remembering(tmp_path / "p", ledger.epoch)) as projection:
        level(projection, ledger)
        ledger.erase(SG, "note--1", "x")
        projection.fault = fault
        with pytest.raises(sqlite3.OperationalError):
            level(projection, ledger)
        level(projection, ledger)
        assert projection.known == ["note--0", "note--1", "note--1"], "each once"
        assert (tmp_path / "p" / "sizes.db-wal").stat().st_size == 0
