"""kill -9 at any moment: what was acknowledged is there, nothing is half there."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from bayanihan.core.marking import Viewer
from bayanihan.ledger import Ledger, SqliteStore, check_ledger
from tests.ledger.appending import body_of, drafts_of

ROOT = Path(__file__).resolve().parents[2]
SG = Viewer(key="k", person="ana", member="SG")


def killed(folder: Path, run: int, lines: int) -> list[tuple[int, int, int]]:
    """What a process acknowledged before it was killed, some time after `lines` lines."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.appending", str(folder), str(run)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        text = "".join(first) + process.stdout.read()
    found = [
        tuple(map(int, line.split()))
        for line in text.splitlines(keepends=True)
        if line[-1:] == "\n"
    ]
    return [(batch, first, last) for batch, first, last in found]


def check_after(folder: Path, run: int, acknowledged: list[tuple[int, int, int]]) -> None:
    store = SqliteStore(folder / "ledger.db", read_only=True)
    try:
        assert check_ledger(store).faults == []
    finally:
        store.close()
    ledger = Ledger(folder, index_limit=128)
    try:
        for batch, first, last in acknowledged:
            drafts = drafts_of(run, batch)
            for position, draft in zip(range(first, last + 1), drafts, strict=True):
                assert ledger.body(SG, position) == draft.body
        batch, _, last = acknowledged[-1]
        beyond = [ledger.entry(SG, at).object_id for at in range(last + 1, ledger.length + 1)]
        following = [d.object_id for b in range(batch + 1, batch + 9) for d in drafts_of(run, b)]
        assert beyond == following[: len(beyond)]
        sizes = {
            sum(len(drafts_of(run, b)) for b in range(batch + 1, end))
            for end in range(batch + 1, batch + 9)
        }
        assert len(beyond) in sizes, "half a batch is there"
        again = ledger.append(drafts_of(run, batch))
        assert {one.outcome for one in again} == {"duplicate"}
    finally:
        ledger.close()


def rounds(folder: Path, count: int, seed: int) -> None:
    chance = random.Random(seed)
    for run in range(count):
        acknowledged = killed(folder, run, chance.randint(1, 25))
        assert acknowledged
        check_after(folder, run, acknowledged)


def test_kill_20_times(tmp_path: Path) -> None:
    rounds(tmp_path, 20, seed=1)


@pytest.mark.long
def test_kill_200_times(tmp_path: Path) -> None:
    rounds(tmp_path, 200, seed=2)


def test_bodies_differ() -> None:
    assert len({body_of(run, n) for run in range(3) for n in range(50)}) == 150
