"""From one machine to several: the record moves, byte for byte, while the hub works."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from bayanihan.ledger import Ledger
from bayanihan.ledger.contract.scene import numbered
from tests.nodes.conftest import check
from tests.sim.databases import Databases
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment

SIZE = 6_000
# Many small parts, so that there is a middle to be killed in.
_IN_PARTS = (
    "from bayanihan.ledger import migrating; migrating._AT_ONCE = 50;"
    " from bayanihan.cli import main; main()"
)


def test_a_running_hub_moves_to_postgres(
    own_hub: RunningHub, databases: Databases, tmp_path: Path
) -> None:
    hub, address = own_hub.start(), databases.empty()
    key = hub.key("SG")
    said = [indicator() for _ in range(40)]
    hub.push(key, *said)
    gone = said[3]["id"]
    first = command("migrate", "--data", hub.data, "--store", address)
    assert first.returncode == 0, first.stderr
    assert b"The hub still runs" in first.stdout
    hub.push(key, *[indicator() for _ in range(5)])
    answer = hub.ask("POST", f"/api/objects/{gone}/erase", key, json={"reason": "a name"})
    assert answer.status_code in (200, 201), answer.text
    kept = hub.ids(key)
    cursor = hub.ask("GET", "/api/objects", key, params={"limit": 10}).json()["next"]
    after = hub.ask("GET", "/api/objects", key, params={"after": cursor}).json()["objects"]
    assert hub.stop().code == 0
    second = command("migrate", "--data", hub.data, "--store", address)
    assert second.returncode == 0, second.stderr
    assert b"migrate: ok" in second.stdout
    again = command("migrate", "--data", hub.data, "--store", address)
    assert b" 0 of them copied now" in again.stdout
    verified = command("verify", "--data", hub.data, "--store", address)
    assert b"verify: ok" in verified.stdout, verified.stdout + verified.stderr
    check(address)

    moved = RunningHub(shutil.copytree(hub.data, tmp_path / "moved"), ["--store", address]).start()
    try:
        assert moved.ids(key) == kept
        assert gone not in kept
        page = moved.ask("GET", "/api/objects", key, params={"after": cursor}).json()
        assert page["objects"] == after, "a cursor from before does not go on"
        assert moved.push(key, said[0])["duplicate"] == 1
        assert moved.push(key, said[3])["accepted"] == 1, "what was erased may be said anew"
    finally:
        assert moved.stop().code == 0

    other = RunningHub(tmp_path / "other").start()
    other.stop()
    refused = command("migrate", "--data", other.data, "--store", address)
    assert refused.returncode == 1
    assert b"another record" in refused.stderr
    shutil.rmtree(other.data)


def copied(address: str) -> int:
    """How many entries a database holds."""
    with contextlib.suppress(psycopg.Error), psycopg.connect(address) as link:
        row = link.execute("SELECT position FROM bayanihan.place").fetchone()
        return int(row[0]) if row else 0
    return 0


def test_a_migration_that_is_killed_goes_on_where_it_stopped(
    databases: Databases, tmp_path: Path
) -> None:
    address = databases.empty()
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        ledger.append(numbered(0, SIZE))
    words = ["migrate", "--data", str(tmp_path), "--store", address]
    process = subprocess.Popen([sys.executable, "-c", _IN_PARTS, *words], env=environment())
    until_s = time.monotonic() + 60
    while not copied(address):
        assert time.monotonic() < until_s, "nothing is copied"
    process.kill()
    assert process.wait(30) == -9, "it had ended"
    before = copied(address)
    assert 0 < before < SIZE
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert f"{SIZE - before} of them copied now" in again.stdout.decode()
    check(address)


def test_where_there_is_no_ledger_it_says_so(tmp_path: Path) -> None:
    done = command("migrate", "--data", tmp_path, "--store", "postgresql://127.0.0.1:1/x")
    assert done.returncode == 1
    assert b"There is no ledger here" in done.stderr
    backed = command("backup", tmp_path / "out.tar", "--data", tmp_path)
    assert backed.returncode == 1
    assert b"pg_basebackup" in backed.stderr
