"""The data directories of earlier releases, opened with the code of today."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bayanihan.commands.verify import Witnessed, witnessed
from bayanihan.core.checkpoint import opened, public_of
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub, command
from tests.sim.release import EXPECTED, protection, seen

VECTORS = Path(__file__).parent / "vectors"
RELEASES = sorted(path.name for path in VECTORS.glob("data-*.tar.gz"))


@dataclass
class Old:
    """A release's data directory, with what its own hub said of it."""

    hub: RunningHub
    expected: dict[str, Any]


@pytest.fixture(params=RELEASES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    with tarfile.open(VECTORS / request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    hub = RunningHub(tmp_path / "data")
    yield Old(hub, json.loads((tmp_path / EXPECTED).read_text(encoding="utf-8")))
    if hub.running:
        hub.kill()


def test_there_is_one_of_each_release() -> None:
    assert "data-0.1.0.tar.gz" in RELEASES


def test_the_previous_releases_data_opens_and_verifies(old: Old, tmp_path: Path) -> None:
    done = command("verify", "--data", old.hub.data, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    assert (report["ok"], report["erased"]) == (True, 1)
    name, public = public_of(old.expected["verifier_key"])
    head = opened(old.expected["checkpoint"], name, public)
    assert (report["entries"], report["root"]) == (head.size, head.root.hex())

    hub = old.hub.start()
    keys = old.expected["keys"]
    assert seen(hub, keys, old.expected["but"]) == old.expected["seen"]
    assert protection(hub, keys, old.expected["kept"]) == old.expected["protection"]
    cursor = {"after": old.expected["cursor"]}
    assert hub.ask("GET", "/api/objects", keys["sg"], params=cursor).json()["objects"] == []
    for path in hub.data.rglob("*"):
        if path.is_file():
            assert old.expected["erased"].encode() not in path.read_bytes(), path.name

    more = indicator()
    assert accepted(hub.push(keys["sg"], more))
    assert [each["id"] for each in hub.objects(keys["sg"])][-1] == more["id"]
    witness = tmp_path / "witness.json"
    kept = Witnessed(old.expected["verifier_key"], old.expected["checkpoint"])
    witness.write_bytes(msgspec.json.encode(kept))
    assert witnessed(hub.url, keys["vn"], witness).size >= head.size
    assert hub.stop().code == 0
    hub.check()
