"""`bayanihan verify` as an operator runs it: beside a hub, without one, and on damage."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bayanihan.hub import PROJECTIONS
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command


def verify(data: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and what `--json` says."""
    done = command("verify", "--data", data, "--json")
    assert done.stderr == b""
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


@pytest.fixture
def filled(own_hub: RunningHub) -> Iterator[RunningHub]:
    """A hub that holds a little of everything, stopped."""
    hub = own_hub.start()
    sg = hub.key("SG")
    objects = [indicator() for _ in range(20)]
    hub.push(sg, *objects)
    hub.ask("DELETE", f"/api/objects/{objects[0]['id']}", sg)
    hub.ask("POST", f"/api/objects/{objects[1]['id']}/erase", sg)
    assert hub.stop().code == 0
    kept = shutil.copytree(hub.data, hub.data.with_name("kept"))
    yield hub
    shutil.rmtree(hub.data)
    shutil.move(kept, hub.data)  # the damage was ours


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute(statement).rowcount > 0
        database.commit()


def test_it_works_beside_a_running_hub_and_without_one(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    hub.push(hub.key("SG"), *[indicator() for _ in range(20)])
    code, running = verify(hub.data)
    assert (code, running["ok"], running["faults"]) == (0, True, [])
    assert set(running["projections"]) == {kind.name for kind in PROJECTIONS}
    assert hub.stop().code == 0
    code, stopped = verify(hub.data)
    assert (code, stopped["ok"], stopped["entries"]) == (0, True, running["entries"])
    assert stopped["root"] == running["root"]
    said = command("verify", env={"BAYANIHAN_DATA": str(hub.data)})
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, b"verify: ok")


def test_a_fault_is_told_and_ends_with_1(filled: RunningHub) -> None:
    change(filled.data / "ledger.db", "UPDATE entries SET author = 'eve' WHERE position = 30")
    said = command("verify", "--data", filled.data)
    assert said.returncode == 1
    lines = said.stdout.decode().splitlines()
    assert lines[0] == "fault: entry 30: its leaf does not commit to it"
    assert lines[-1].startswith("verify: ")
    assert not lines[-1].endswith("ok")


def test_a_projection_that_differs_is_told(filled: RunningHub) -> None:
    path = filled.data / "projections" / "active.db"
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for (name,) in tables
            if name not in ("projection", "meta") and not name.startswith("sqlite_")
        }
    fullest = max(counts, key=lambda name: counts[name])
    change(path, f"DELETE FROM {fullest} WHERE rowid = (SELECT max(rowid) FROM {fullest})")
    code, report = verify(filled.data)
    assert (code, report["ok"]) == (1, False)
    (fault,) = report["faults"]
    assert fault.startswith("projection active: differs from a replay")


def test_deleted_projections_are_rebuilt_equal(filled: RunningHub) -> None:
    shutil.rmtree(filled.data / "projections")
    filled.start()
    filled.check()
    assert filled.stop().code == 0
    code, report = verify(filled.data)
    assert (code, set(report["projections"].values())) == (0, {report["entries"]})


@pytest.mark.parametrize("content", [None, b"", b"no database " * 1_000])
def test_what_is_no_ledger_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "ledger.db").write_bytes(content)
    said = command("verify", "--data", tmp_path)
    assert said.returncode == 1
    assert b"Traceback" not in said.stderr
    assert len(said.stderr.splitlines()) + len(said.stdout.splitlines()) <= 4
