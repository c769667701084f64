"""An agent as its own process at a real hub: registered, heard, and believed no further."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bayanihan.core.signing import SigningKey, from_text, to_text
from tests.agent.process import AgentProcess
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import until

# Prints what the file holds of a name, as an engine that has loaded it would answer.
PROBE = """
import pathlib, sys
file, name = sys.argv[1:]
for line in pathlib.Path(file).read_text().splitlines():
    if line.split(" ")[0] == name:
        print(line)
        sys.exit(0)
sys.exit(1)
"""


class Desk:
    """A member's agent: its folder, its key, and what the hub knows of it."""

    def __init__(self, hub: RunningHub, folder: Path, member: str) -> None:
        self.hub = hub
        self.key = hub.key(member)
        self.agent = AgentProcess(folder, hub.url)
        self.agent.environment["BAYANIHAN_KEY"] = self.key
        probe = folder / "probe.py"
        probe.write_text(PROBE)
        self.probe = f"{sys.executable} {probe} {self.agent.out} {{}}"

    def once(self, *options: str) -> str:
        code, output, errors = self.agent.once(*options)
        assert (code, errors) == (0, ""), errors
        return output

    @property
    def listed(self) -> dict[str, Any]:
        """What the list of keys tells of this one."""
        found = self.hub.ask("GET", "/api/keys", self.hub.admin).json()
        key_id = self.key.split("_")[1]
        (own,) = [each for each in found if each["id"] == key_id]
        return dict(own)


@pytest.fixture
def desk(shared_hub: RunningHub, tmp_path: Path) -> Iterator[Desk]:
    yield Desk(shared_hub, tmp_path, "PH")
    shared_hub.check()


def states(desk: Desk, object_id: str) -> dict[str, str]:
    board = desk.hub.ask("GET", f"/api/protection/{object_id}", desk.key).json()
    return {row["member"]: row["state"] for row in board["members"]}


def pushed(desk: Desk, value: str) -> str:
    one = indicator(value=value)
    desk.hub.push(desk.hub.admin, one, tlp="clear")
    until(lambda: value in desk.hub.ask("GET", "/feeds/rpz.zone", desk.key).text)
    return str(one["id"])


def test_only_a_probe_makes_a_member_protected(desk: Desk) -> None:
    """From a push to `protected`, over real sockets: the main job, whole and small."""
    object_id = pushed(desk, "agents-evil.com")
    assert len(states(desk, object_id)) == 11
    assert states(desk, object_id)["PH"] == "not-yet"
    assert "fetched; receipt accepted" in desk.once()
    assert b"agents-evil.com CNAME ." in desk.agent.out.read_bytes()
    assert states(desk, object_id)["PH"] == "fetched"
    assert "loaded; receipt accepted" in desk.once("--reload", "true")
    assert states(desk, object_id)["PH"] == "loaded"
    line = desk.once("--reload", "true", "--probe", desk.probe)
    assert "probed; receipt accepted" in line
    assert states(desk, object_id)["PH"] == "protected"
    assert set(states(desk, object_id).values()) == {"protected", "not-yet"}


def test_its_key_is_registered_and_a_second_one_waits(desk: Desk) -> None:
    assert "receipt accepted" in desk.once()
    (receipt,) = desk.hub.ask("GET", "/api/receipts", desk.key).json()
    (first,) = (path for path in (desk.agent.folder / "home").rglob("agent.key"))
    seed = from_text(first.read_text().strip(), size_bytes=32, where="key")
    public = SigningKey(seed).public
    assert receipt["document"]["public_key"] == to_text(public)
    assert desk.listed["agent_keys_pending"] == []
    first.unlink()
    code, _, errors = desk.agent.once("--reload", "true")
    assert (code, "[pending]" in errors) == (1, True)
    (waiting,) = desk.listed["agent_keys_pending"]
    assert waiting != public.hex()
    path = f"/api/keys/{desk.key.split('_')[1]}/agents/{waiting}"
    assert desk.hub.ask("POST", path, desk.hub.admin).status_code == 200
    assert "receipt accepted" in desk.once("--reload", "true")
    assert desk.listed["agent_keys_pending"] == []


def test_a_version_that_another_key_signed_is_not_taken(desk: Desk) -> None:
    first, second = pushed(desk, "signed-evil.com"), to_text(b"k" * 32)
    assert first
    assert "placed" in desk.once()
    before = desk.agent.out.read_bytes()
    (kept,) = desk.agent.out.parent.rglob("hub-*.pub")
    kept.write_text(second + "\n")
    pushed(desk, "more-signed-evil.com")
    code, _, errors = desk.agent.once()
    assert code == 1
    assert "another key" in errors
    assert "hub-key" in errors
    assert desk.agent.out.read_bytes() == before
    kept.unlink()
    assert "placed" in desk.once()
    assert "more-signed-evil.com" in desk.agent.out.read_text()


def test_a_receipt_with_a_wrong_signature_is_refused(desk: Desk) -> None:
    object_id = pushed(desk, "forged-evil.com")
    desk.once()
    (known,) = desk.hub.ask("GET", "/api/receipts", desk.key).json()
    document = known["document"]
    forged = json.loads(json.dumps(document))
    forged["receipt"]["state"] = "probed"
    answer = desk.hub.ask("POST", "/api/receipts", desk.key, json=forged)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-signature")
    assert states(desk, object_id)["PH"] == "fetched"


def test_a_control_network_s_agent_is_sent_no_block(desk: Desk) -> None:
    pushed(desk, "plant-evil.com")
    desk.once("--profile", "control-network")
    assert b"plant-evil.com" not in desk.agent.out.read_bytes()
    desk.once("--profile", "office")
    assert b"plant-evil.com CNAME ." in desk.agent.out.read_bytes()
    code, _, errors = desk.agent.once("--profile", "factory")
    assert (code, "The profiles are" in errors) == (1, True), errors


@pytest.mark.long
def test_while_the_hub_s_disk_is_full_an_agent_keeps_its_file_and_goes_on(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "data").start()
    desk = Desk(hub, tmp_path, "PH")
    pushed(desk, "before-full-evil.com")
    assert "placed" in desk.once()
    before = desk.agent.out.read_bytes()
    pid, endless = hub.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, endless))
    answer = hub.ask("GET", "/feeds/rpz.zone", desk.key)
    assert (answer.status_code, answer.content) == (200, before)
    one = indicator(value="while-full-evil.com")
    refused = hub.ask("POST", "/api/objects?tlp=clear", hub.admin, json=one)
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk-full")
    code, output, errors = desk.agent.once()
    assert (code, "current" in output) == (0, True) or "disk" in errors, (code, output, errors)
    assert desk.agent.out.read_bytes() == before
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (endless, endless))
    pushed(desk, "after-full-evil.com")
    assert "placed" in desk.once()
    assert b"after-full-evil.com" in desk.agent.out.read_bytes()
    assert hub.stop().code == 0
    hub.check()
