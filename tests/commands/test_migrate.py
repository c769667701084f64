"""From one machine to several: the record moves, byte for byte, while the hub works."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.nodes.conftest import check
from tests.sim.databases import Databases
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command


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


def test_where_there_is_no_ledger_it_says_so(tmp_path: Path) -> None:
    done = command("migrate", "--data", tmp_path, "--store", "postgresql://127.0.0.1:1/x")
    assert done.returncode == 1
    assert b"There is no ledger here" in done.stderr
    backed = command("backup", tmp_path / "out.tar", "--data", tmp_path)
    assert backed.returncode == 1
    assert b"pg_basebackup" in backed.stderr
