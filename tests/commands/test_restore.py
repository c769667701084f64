"""`backup` and `restore`, as an operator uses them after a bad day."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from bayanihan.commands.backup import backup, restore
from bayanihan.errors import Refused
from bayanihan.ledger import ERASURES, ErasureList, Ledger, store_at
from bayanihan.ledger.contract.scene import SG, numbered
from tests.nodes.conftest import check
from tests.sim.databases import Databases
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub, command


def test_what_was_taken_back_after_the_backup_stays_away(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key, folder = hub.key("SG"), hub.data.parent
    bad, secret, good = (indicator() for _ in range(3))
    assert accepted(hub.push(key, bad, secret, good))
    assert command("backup", folder / "b.tar", "--data", hub.data).returncode == 0
    assert hub.ask("DELETE", f"/api/objects/{bad['id']}", key).status_code == 200
    assert hub.ask("POST", f"/api/objects/{secret['id']}/erase", key).status_code == 200
    listed = (hub.data / "erasures.jsonl").read_text().splitlines()
    assert len(listed) == 2, "noted when the answer is given, not at the next start"
    hub.stop()

    new = folder / "new"
    words = ("restore", folder / "b.tar", "--data", new, "--json")
    done = command(*words, "--erasures", hub.data / "erasures.jsonl")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["erased_again"], answer["withdrawn_again"]) == (1, 1)

    again = RunningHub(new).start()
    try:
        seen = again.ids(key)
        told = {
            each["id"]: again.ask("GET", f"/api/proofs/{each['id']}", key).json()["proofs"]
            for each in (bad, secret, good)
        }
    finally:
        again.stop()
    assert good["id"] in seen
    assert secret["id"] not in seen
    assert [len(told[each["id"]]) for each in (bad, secret, good)] == [2, 1, 1]
    again.check()


def test_a_restore_never_replaces_a_hubs_keys(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    folder = hub.data.parent
    assert command("backup", folder / "b.tar", "--data", hub.data).returncode == 0
    hub.stop()
    other = RunningHub(folder / "other").start()
    other.stop()
    keys = {name: (other.data / name).read_bytes() for name in ("admin.key", "signing.key")}
    for path in other.data.glob("ledger.db*"):
        path.unlink()
    done = command("restore", folder / "b.tar", "--data", other.data)
    assert done.returncode != 0
    assert b"admin.key" in done.stderr
    assert {name: (other.data / name).read_bytes() for name in keys} == keys
    assert not (other.data / "ledger.db").exists()


def test_a_small_backup_goes_into_an_empty_database(
    databases: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What follows at length, without hubs: erased again, a new epoch, and no second record."""
    data, new, address = tmp_path / "data", tmp_path / "new", databases.empty()
    with contextlib.closing(Ledger(data)) as ledger:
        ledger.append(numbered(0, 3))
        backup(tmp_path / "b.tar", data=data)
        taken = ErasureList(data, ledger)
        taken.note(ledger.erase(SG, "note--1", "a name in it"))
        epoch = ledger.epoch
    restore(tmp_path / "b.tar", data=new, store=address, erasures=data / ERASURES)
    assert "erased again: 1, withdrawn again: 0" in capsys.readouterr().out
    assert not (new / "ledger.db").exists(), "no second copy that erasures miss"
    with contextlib.closing(Ledger(new, store=store_at(address))) as ledger:
        assert [item.entry.object_id for item in ledger.read(SG, 0, 9).items] == [
            "note--0",
            "note--2",
        ]
        assert ledger.epoch != epoch
    check(address)
    with pytest.raises(Refused, match="another record"):
        restore(tmp_path / "b.tar", data=new, store=address)


@pytest.mark.long
def test_a_backup_goes_into_an_empty_database(own_hub: RunningHub, databases: Databases) -> None:
    hub = own_hub.start()
    key, folder, address = hub.key("SG"), hub.data.parent, databases.empty()
    secret, good = indicator(), indicator()
    assert accepted(hub.push(key, secret, good))
    assert command("backup", folder / "b.tar", "--data", hub.data).returncode == 0
    assert hub.ask("POST", f"/api/objects/{secret['id']}/erase", key).status_code == 200
    cursor = hub.ask("GET", "/api/objects", key, params={"limit": 1}).json()["next"]
    hub.stop()
    words = ("restore", folder / "b.tar", "--data", folder / "new", "--store", address)
    done = command(*words, "--erasures", hub.data / "erasures.jsonl")
    assert done.returncode == 0, done.stderr
    assert b"erased again: 1," in done.stdout
    assert not (folder / "new" / "ledger.db").exists(), "no second copy that erasures miss"
    check(address)
    again = command(*words)
    assert (again.returncode, b"another record" in again.stderr) == (1, True)

    node = RunningHub(folder / "new", ["--store", address]).start()
    try:
        assert node.ids(key) == [good["id"]]
        answer = node.ask("GET", "/api/objects", key, params={"after": cursor})
        assert answer.json()["error"]["code"] == "reset"
        served = command("restore", "--data", folder / "none", "--store", address)
        assert served.returncode == 1
        assert b"Nodes serve this ledger" in served.stderr
    finally:
        assert node.stop().code == 0
    renewed = command("restore", "--data", node.data, "--store", address)
    assert renewed.returncode == 0, renewed.stderr
    assert b"restore: ok, postgresql://" in renewed.stdout
    check(address)


def test_without_a_backup_and_a_database_restore_says_what_to_name(
    databases: Databases, told: None
) -> None:
    neither = command("restore", "--data", "data")
    assert neither.returncode == 2
    assert b"Name a backup, or a database with --store" in neither.stderr
    empty = command("restore", "--data", "data", "--store", databases.empty())
    assert empty.returncode == 1
    assert b"The database holds no ledger" in empty.stderr
