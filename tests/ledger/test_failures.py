"""Failures that hurt, as a table: failed, succeeded but the answer was lost, disk full."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import BayanihanError, Broken, Unavailable
from bayanihan.ledger import Change, Draft, Ledger, SqliteStore, check_ledger
from bayanihan.ledger.explain import explain

GREEN = Audience("green")
SG = Viewer(key="k", person="ana", member="SG")


class Failing(SqliteStore):
    """A store whose next transaction fails in a chosen way."""

    fault = ""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        fault, self.fault = self.fault, ""
        if fault == "before":
            raise OSError(28, "No space left on device")
        with super().transaction():
            yield
            if fault == "at commit":
                raise sqlite3.OperationalError("disk I/O error")
        if fault == "answer lost":
            raise sqlite3.OperationalError("disk I/O error")
        self.fault = fault if fault == "after" else ""

    def audiences_grew(self) -> None:
        fault, self.fault = self.fault, ""
        if fault == "after":
            raise MemoryError
        super().audiences_grew()


def drafts(*numbers: int) -> list[Draft]:
    return [Draft("object", GREEN, "ana", "SG", f"note--{n}", b"%d" % n, 1) for n in numbers]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, store=Failing)
    yield opened
    opened.close()
    store = SqliteStore(tmp_path / "ledger.db", read_only=True)
    assert check_ledger(store).faults == []
    store.close()


def failing(ledger: Ledger) -> Failing:
    assert isinstance(ledger.store, Failing)
    return ledger.store


@pytest.mark.parametrize("fault", ["before", "at commit"])
def test_what_failed_left_nothing(ledger: Ledger, fault: str) -> None:
    ledger.append(drafts(1, 2))
    failing(ledger).fault = fault
    with pytest.raises(BayanihanError) as caught:
        ledger.append(drafts(2, 3))
    assert caught.value.family in {"unavailable", "broken"}
    assert ledger.length == 2
    again = ledger.append(drafts(2, 3, 4))
    assert [(one.outcome, one.position) for one in again] == [
        ("duplicate", 2),
        ("accepted", 3),
        ("accepted", 4),
    ]


def test_a_commit_whose_answer_was_lost_is_answered(ledger: Ledger) -> None:
    ledger.append(drafts(1))
    failing(ledger).fault = "answer lost"
    assert [one.position for one in ledger.append(drafts(2, 3))] == [2, 3]
    assert ledger.length == 3
    again = ledger.append(drafts(3, 4))
    assert [(one.outcome, one.position) for one in again] == [("duplicate", 3), ("accepted", 4)]
    assert [item.body for item in ledger.read(SG, 0, 10).items] == [b"1", b"2", b"3", b"4"]


def test_what_fails_after_a_commit_does_not_end_the_writer(ledger: Ledger) -> None:
    failing(ledger).fault = "after"
    assert [one.position for one in ledger.append(drafts(1))] == [1]
    assert (ledger.length, ledger.alarm) == (1, None)
    again = ledger.append(drafts(1, 2))
    assert [(one.outcome, one.position) for one in again] == [("duplicate", 1), ("accepted", 2)]
    assert len(ledger.read(SG, 0, 10).items) == 2


def test_state_fails_whole(ledger: Ledger) -> None:
    failing(ledger).fault = "at commit"
    with pytest.raises(BayanihanError):
        ledger.state.put([Change("room", "a", b"1"), Change("room", "b", b"1")])
    assert ledger.state.list("room") == []
    assert ledger.state.put([Change("room", "a", b"1", expected=0)])


def test_one_bad_job_does_not_sink_its_neighbours(ledger: Ledger) -> None:
    futures = []
    for n in range(40):
        bad = n % 10 == 3
        one = Draft("object", GREEN, "ana", "SG", f"note--{n}", b"x", 1 << 70 if bad else 1)
        futures.append((bad, one))
    import threading

    outcomes: dict[int, str] = {}

    def append(n: int, one: Draft) -> None:
        try:
            outcomes[n] = ledger.append([one])[0].outcome
        except BayanihanError as error:
            outcomes[n] = error.code

    threads = [threading.Thread(target=append, args=(n, one)) for n, (_, one) in enumerate(futures)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: code != "accepted" for n, code in outcomes.items()} == {
        n: bad for n, (bad, _) in enumerate(futures)
    }
    assert ledger.length == 36


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "family", "code"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL), Unavailable, "disk-full"),
        (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), Unavailable, "disk-full"),
        (sqlite_error(sqlite3.SQLITE_BUSY), Unavailable, "overloaded"),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), Broken, "record-damaged"),
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT), Broken, "internal"),
        (OSError(28, "No space left on device"), Unavailable, "disk-full"),
        (KeyError("x"), Broken, "internal"),
    ],
)
def test_each_failure_says_what_to_do(error: Exception, family: type, code: str) -> None:
    found = explain(error)
    assert isinstance(found, family)
    assert found.code == code


@contextlib.contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[None]:
    """A file system of a few megabytes, where the right to mount one is there."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"the full disk must be tested in CI: {mounted.stderr.strip()}")
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def filled(act: Callable[[int], object]) -> BayanihanError:
    """The error that ends a series of acts."""
    for n in range(10_000):
        try:
            act(n)
        except BayanihanError as error:
            return error
    raise AssertionError("the disk never filled")


def test_a_full_disk(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    with small_disk(place, 8 << 20):
        ballast = place / "ballast"
        ballast.write_bytes(bytes(3 << 20))
        with contextlib.closing(Ledger(place / "data", index_limit=16)) as ledger:
            big = [
                Draft("object", GREEN, "ana", "SG", f"note--{n}", b"x" * 50_000, 1)
                for n in range(999)
            ]
            done: list[int] = []

            def add(n: int) -> None:
                done.extend(one.position for one in ledger.append([big[n]]))

            error = filled(add)
            assert (error.family, error.code) == ("unavailable", "disk-full")
            assert error.retry_after_s
            assert done == list(range(1, len(done) + 1))
            assert ledger.length == len(done)
            assert ledger.body(SG, len(done)) == b"x" * 50_000
            ballast.unlink()
            again = ledger.append(big[: len(done) + 5])
            assert [one.outcome for one in again] == ["duplicate"] * len(done) + ["accepted"] * 5
        with contextlib.closing(Ledger(place / "data", index_limit=16)) as reopened:
            assert reopened.append(big[:1])[0].outcome == "duplicate"
            assert check_ledger(reopened.store).faults == []
