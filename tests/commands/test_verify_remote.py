"""`bayanihan verify --remote`: a witness from outside notices whatever happened to the record."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from bayanihan.commands.verify import Witnessed, witnessed
from bayanihan.errors import Refused
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command


class Witness:
    """Somebody with a member's key and a file of their own."""

    def __init__(self, hub: RunningHub, key: str, file: Path) -> None:
        self.hub = hub
        self.key = key
        self.file = file

    def sees(self) -> int:
        """The size of a head that is found good."""
        return witnessed(self.hub.url, self.key, self.file).size

    def sees_all(self) -> int:
        """The size of a good head over everything that was entered."""
        lines = self.hub.ask("GET", "/metrics", self.hub.admin).text.splitlines()
        count = next(line.split()[1] for line in lines if line.startswith("bayanihan_entries "))
        until_s = time.monotonic() + 20
        while (size := self.sees()) < int(count):
            assert time.monotonic() < until_s, "no head was signed"
            time.sleep(0.05)
        return size

    def refuses(self) -> Refused:
        """What is said of a head that is not good; the last good one stays."""
        before = self.file.read_bytes()
        with pytest.raises(Refused) as caught:
            self.sees()
        assert self.file.read_bytes() == before
        return caught.value


@pytest.fixture
def witness(own_hub: RunningHub, tmp_path: Path) -> Witness:
    hub = own_hub.start()
    sg = hub.key("SG")
    hub.push(sg, *[indicator() for _ in range(10)])
    return Witness(hub, sg, tmp_path / "witness.json")


def test_a_record_that_only_grows_is_good(witness: Witness) -> None:
    first = witness.sees_all()
    assert witness.sees() == first
    kept = json.loads(witness.file.read_text())
    assert set(kept) == set(Witnessed.__struct_fields__)
    assert kept["verifier_key"] == witness.hub.ask("GET", "/api/hub").json()["verifier_key"]
    assert kept["checkpoint"].split("\n")[1] == str(first)
    witness.hub.push(witness.key, *[indicator() for _ in range(10)])
    assert witness.sees_all() == first + 10


def test_a_record_that_was_cut_or_rewritten_is_found(witness: Witness) -> None:
    """The same key and the same epoch, but not the same past."""
    hub = witness.hub
    assert hub.stop().code == 0
    earlier = shutil.copytree(hub.data, hub.data.with_name("earlier"))
    hub.start()
    hub.push(witness.key, *[indicator() for _ in range(10)])
    size = witness.sees_all()
    assert hub.stop().code == 0
    shutil.rmtree(hub.data)
    shutil.move(earlier, hub.data)
    hub.start()
    cut = witness.refuses()
    assert (cut.code, cut.message) == ("history-rewritten", f"The record of {size} entries is gone")
    hub.push(witness.key, *[indicator() for _ in range(30)])
    other = Witness(hub, witness.key, witness.file.with_name("other.json"))
    assert other.sees_all() > size
    rewritten = witness.refuses()
    assert rewritten.code == "history-rewritten"
    assert "does not extend" in rewritten.message


def test_a_hub_that_was_restored_says_so(witness: Witness, tmp_path: Path) -> None:
    env = {"BAYANIHAN_KEY": witness.key}
    words = ("verify", "--remote", witness.hub.url, "--witness", witness.file)
    done = command(*words, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[-1] == b"verify: ok"
    hub = witness.hub
    assert command("backup", tmp_path / "b.tar", "--data", hub.data).returncode == 0
    assert hub.stop().code == 0
    assert command("restore", tmp_path / "b.tar", "--data", tmp_path / "new").returncode == 0
    restored = RunningHub(tmp_path / "new", port=hub.port).start()
    try:
        done = command(*words, "--json", env=env)
    finally:
        restored.kill()
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"[history-rewritten]" in done.stderr
    assert b"it was restored" in done.stderr


def test_another_key_or_signature_is_refused(witness: Witness) -> None:
    witness.sees()
    good = witness.file.read_text()
    kept = json.loads(good)
    bent = kept["checkpoint"].replace("\nepoch ", "\nepoch 0", 1)
    witness.file.write_text(json.dumps({**kept, "checkpoint": bent}))
    assert witness.refuses().code == "bad-signature"
    for content in ("", "{}", "[]", '{"verifier_key":1,"checkpoint":""}'):
        witness.file.write_text(content)
        refusal = witness.refuses()
        assert (refusal.code, refusal.where) == ("cannot-read", str(witness.file))
    witness.file.write_text(good)
    assert witness.hub.stop().code == 0
    (witness.hub.data / "signing.key").unlink()
    witness.hub.start()
    assert witness.refuses().code == "bad-signature"
