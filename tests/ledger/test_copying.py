"""Backups beside a working ledger, and the new history that a restore begins."""

from __future__ import annotations

import io
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import Broken, Refused
from bayanihan.ledger import (
    ERASURES,
    Again,
    Draft,
    ErasureList,
    Ledger,
    Where,
    back_up,
    check_ledger,
    read_erasures,
    restore,
)
from bayanihan.ledger.copying import LEDGER, MANIFEST

SG = Viewer("k", "p", "SG", scopes=frozenset({"report"}))
CLEAR = Audience("clear")


def draft(number: int, text: str = "a body") -> Draft:
    body = msgspec.json.encode({"n": number, "text": text})
    return Draft("object", CLEAR, "p", "SG", f"indicator--{number}", body, version_us=1)


def copied(data: Path, out: Path) -> str:
    return back_up(data, out, software="test", made_at="2026-01-01T00:00:00Z").root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    ledger = Ledger(folder)
    ledger.append([draft(number) for number in range(300)])
    ledger.close()
    (folder / "signing.key").write_text("secret")
    return folder


def test_a_restored_backup_verifies_and_has_the_same_root(data: Path, tmp_path: Path) -> None:
    root = copied(data, tmp_path / "b.tar")
    manifest, again = restore(tmp_path / "b.tar", tmp_path / "new", [])
    ledger = Ledger(tmp_path / "new")
    report = check_ledger(ledger.store)
    ledger.close()
    assert report.ok
    assert (report.entries, report.root, manifest.root, again) == (300, root, root, Again())
    assert (tmp_path / "new" / "signing.key").read_text() == "secret"
    assert ((tmp_path / "b.tar").stat().st_mode & 0o777) == 0o600


def test_a_backup_is_whole_while_the_ledger_is_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "data")
    ledger.append([draft(0)])
    stop = threading.Event()

    def write() -> None:
        number = 1
        while not stop.is_set():
            ledger.append([draft(number + step) for step in range(20)])
            number += 20

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            copied(tmp_path / "data", tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    length = ledger.length
    ledger.close()
    manifest, _ = restore(tmp_path / "2.tar", tmp_path / "new", [])
    assert 1 <= manifest.size <= length


def test_a_restore_begins_a_new_epoch_and_older_cursors_answer_reset(
    data: Path, tmp_path: Path
) -> None:
    before = Ledger(data)
    token = before.cursors.seal(before.length)
    before.close()
    copied(data, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "new", [])
    after = Ledger(tmp_path / "new")
    with pytest.raises(Refused) as refused:
        after.cursors.open(token)
    assert refused.value.code == "reset"
    stamps = [item.entry.stamp_us for item in after.read(SG, 0, 1_000).items]
    after.append([draft(10_000)])
    assert after.read(SG, 300, 1).items[0].entry.stamp_us > max(stamps)
    after.close()


def test_what_was_erased_after_the_backup_is_erased_again(data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path / "b.tar")
    ledger = Ledger(data)
    erasures = ErasureList(data, ledger)
    erasures.note(ledger.erase(SG, "indicator--7", "a court said so"))
    ledger.close()
    listed = read_erasures((data / ERASURES).read_bytes())
    _, again = restore(tmp_path / "b.tar", tmp_path / "new", listed)
    assert again == Again(erased=1)
    assert b'{"n":7,' not in (tmp_path / "new" / LEDGER).read_bytes()
    anew = Ledger(tmp_path / "new")
    assert check_ledger(anew.store).ok
    assert check_ledger(anew.store).erased == 1
    (told,) = anew.read(SG, 0, 10, Where(kinds=("erased",))).items
    anew.close()
    assert (told.entry.object_id, told.entry.origin) == ("indicator--7", "SG")
    assert msgspec.json.decode(told.body)["reason"]


def withdrawal(number: int) -> Draft:
    body = msgspec.json.encode({"id": f"indicator--{number}", "origin": "SG"})
    return Draft("withdrawn", CLEAR, "p", "SG", f"indicator--{number}", body)


def test_what_was_withdrawn_after_the_backup_is_withdrawn_again(data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path / "b.tar")
    ledger = Ledger(data)
    erasures = ErasureList(data, ledger)
    for number in (7, 8):
        (done,) = ledger.append([withdrawal(number)])
        erasures.note([done.position])
    erasures.note(ledger.erase(SG, "indicator--8", "a court said so"))
    ledger.append([withdrawal(9)])  # and a crash before it is noted
    ledger.close()
    ledger = Ledger(data)
    ErasureList(data, ledger)
    ErasureList(data, ledger)
    ledger.close()
    listed = read_erasures((data / ERASURES).read_bytes())
    assert len(listed) == len(set(listed))
    _, again = restore(tmp_path / "b.tar", tmp_path / "new", listed)
    assert again == Again(erased=1, withdrawn=2)
    anew = Ledger(tmp_path / "new")
    told = anew.read(SG, 0, 10, Where(kinds=("withdrawn",))).items
    assert check_ledger(anew.store).ok
    copied(tmp_path / "new", tmp_path / "c.tar")
    anew.close()
    assert sorted(item.entry.object_id for item in told) == ["indicator--7", "indicator--9"]
    assert restore(tmp_path / "c.tar", tmp_path / "newer", listed)[1] == Again()


def test_a_withdrawal_is_noted_of_its_own_audience_and_of_no_exercise(data: Path) -> None:
    places = [(CLEAR, False), (CLEAR, True), (Audience("red", persons=("p",)), False)]
    drafts = [
        Draft("object", audience, "p", "SG", "indicator--x", b"{}", version_us=at, exercise=drill)
        for at, (audience, drill) in enumerate(places, 1)
    ]
    ledger = Ledger(data)
    sent = ledger.append(drafts)
    erasures = ErasureList(data, ledger)
    told = Draft("withdrawn", CLEAR, "p", "SG", "indicator--x", b'{"a":1}', exercise=True)
    erasures.note([each.position for each in ledger.append([told])])
    ledger.close()
    listed = read_erasures((data / ERASURES).read_bytes())
    assert [each.position for each in listed] == [sent[1].position]


def test_a_key_that_is_there_is_not_replaced_by_another(data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path / "b.tar")
    new = tmp_path / "new"
    new.mkdir()
    (new / "signing.key").write_text("another")
    with pytest.raises(Refused) as refused:
        restore(tmp_path / "b.tar", new, [])
    assert (refused.value.code, refused.value.where) == ("conflict", str(new / "signing.key"))
    assert [path.name for path in new.iterdir()] == ["signing.key"]
    assert (new / "signing.key").read_text() == "another"
    (new / "signing.key").write_text("secret")
    restore(tmp_path / "b.tar", new, [])


def test_an_erasure_that_was_not_noted_before_a_crash_is_noted_at_the_next_start(
    data: Path,
) -> None:
    ledger = Ledger(data)
    positions = ledger.erase(SG, "indicator--7", "")
    assert not (data / ERASURES).exists()
    ErasureList(data, ledger)
    ErasureList(data, ledger)
    ledger.close()
    found = read_erasures((data / ERASURES).read_bytes())
    assert [each.position for each in found] == positions


def test_an_erasure_list_of_another_history_erases_nothing(data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path / "b.tar")
    foreign = read_erasures(b'{"position":7,"leaf":"%s"}\n' % (b"00" * 32))
    assert restore(tmp_path / "b.tar", tmp_path / "new", foreign)[1] == Again()


def test_a_directory_with_a_ledger_is_not_restored_over(data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path / "b.tar")
    before = (data / LEDGER).read_bytes()
    with pytest.raises(Refused) as refused:
        restore(tmp_path / "b.tar", data, [])
    assert refused.value.code == "conflict"
    assert (data / LEDGER).read_bytes() == before


def altered(source: Path, target: Path, name: str, content: bytes | None) -> None:
    """The tar with one file's content replaced, or the file left out."""
    with tarfile.open(source) as old:
        files = {member.name: old.extractfile(member) for member in old}
        kept = {each: file.read() for each, file in files.items() if file}
    kept[name] = content or b""
    if content is None:
        del kept[name]
    with tarfile.open(target, "w") as new:
        for each, data in kept.items():
            info = tarfile.TarInfo(each)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("name", [LEDGER, MANIFEST, "signing.key"])
@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_a_changed_backup_is_refused(
    data: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    copied(data, tmp_path / "b.tar")
    altered(tmp_path / "b.tar", tmp_path / "c.tar", name, content)
    with pytest.raises(Refused) as refused:
        restore(tmp_path / "c.tar", tmp_path / "new", [])
    assert refused.value.code == "bad-value"
    assert not (tmp_path / "new" / LEDGER).exists()


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\0" * 10_240])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Refused, match="no backup"):
        restore(tmp_path / "x", tmp_path / "new", [])


def test_without_a_ledger_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        copied(tmp_path, tmp_path / "b.tar")
    assert refused.value.code == "cannot-read"


def test_a_record_that_is_damaged_is_told_to_its_operator(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / LEDGER)) as db, db:
        db.execute("UPDATE entries SET body = x'00' WHERE position = 7")
    with pytest.raises(Broken, match="entry 7") as broken:
        copied(data, tmp_path / "b.tar")
    assert broken.value.code == "record-damaged"
    assert not (tmp_path / "b.tar").exists()


def test_a_place_that_is_not_there_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        copied(data, tmp_path / "nowhere" / "b.tar")
    assert (refused.value.code, refused.value.where) == ("cannot-write", str(tmp_path / "nowhere"))
    with pytest.raises(Refused) as refused:
        restore(tmp_path / "nofile", tmp_path / "new", [])
    assert (refused.value.code, (tmp_path / "new").exists()) == ("cannot-read", False)


def test_a_broken_erasure_list_names_its_line() -> None:
    with pytest.raises(Refused) as refused:
        read_erasures(b'{"position":1,"leaf":"00"}\n{"position":')
    assert refused.value.where == "line 2"


@pytest.mark.parametrize("lost_bytes", [1, 60, 130])
def test_a_list_that_a_crash_broke_off_is_mended(data: Path, lost_bytes: int) -> None:
    """Within its last line, at the end of one, or among the lines of one withdrawal."""
    newer = Draft("object", CLEAR, "p", "SG", "indicator--8", b"{}", version_us=2)
    gone = Draft("withdrawn", CLEAR, "p", "SG", "indicator--8", b"{}")
    path = data / ERASURES
    with closing(Ledger(data)) as ledger:
        listing = ErasureList(data, ledger)
        listing.note(ledger.erase(SG, "indicator--7", "a name in it"))
        listing.note([ledger.append([newer, gone])[1].position])
        whole = path.read_bytes()
        assert [each.position for each in read_erasures(whole)] == [8, 9, 302]
        path.write_bytes(whole[:-lost_bytes])
        ErasureList(data, ledger)
        assert path.read_bytes() == whole
        path.write_bytes(whole + b"\0" * 10_000)
        listing.note(ledger.erase(SG, "indicator--9", "another"))
        assert [each.position for each in read_erasures(path.read_bytes())] == [8, 9, 302, 10]


def test_a_note_that_failed_is_made_up_for(data: Path) -> None:
    with closing(Ledger(data)) as ledger:
        listing = ErasureList(data, ledger)
        (data / ERASURES).mkdir()
        with pytest.raises(OSError, match="directory"):
            listing.note(ledger.erase(SG, "indicator--7", "a name in it"))
        (data / ERASURES).rmdir()
        listing.follow()
        assert [each.position for each in read_erasures((data / ERASURES).read_bytes())] == [8]
