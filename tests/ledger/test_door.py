"""The SQLite ledger beyond its contract: bytes on disk, threads, event loops, indexes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bayanihan.core.marking import PUBLIC, Audience, Viewer
from bayanihan.core.merkle import root_of, verify_consistency, verify_inclusion
from bayanihan.errors import BayanihanError, Broken, Unavailable
from bayanihan.ledger import Draft, Entry, Ledger, SqliteStore, Where, check_ledger
from bayanihan.ledger.identity import Identity
from bayanihan.ledger.runs import SortedRuns
from bayanihan.ledger.state import Documents
from tests.sim.engine import reading, sqlite_of

GREEN = Audience("green")
SG = Viewer(key="k", person="ana", member="SG")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "data", index_limit=16)) as opened:
        yield opened


def drafts(first: int, end: int, body: bytes = b"x") -> list[Draft]:
    return [Draft("object", GREEN, "ana", "SG", f"note--{n}", body, 1) for n in range(first, end)]


# --- erasure ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [40, 3_000, 200_000])
def test_an_erased_body_is_in_no_file(ledger: Ledger, tmp_path: Path, size: int) -> None:
    secret, person = b"Juan dela Cruz 0917", "a-very-private-person"
    for n in range(60):
        body = secret * (size // len(secret)) if n % 20 == 7 else b"harmless %d" % n
        object_id = "victim--1" if n % 20 == 7 else f"note--{n}"
        author = person if n % 20 == 7 else "ana"
        ledger.append([Draft("object", GREEN, author, "SG", object_id, body, n)])

    def places(text: bytes) -> list[Path]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return [path for path in files if text in path.read_bytes()]

    assert places(secret)
    assert len(ledger.erase(SG, "victim--1", "asked for")) == 3
    assert places(secret) == []
    assert places(person.encode()) == []
    ledger.close()
    assert places(secret) == []


def test_an_erasure_that_a_crash_cut_short_is_finished_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    hashes: list[bytes] = []

    def crash(self: Identity, entries: Sequence[Entry]) -> None:
        hashes.extend(self.keys_of(entry)[0].to_bytes(8, "little") for entry in entries)
        raise OSError("the power went out")

    def places() -> list[Path]:
        files = (folder / "index").rglob("*.run")
        return [path for path in files if any(one in path.read_bytes() for one in hashes)]

    with contextlib.closing(Ledger(folder, index_limit=16)) as ledger:
        ledger.append(drafts(0, 40))
    with contextlib.closing(Ledger(folder, index_limit=16)) as ledger, monkeypatch.context() as m:
        m.setattr(Identity, "forget", crash)
        with pytest.raises(Unavailable):
            ledger.erase(SG, "note--7", "asked for")
    assert len(places()) == 1, "the index still knows it"
    with contextlib.closing(Ledger(folder, index_limit=16)) as ledger:
        assert places() == []
        assert ledger.positions_of("note--7") == [41], "the word of the erasure alone"
        assert ledger.positions_of("note--8") == [9]
    with contextlib.closing(Ledger(folder, index_limit=16)) as ledger:
        assert ledger.state.list("forgetting") == []


def test_an_erasure_beside_a_reader_ends_once_the_reader_does(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.append(drafts(0, 3, b"a secret"))
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "ledger.db")) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM entries").fetchone()
        done = threading.Event()

        def erase() -> None:
            ledger.erase(SG, "note--1", "x")
            done.set()

        thread = threading.Thread(target=erase)
        thread.start()
        ledger.wait(3, 30)
        ledger.append(drafts(3, 6))  # a reader holds up the emptying, never the writer
        assert not done.is_set()
        other.execute("ROLLBACK")
    thread.join()
    assert done.is_set()


def test_the_indexes_forget_what_was_erased(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        ledger.append(drafts(0, 40))
        (entry,) = (ledger.entry(SG, at) for at in (6,))
        keys = ledger._identity.keys_of(entry)
        recent = ledger.entry(SG, 40)
        recent_keys = ledger._identity.keys_of(recent)
        ledger.erase(SG, "note--5", "x")
        ledger.erase(SG, "note--39", "x")
    folder = next((tmp_path / "index").iterdir())
    for name, places in (("identity", (keys[0], recent_keys[0])), ("objects", (keys[1],))):
        runs = SortedRuns(folder / name)
        for key in places:
            assert not {6, 40} & set(runs.find(key))
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        assert [one.outcome for one in ledger.append(drafts(4, 7))] == [
            "duplicate",
            "accepted",
            "duplicate",
        ]


# --- reading ---------------------------------------------------------------------------------


def test_what_arrives_between_two_audiences_is_not_stepped_over(ledger: Ledger) -> None:
    """An entry of the first audience and one of the second, while the second is asked."""
    hidden = Audience("red", persons=("x",))
    shown = [Audience("red", persons=("ana", name)) for name in ("b", "c")]

    def add(audience: Audience, name: str) -> int:
        draft = Draft("object", audience, "ana", "SG", name, b"x", 1)
        return ledger.append([draft])[0].position

    positions = [add(audience, f"first--{n}") for n, audience in enumerate(shown)]
    for n in range(120):  # more than a page's first step walks over by itself
        add(hidden, f"hidden--{n}")
    positions += [add(audience, f"second--{n}") for n, audience in enumerate(shown)]
    asked: list[str] = []

    def meanwhile(statement: str) -> None:
        if "entries_seen" in statement and "LIMIT" in statement:
            asked.append(statement)
            if len(asked) == 3:  # both flags of the first audience have answered
                positions.extend([add(shown[0], "late--0"), add(shown[1], "late--1")])

    reading(ledger).set_trace_callback(meanwhile)
    page = ledger.read(SG, 0, 10)
    reading(ledger).set_trace_callback(None)
    assert len(asked) >= 3
    seen = [item.entry.position for item in page.items]
    rest = ledger.read(SG, page.last, 10)
    assert seen + [item.entry.position for item in rest.items] == positions


# --- indexes ---------------------------------------------------------------------------------


def test_lost_indexes_are_filled_in(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        ledger.append(drafts(0, 300))
    shutil.rmtree(tmp_path / "index")
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        assert {one.outcome for one in ledger.append(drafts(0, 300))} == {"duplicate"}
        assert len(ledger.read(SG, 0, 9, Where(object_id="note--7")).items) == 1


def test_indexes_of_a_longer_history_are_thrown_away(tmp_path: Path) -> None:
    """A file put back from an older copy, with the indexes of the newer one beside it."""
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        ledger.append(drafts(0, 50))
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy")
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        ledger.append(drafts(50, 200))
    (tmp_path / "copy").replace(tmp_path / "ledger.db")
    with contextlib.closing(Ledger(tmp_path, index_limit=16)) as ledger:
        outcomes = [one.outcome for one in ledger.append(drafts(40, 60))]
        assert outcomes == ["duplicate"] * 10 + ["accepted"] * 10
        assert check_ledger(ledger.store).ok


def test_indexes_of_another_ledger_are_not_used(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with contextlib.closing(Ledger(tmp_path / name, index_limit=16)) as ledger:
            ledger.append(drafts(0, 40))
    shutil.copytree(tmp_path / "a" / "index", tmp_path / "b" / "index", dirs_exist_ok=True)
    with contextlib.closing(Ledger(tmp_path / "b", index_limit=16)) as ledger:
        assert {one.outcome for one in ledger.append(drafts(0, 40))} == {"duplicate"}


def test_an_index_that_cannot_be_filled_refuses_every_append(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        ledger.append(drafts(0, 10))
    shutil.rmtree(tmp_path / "index")
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute("UPDATE entries SET kind = 99 WHERE position = 5")
        db.commit()
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        for _ in range(2):
            with pytest.raises(Broken):
                ledger.append(drafts(10, 12))
        with pytest.raises(Broken):
            ledger.read(SG, 0, 10, Where(object_id="note--1"))


# --- threads and event loops -----------------------------------------------------------------


def test_connections_end_with_their_threads(ledger: Ledger) -> None:
    ledger.append(drafts(0, 3))
    before = len(sqlite_of(ledger).readers)
    for _ in range(30):
        thread = threading.Thread(target=ledger.read, args=(SG, 0, 10))
        thread.start()
        thread.join()
    assert len(sqlite_of(ledger).readers) == before


def test_rights_are_kept_for_so_many_viewers(ledger: Ledger) -> None:
    ledger.append(drafts(0, 3))
    for n in range(6_000):
        viewer = Viewer(key=f"k{n}", person=f"p{n}", member="SG")
        assert list(ledger.rights(viewer)) == [1]
    assert ledger.rights(PUBLIC) == ()
    assert len(ledger._pages._rights) <= 4_096


def test_after_closing_everything_says_so(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(drafts(0, 1))
    ledger.close()
    for act in (
        lambda: ledger.append(drafts(1, 2)),
        lambda: ledger.read(SG, 0, 1),
        lambda: ledger.state.get("room", "a"),
    ):
        with pytest.raises(Unavailable) as caught:
            act()
        assert caught.value.code == "stopping"


def test_every_caller_is_answered_when_it_stops(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    answers: list[str] = []
    began = threading.Barrier(9)

    def call(name: int) -> None:
        began.wait()
        for n in range(50):
            try:
                answers.append(ledger.append(drafts(name * 100 + n, name * 100 + n + 1))[0].outcome)
            except BayanihanError as error:
                answers.append(error.code)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    began.wait()
    ledger.wait(20, 30)
    ledger.close()
    for thread in threads:
        thread.join()
    assert len(answers) == 400
    assert set(answers) <= {"accepted", "stopping"}
    with contextlib.closing(Ledger(tmp_path)) as again:
        assert again.length == answers.count("accepted")


async def test_the_event_loop_is_not_blocked(ledger: Ledger) -> None:
    waiting = [asyncio.create_task(ledger.wait_soon(0, 30)) for _ in range(20)]
    await asyncio.sleep(0)
    appended = await asyncio.gather(
        *[ledger.append_soon(drafts(n, n + 2)) for n in range(0, 40, 2)]
    )
    assert sorted(one.position for some in appended for one in some) == list(range(1, 41))
    assert all(reached >= 1 for reached in await asyncio.gather(*waiting))
    assert await ledger.wait_soon(40, 0.01) == 40
    with pytest.raises(Broken):
        await ledger.append_soon([Draft("object", GREEN, "ana", "SG", "n", b"", 1 << 70)])


def test_a_loop_that_is_gone_does_not_stop_the_writer(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path)) as ledger:

        async def leave() -> None:
            tasks = [asyncio.create_task(ledger.wait_soon(0, 30)) for _ in range(3)]
            tasks += [asyncio.create_task(ledger.change_soon(slow))]
            await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()

        entered, go_on = threading.Event(), threading.Event()

        def slow(documents: Documents) -> int:
            entered.set()
            go_on.wait(30)
            return 1

        asyncio.run(leave())
        assert entered.wait(30)
        go_on.set()
        assert ledger.append(drafts(0, 2))[1].position == 2
        assert ledger.append(drafts(2, 3))[0].position == 3


# --- the tree --------------------------------------------------------------------------------


def test_a_tree_beyond_65536(tmp_path: Path) -> None:
    """Three levels of tiles; reopened on either side of the edge."""
    for end in (65_535, 65_537, 66_000):
        with contextlib.closing(Ledger(tmp_path)) as ledger:
            for at in range(ledger.length, end, 5_000):
                ledger.append(drafts(at, min(end, at + 5_000)))
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        leaves = [entry.header.leaf for entry, _ in ledger.scan(0, 70_000)]
        root = root_of(leaves)
        assert ledger.head().root == root
        for old in (1, 255, 256, 257, 32_768, 65_535, 65_536, 65_537, 66_000):
            path = ledger.prove(old, 66_000)
            assert verify_inclusion(leaves[old - 1], old - 1, 66_000, path, root)
            path = ledger.extend(old, 66_000)
            assert verify_consistency(old, 66_000, path, root_of(leaves[:old]), root)
        assert check_ledger(ledger.store).ok


def test_a_damaged_tile_is_not_built_upon(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        ledger.append(drafts(0, 600))
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute("UPDATE tiles SET hashes = zeroblob(32) WHERE level = 1")
        db.commit()
    with pytest.raises(Broken) as caught:
        Ledger(tmp_path)
    assert caught.value.code == "record-damaged"


# --- files -----------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append(drafts(0, 1))
    for path in (tmp_path / "data").glob("ledger.db*"):
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_what_is_no_ledger_and_what_is_newer(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database " * 100)
    with pytest.raises(Broken) as caught:
        SqliteStore(tmp_path / "ledger.db")
    assert caught.value.code == "record-damaged"
    with contextlib.closing(Ledger(tmp_path / "new")):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "new" / "ledger.db")) as db:
        db.execute("UPDATE meta SET value = CAST('99' AS BLOB) WHERE name = 'schema'")
        db.commit()
    with pytest.raises(Broken) as caught:
        Ledger(tmp_path / "new")
    assert caught.value.code == "data-newer"


@pytest.mark.long
def test_the_write_ahead_log_does_not_grow_without_end(ledger: Ledger, tmp_path: Path) -> None:
    for at in range(0, 40_000, 500):
        ledger.append(drafts(at, at + 500, b"x" * 8_000))
        ledger.read_bodies(SG, max(0, at - 100), 100)
    assert (tmp_path / "data" / "ledger.db-wal").stat().st_size < 200 << 20
