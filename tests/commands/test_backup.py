"""`bayanihan backup` beside a working hub, and what a hub restored from it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bayanihan.core import moment
from bayanihan.core.receipt import Receipt, sign
from bayanihan.core.signing import SigningKey
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub, command
from tests.sim.reader import StreamReader


class Place:
    """A hub that may be backed up and started again elsewhere, with the same keys."""

    def __init__(self, hub: RunningHub, folder: Path) -> None:
        self.hub = hub
        self.sg = hub.key("SG")
        self.folder = folder
        self.file = folder / "monday.tar"
        self.restored = RunningHub(folder / "new")

    def back_up(self) -> dict[str, Any]:
        done = command("backup", self.file, "--data", self.hub.data, "--json")
        assert (done.returncode, done.stderr) == (0, b"")
        manifest: dict[str, Any] = json.loads(done.stdout)
        return manifest

    def restore(self, *more: str | Path) -> dict[str, Any]:
        """End the hub, restore its backup elsewhere and start the hub that is there then."""
        if self.hub.running:
            assert self.hub.stop().code == 0
        words = ("restore", self.file, "--data", self.restored.data, "--json", *more)
        done = command(*words)
        assert (done.returncode, done.stderr) == (0, b"")
        told: dict[str, Any] = json.loads(done.stdout)
        self.restored.check()
        self.restored.start()
        return told


@pytest.fixture
def place(own_hub: RunningHub, tmp_path: Path) -> Iterator[Place]:
    made = Place(own_hub.start(), tmp_path)
    yield made
    if made.restored.running:
        assert made.restored.stop().code == 0
        made.restored.check()


def test_a_backup_beside_a_working_hub_restores_whole(place: Place) -> None:
    """What was acknowledged before the backup began is in it, keys and all."""
    before = [indicator(value=f"evil-{n}.com") for n in range(50)]
    assert accepted(place.hub.push(place.sg, *before, tlp="green"))
    ended = threading.Event()

    def push() -> None:
        while not ended.is_set():
            place.hub.push(place.sg, *[indicator() for _ in range(20)])

    working = threading.Thread(target=push)
    working.start()
    try:
        manifest = place.back_up()
    finally:
        ended.set()
        working.join()
    told = place.restore()
    assert (told["root"], told["size"], told["erased_again"]) == (
        manifest["root"],
        manifest["size"],
        0,
    )
    ids = set(place.restored.ids(place.sg))
    assert {one["id"] for one in before} <= ids
    one = place.restored.ask("GET", f"/api/objects/{before[0]['id']}", place.sg)
    assert one.json() == before[0]
    feed = place.restored.ask("GET", "/feeds/domains.txt", place.sg)
    assert before[0]["name"] in feed.text
    assert accepted(place.restored.push(place.sg, indicator()))
    again = command("restore", place.file, "--data", place.restored.data)
    assert again.returncode == 1
    assert b"[conflict]" in again.stderr


def receipt(cursor: str, digest: str) -> dict[str, Any]:
    at = moment.render(1_790_000_000_000_000)
    found = Receipt(feed="rpz.zone", cursor=cursor, digest=digest, state="fetched", at=at)
    return sign(found, SigningKey(b"b" * 32))


def test_a_restored_hub_answers_older_tokens_with_reset(place: Place) -> None:
    """A client that has seen more than the backup holds is told so, and misses nothing."""
    hub, sg = place.hub, place.sg
    hub.push(sg, *[indicator() for _ in range(5)])
    place.back_up()
    later = [indicator() for _ in range(5)]
    hub.push(sg, *later)
    cursor = hub.ask("GET", "/api/objects", sg, params={"limit": 1_000}).json()["next"]
    feed = hub.ask("GET", "/feeds/rpz.zone", sg)
    place.restore()
    new = place.restored
    page = new.ask("GET", "/api/objects", sg, params={"after": cursor})
    assert (page.status_code, page.json()["error"]["code"]) == (410, "reset")
    with StreamReader(new, sg, cursor) as reader:
        assert reader.ended.wait(20)
        assert reader.reset is not None
        assert (reader.reset.code, reader.events) == ("reset", [])
    headers = {"If-None-Match": feed.headers["etag"]}
    assert new.ask("GET", "/feeds/rpz.zone", sg, headers=headers).status_code == 200
    digest = feed.headers["bayanihan-digest"].removeprefix("sha-256=")
    said = receipt(feed.headers["bayanihan-cursor"], digest)
    answer = new.ask("POST", "/api/receipts", sg, json=said)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "reset")
    assert not {one["id"] for one in later} & set(new.ids(sg))
    assert accepted(new.push(sg, *later)), "what was lost may be sent again"


def test_what_was_erased_since_is_erased_again(place: Place) -> None:
    hub, sg = place.hub, place.sg
    one = indicator(value="victim-evil.com", description="a victim's name")
    other = indicator(value="other-evil.com")
    hub.push(sg, one, other, tlp="clear")
    place.back_up()
    assert hub.ask("POST", f"/api/objects/{one['id']}/erase", sg).status_code == 200
    assert place.restore("--erasures", hub.data / "erasures.jsonl")["erased_again"] == 1
    new = place.restored
    assert new.ask("GET", f"/api/objects/{one['id']}", sg).status_code == 404
    assert other["id"] in new.ids(sg)
    feed = new.ask("GET", "/feeds/domains.txt", sg).text
    assert "other-evil.com" in feed
    assert "victim-evil.com" not in feed
    assert new.stop().code == 0
    for path in new.data.rglob("*"):
        if path.is_file():
            assert b"a victim's name" not in path.read_bytes(), path.name


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no backup")
    for words in (
        ("backup", tmp_path / "b.tar", "--data", tmp_path / "nothing"),
        ("restore", tmp_path / "x.tar", "--data", tmp_path / "new"),
        ("restore", tmp_path / "absent.tar", "--data", tmp_path / "new"),
    ):
        done = command(*words)
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"Traceback" not in done.stderr
        assert done.stderr
    assert not (tmp_path / "b.tar").exists()
