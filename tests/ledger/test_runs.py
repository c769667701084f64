"""The sorted runs: found again after restarts, lost files and cut ones; forgotten when asked."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.ledger.runs import ERASED_KEY, SortedRuns


def run_now(work: Callable[[], None]) -> None:
    work()


def opened(folder: Path, limit: int = 16) -> SortedRuns:
    return SortedRuns(folder, recent_limit=limit, spawn=run_now)


def fill(runs: SortedRuns, keys: list[int]) -> None:
    for position in range(runs.reached + 1, len(keys) + 1):
        runs.add(keys[position - 1], position)


def expected(keys: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for position, key in enumerate(keys, 1):
        found[key].append(position)
    return dict(found)


def keys_of(count: int, seed: int = 1) -> list[int]:
    """Keys over all 64 bits, some of them many times."""
    chance = random.Random(seed)
    return [chance.choice([chance.getrandbits(64), chance.randint(0, 9)]) for _ in range(count)]


def check(runs: SortedRuns, keys: list[int]) -> None:
    wanted = expected(keys)
    assert runs.find_many([*wanted, 12345]) == wanted
    for key in list(wanted)[:50]:
        assert runs.find(key) == wanted[key]


@settings(max_examples=60)
@given(data=st.data())
def test_equals_a_dict(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = data.draw(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 4), max_size=90))
    limit = data.draw(st.integers(1, 20))
    folder = tmp_path_factory.mktemp("runs")
    cut = data.draw(st.integers(0, len(keys)))
    runs = opened(folder, limit)
    fill(runs, keys[:cut])
    if data.draw(st.booleans()):
        runs.close()
    runs = opened(folder, limit)
    assert runs.reached <= cut
    fill(runs, keys)
    assert runs.find_many(keys) == expected(keys)


def test_eight_files_become_one(tmp_path: Path) -> None:
    keys = keys_of(16 * 64 + 16 * 9 + 5)
    runs = opened(tmp_path)
    fill(runs, keys)
    assert sorted(path.stem.split("-")[2] for path in tmp_path.iterdir()) == ["1", "64", "8"]
    check(runs, keys)


@pytest.mark.parametrize(
    "damage", ["deleted", "cut", "emptied", "lengthened", "misnamed", "partial"]
)
@pytest.mark.parametrize("which", [0, 3, -1])
def test_damaged_files_are_filled_in_again(tmp_path: Path, damage: str, which: int) -> None:
    keys = keys_of(16 * 14 + 7)
    runs = opened(tmp_path)
    fill(runs, keys)
    runs.close()
    path = sorted(tmp_path.glob("*.run"))[which]
    whole = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    elif damage == "misnamed":
        path.rename(path.with_name("x-y.run"))
    elif damage == "partial":
        path.rename(path.with_suffix(".partial"))
    else:
        path.write_bytes({"cut": whole[:-8], "emptied": b"", "lengthened": whole + b"x"}[damage])
    runs = opened(tmp_path)
    assert runs.covered < len(keys)
    fill(runs, keys)
    check(runs, keys)
    runs.close()
    check(opened(tmp_path), keys)


def test_a_merge_that_was_cut_short_is_taken_up(tmp_path: Path) -> None:
    """A crash after the merged file was written leaves the small ones beside it."""
    keys = keys_of(16 * 8)
    runs = opened(tmp_path)
    fill(runs, keys[: 16 * 7])
    small = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    fill(runs, keys)
    runs.close()
    for name, data in small.items():
        (tmp_path / name).write_bytes(data)
    runs = opened(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    check(runs, keys)


def test_a_disk_that_cannot_be_written_keeps_keys_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = keys_of(100)
    folder = tmp_path / "runs"
    runs = opened(folder)
    folder.rename(tmp_path / "away")
    fill(runs, keys[:50])
    assert "cannot be written" in caplog.text
    check(runs, keys[:50])
    (tmp_path / "away").rename(folder)
    fill(runs, keys)
    check(runs, keys)
    assert runs.covered == 96


@settings(max_examples=40)
@given(data=st.data())
def test_forgets(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = data.draw(
        st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 4), min_size=1, max_size=90)
    )
    folder = tmp_path_factory.mktemp("runs")
    runs = opened(folder, data.draw(st.integers(1, 20)))
    fill(runs, keys)
    gone = data.draw(st.lists(st.integers(1, len(keys)), unique=True))
    pairs = [(keys[position - 1], position) for position in gone]
    runs.forget_recent(pairs)
    runs.forget(pairs)
    left = [ERASED_KEY if n in gone else key for n, key in enumerate(keys, 1)]
    for again in (runs, opened(folder, 1000)):
        for position in range(again.reached + 1, len(keys) + 1):
            again.add(left[position - 1], position)
        for key in set(keys):
            found = again.find(key)
            true = [n for n, one in enumerate(keys, 1) if one == key and n not in gone]
            assert found == true
    held: set[int] = set()
    for path in folder.iterdir():
        table = np.fromfile(path, dtype="<u8")
        held.update(table[: len(table) // 2].tolist())
    assert not held & ({keys[n - 1] for n in gone} - set(left))
