"""A workplace: what a crash left is removed, what another works in is not."""

from __future__ import annotations

from pathlib import Path

from bayanihan.ledger.workplace import workplace


def test_what_a_crash_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".backup-left"
    (left / "work").mkdir(parents=True)
    (left / "work" / "ledger.db").write_bytes(b"all of it")
    other = tmp_path / "backup-monday.tar"
    other.write_bytes(b"kept")
    with workplace(tmp_path, ".backup-") as work:
        assert not left.exists()
        assert work.is_dir()
    assert list(tmp_path.iterdir()) == [other]


def test_two_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    with workplace(tmp_path, ".backup-") as one:
        (one / "file").write_bytes(b"1")
        with workplace(tmp_path, ".backup-") as two:
            assert one != two
            assert (one / "file").exists()
        assert (one / "file").exists()
    assert list(tmp_path.iterdir()) == []
