"""A machine that stops in the middle of a write leaves half a write behind."""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience, Viewer
from bayanihan.ledger import Draft, Ledger, check_ledger

GREEN = Audience("green")
SG = Viewer(key="k", person="ana", member="SG")


def drafts(first: int, end: int) -> list[Draft]:
    return [
        Draft("object", GREEN, "ana", "SG", f"note--{n}", b"body %d " % n * 50, 1)
        for n in range(first, end)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_torn_write_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    """The write-ahead log is cut, or holds rubbish, somewhere after the last acknowledgement."""
    chance = random.Random(seed)
    with contextlib.closing(Ledger(tmp_path / "running")) as ledger:
        ledger.append(drafts(0, 100))
        log = tmp_path / "running" / "ledger.db-wal"
        acknowledged_bytes = log.stat().st_size
        ledger.append(drafts(100, 200))
        shutil.copytree(tmp_path / "running", tmp_path / "stopped")
    torn = tmp_path / "stopped" / "ledger.db-wal"
    whole = torn.read_bytes()
    assert len(whole) > acknowledged_bytes
    at = chance.randrange(acknowledged_bytes, len(whole) - 1)
    rubbish = chance.randbytes(len(whole) - at) if seed % 2 else b""
    torn.write_bytes(whole[:at] + rubbish)
    (tmp_path / "stopped" / "ledger.db-shm").unlink()
    with contextlib.closing(Ledger(tmp_path / "stopped")) as ledger:
        assert ledger.length == 100, "the half of a batch is no entry"
        for n in range(100):
            assert ledger.body(SG, n + 1) == drafts(n, n + 1)[0].body
        assert check_ledger(ledger.store).faults == []
        outcomes = [one.outcome for one in ledger.append(drafts(90, 200))]
        assert outcomes == ["duplicate"] * 10 + ["accepted"] * 100
        assert check_ledger(ledger.store).faults == []
