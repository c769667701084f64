"""One key per state folder, for its owner alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bayanihan.agent.identity import KEY_FILE, identity
from bayanihan.errors import Refused


def test_is_made_once(tmp_path: Path) -> None:
    first = identity(tmp_path / "deep" / "state", os.urandom)
    again = identity(tmp_path / "deep" / "state", os.urandom)
    assert first.public == again.public
    assert identity(tmp_path / "other", os.urandom).public != first.public


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    identity(tmp_path / "state", os.urandom)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [KEY_FILE]


def test_first_runs_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: identity(tmp_path, os.urandom).public, range(32)))
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe", b"A" * 44])
def test_a_damaged_key_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    with pytest.raises(Refused) as caught:
        identity(tmp_path, os.urandom)
    assert caught.value.where == str(path)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused) as caught:
        identity(tmp_path / "file" / "state", os.urandom)
    assert caught.value.code == "cannot-write"
