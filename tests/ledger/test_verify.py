"""The checker finds each planted fault, and nothing where there is none."""

from __future__ import annotations

import contextlib
import sqlite3
import tracemalloc
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.ledger import Draft, Ledger, Report, SqliteStore, check_ledger
from bayanihan.ledger.contract.scene import numbered

GREEN, CLEAR = Audience("green"), Audience("clear")
SG = Viewer(key="k", person="ana", member="SG")
COUNT = 700

FAULTS = {
    "a byte of a body": (
        "UPDATE entries SET body = CAST('body 99' AS BLOB) WHERE position = 78",
        "entry 78: its body is not what was submitted",
    ),
    "a body and its digest": (
        (
            "UPDATE entries SET body = x'00', digest ="
            " x'6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d', size = 1"
            " WHERE position = 78"
        ),
        "entry 78: its leaf does not commit to it",
    ),
    "a leaf": (
        (
            "UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE position = 3)"
            " WHERE position = 4"
        ),
        "entry 4: its leaf does not commit to it",
    ),
    "a leaf of an erased entry": (
        "UPDATE entries SET leaf = zeroblob(32) WHERE position = 10",
        "tile 0/0 does not match the leaves",
    ),
    "stamps": (
        "UPDATE entries SET stamp = stamp - 1000000000 WHERE position = 50",
        "entry 50: its stamp does not follow the one before",
    ),
    "a row": ("DELETE FROM entries WHERE position = 300", "position 300 is missing before 301"),
    "the last rows": ("DELETE FROM entries WHERE position > 500", "tile 1/0 does not match"),
    "an audience": (
        "UPDATE entries SET audience = 1 WHERE audience = 2 AND position = 200",
        "entry 200: its leaf does not commit to it",
    ),
    "an audience that is unknown": (
        "UPDATE entries SET audience = 99 WHERE position = 200",
        "entry 200: its audience 99 is unknown",
    ),
    "what an audience means": (
        ('UPDATE audiences SET definition = CAST(\'{"level":"clear"}\' AS BLOB) WHERE id = 2'),
        "its leaf does not commit to it",
    ),
    "an audience that is no JSON": (
        "UPDATE audiences SET definition = x'7b' WHERE id = 2",
        "the record cannot be read to its end",
    ),
    "the exercise flag": (
        "UPDATE entries SET exercise = 1 WHERE position = 20",
        "entry 20: its leaf does not commit to it",
    ),
    "the author": (
        "UPDATE entries SET author = 'bao' WHERE position = 20",
        "entry 20: its leaf does not commit to it",
    ),
    "a kind that is unknown": (
        "UPDATE entries SET kind = 77 WHERE position = 20",
        "entry 20: its kind 77 is unknown",
    ),
    "half an erasure": (
        "UPDATE entries SET body = NULL WHERE position = 20",
        "entry 20: a part of it is missing",
    ),
    "an erased body put back": (
        "UPDATE entries SET body = x'00' WHERE position = 10",
        "entry 10: a part of it is missing",
    ),
    "a tile": (
        "UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND number = 1",
        "tile 0/1 does not match the leaves",
    ),
    "an upper tile": (
        "UPDATE tiles SET hashes = zeroblob(64) WHERE level = 1",
        "tile 1/0 does not match the leaves",
    ),
    "a lost tile": ("DELETE FROM tiles WHERE level = 1", "tile 1/0 does not match the leaves"),
}


def sown(folder: Path) -> None:
    with contextlib.closing(Ledger(folder)) as ledger:
        ledger.append(
            [
                Draft("object", (CLEAR, GREEN)[n % 2], "ana", "SG", f"note--{n}", b"body %d" % n, 1)
                for n in range(COUNT - 1)
            ]
        )
        ledger.erase(SG, "note--9", "x")


def verified(folder: Path) -> Report:
    with contextlib.closing(SqliteStore(folder / "ledger.db", read_only=True)) as store:
        return check_ledger(store)


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    sown(tmp_path)
    report = verified(tmp_path)
    assert report.faults == []
    assert (report.entries, report.erased) == (COUNT, 1)
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        assert report.root == ledger.head().root.hex()


@pytest.mark.parametrize("fault", FAULTS)
def test_finds(tmp_path: Path, fault: str) -> None:
    sown(tmp_path)
    statement, expected = FAULTS[fault]
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        assert db.execute(statement).rowcount > 0
        db.commit()
    report = verified(tmp_path)
    assert not report.ok
    assert any(expected in found for found in report.faults), report.faults[:5]


def test_finds_a_flipped_byte_in_the_file(tmp_path: Path) -> None:
    sown(tmp_path)
    path = tmp_path / "ledger.db"
    whole = path.read_bytes()
    at = whole.index(b"body 123")
    path.write_bytes(whole[:at] + b"B" + whole[at + 1 :])
    assert verified(tmp_path).faults == ["entry 124: its body is not what was submitted"]


def test_finds_torn_pages(tmp_path: Path) -> None:
    sown(tmp_path)
    path = tmp_path / "ledger.db"
    whole = bytearray(path.read_bytes())
    at = whole.index(b"body 123") & ~8191
    whole[at : at + 64] = bytes(64)
    path.write_bytes(whole)
    assert any("cannot be read" in fault for fault in verified(tmp_path).faults)


def test_gives_up_after_so_many_faults(tmp_path: Path) -> None:
    sown(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute("UPDATE entries SET stamp = 5")
        db.commit()
    with contextlib.closing(SqliteStore(tmp_path / "ledger.db", read_only=True)) as store:
        assert len(check_ledger(store, limit=10).faults) == 10


def test_the_checker_keeps_no_leaf_longer_than_its_tile(tmp_path: Path) -> None:
    """A record of 10^8 entries is checked in the memory that a small one takes."""
    peaks = []
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        for size in (1_000, 4_000):
            ledger.append(numbered(ledger.length, size))
            tracemalloc.start()
            assert check_ledger(ledger.store).ok
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 3_000 * 32, "it grows by more than a hash an entry"
