"""Keys that are rotated, end by themselves, or have limits of their own."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from bayanihan.commands.key import until_of
from bayanihan.core import moment
from bayanihan.ledger import Ledger, wall_us
from bayanihan.registry import (
    FOUNDER,
    GroupSet,
    KeyAdded,
    KeyRotated,
    MemberAdded,
    Registry,
    RegistryChange,
    draft_of,
)
from bayanihan.registry.keys import Key, digest_of
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command
from tests.sim.reader import StreamReader, until

PLACE = "/taxii2/region/collections/everything/objects/"


def id_of(key: str) -> str:
    return key.split("_")[1]


def rotated(hub: RunningHub, key: str, by: str, hours: int = 24) -> Any:
    path = f"/api/keys/{id_of(key)}/rotate"
    return hub.ask("POST", path, by, json={"overlap_hours": hours})


def opens(hub: RunningHub, key: str) -> bool:
    return hub.ask("GET", PLACE, key).status_code == 200


def soon(hub: RunningHub, seconds: float) -> str:
    return moment.render(wall_us() + int(seconds * 1_000_000))


def test_a_secret_opens_until_its_time() -> None:
    key = Key("k", digest_of("new"), "SG", (), until_us=100, before=digest_of("old"))
    turned = Key("k", digest_of("new"), "SG", (), before=digest_of("old"), before_until_us=50)
    for secret, now_us, opened in [
        ("new", 0, True),
        ("new", 99, True),
        ("new", 100, False),
        ("old", 0, False),
    ]:
        assert key.opens(secret, now_us) == opened, (secret, now_us)
    for secret, now_us, opened in [
        ("old", 49, True),
        ("old", 50, False),
        ("new", 10_000, True),
        ("", 0, False),
    ]:
        assert turned.opens(secret, now_us) == opened, (secret, now_us)


def test_a_holder_rotates_their_key_and_both_open_for_a_while(hub: RunningHub) -> None:
    key = hub.key("SG", person=f"r{time.monotonic_ns()}")
    made = rotated(hub, key, key)
    assert made.status_code == 200, made.text
    fresh = made.json()["key"]
    assert id_of(fresh) == id_of(key)
    assert opens(hub, key)
    assert opens(hub, fresh)
    assert rotated(hub, fresh, fresh, 0).status_code == 200
    assert not opens(hub, key)
    assert not opens(hub, fresh)


def test_only_the_holder_and_the_operator_rotate(hub: RunningHub) -> None:
    key = hub.key("SG", person=f"p{time.monotonic_ns()}")
    desk = hub.key("SG", scopes=["admin", "read"])
    other = hub.key("MY", scopes=["admin", "read"])
    for by, status in ((desk, 403), (other, 404), (hub.key("SG"), 403), ("", 401)):
        assert rotated(hub, key, by).status_code == status
    assert rotated(hub, key, hub.admin, 0).status_code == 200
    assert not opens(hub, key)
    for hours in (-1, 100_000):
        assert rotated(hub, desk, desk, hours).status_code == 400


def test_a_key_ends_at_its_time_and_its_stream_with_it(hub: RunningHub) -> None:
    key = hub.key("SG", until=soon(hub, 2.5))
    listed = {each["id"]: each for each in hub.ask("GET", "/api/keys", hub.admin).json()}
    assert listed[id_of(key)]["until"]
    assert not listed[id_of(key)]["ended"]
    assert opens(hub, key)
    with StreamReader(hub, key, after="now") as reader:
        reader.wait_open()
        until(lambda: not opens(hub, key))
        hub.push(hub.admin, indicator())  # whatever comes wakes the streams
        until(reader.ended.is_set)
        assert reader.ids == []
    listed = {each["id"]: each for each in hub.ask("GET", "/api/keys", hub.admin).json()}
    assert listed[id_of(key)]["ended"]


@pytest.mark.parametrize("text", ["yesterday", "2020-01-01T00:00:00Z", "90x", "0d"])
def test_a_key_that_has_ended_already_is_not_made(hub: RunningHub, text: str) -> None:
    order = {"member": "SG", "scopes": ["read"], "until": text}
    answer = hub.ask("POST", "/api/keys", hub.admin, json=order)
    assert (answer.status_code, answer.json()["error"]["where"]) == (400, "until")


def test_a_time_to_come_is_days_hours_or_a_time() -> None:
    assert until_of("1d", 0) == "1970-01-02T00:00:00.000Z"
    assert until_of("36h", 0) == "1970-01-02T12:00:00.000Z"
    assert until_of("2027-01-31T00:00:00Z", 0) == "2027-01-31T00:00:00Z"


def test_limits_are_the_operators_to_give(hub: RunningHub) -> None:
    desk = hub.key("SG", scopes=["admin", "read"])
    path = f"/api/keys/{id_of(desk)}/limits"
    assert hub.ask("POST", path, desk, json={"in_flight": 9}).status_code == 403
    order = {"member": "SG", "scopes": ["read"], "limits": {"in_flight": 9}}
    assert hub.ask("POST", "/api/keys", desk, json=order).status_code == 403
    assert hub.ask("POST", path, hub.admin, json={"in_flight": -1}).status_code == 400
    assert hub.ask("POST", path, hub.admin, json={"requests_per_s": 5}).status_code == 200
    listed = {each["id"]: each for each in hub.ask("GET", "/api/keys", hub.admin).json()}
    assert listed[id_of(desk)]["limits"]["requests_per_s"] == 5


def test_a_holder_ends_a_key_that_was_lost(hub: RunningHub) -> None:
    key = hub.key("SG", scopes=["read"])
    assert hub.ask("DELETE", f"/api/keys/{id_of(key)}", hub.key("SG")).status_code == 403
    assert hub.ask("DELETE", f"/api/keys/{id_of(key)}", key).status_code == 200
    assert not opens(hub, key)


def test_the_last_lasting_key_of_the_operator_stays(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    ending = hub.key("", scopes=["admin"], until=soon(hub, 3_600))
    admin = id_of(hub.admin)
    refused = hub.ask("DELETE", f"/api/keys/{admin}", ending)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad-value")
    # The command keeps the new secret of the key that lies in the data directory.
    before, where = hub.admin, {"BAYANIHAN_HUB": hub.url, "BAYANIHAN_DATA": str(hub.data)}
    done = command("key", "rotate", admin, "--overlap", "0", "--json", env=where)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["key"] == hub.admin != before
    assert (hub.data / "admin.key").stat().st_mode & 0o777 == 0o600
    made = command("key", "new", "--scope", "read", "--expires", "90d", env=where)
    assert made.returncode == 0, made.stderr
    assert b"until" in command("key", "list", env=where).stdout
    limited = command("key", "limit", admin, "--in-flight", "50", env=where)
    assert (limited.returncode, limited.stdout) == (0, f"limited {admin}\n".encode())
    hub.stop()
    hub.start()
    assert hub.ask("GET", "/api/keys", before).status_code == 401
    assert hub.ask("GET", "/api/keys", hub.admin).status_code == 200


class Failing(Registry):
    """A registry whose next commit fails."""

    fault = False

    def gathered(self) -> None:
        if self.fault:
            self.fault = False
            raise sqlite3.OperationalError("database or disk is full")


def test_what_was_folded_when_the_disk_was_full_counts_once(tmp_path: Path) -> None:
    changes: list[RegistryChange] = [
        MemberAdded(1, "SG", "Singapore", "", ("en",)),
        GroupSet(1, "banks", ("SG",)),
        KeyAdded(1, "k", digest_of("old").hex(), "SG", "", "ana", "", ("read",), "green", "banks"),
        KeyRotated(1, "k", digest_of("new").hex(), 100),
    ]
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        ledger.append([draft_of(change, FOUNDER) for change in changes])
        with contextlib.closing(Failing(None, ledger.epoch)) as registry:
            registry.fault = True
            with pytest.raises(sqlite3.OperationalError):
                registry.catch_up(ledger.scan, ledger.length)
            registry.catch_up(ledger.scan, ledger.length)
            assert {group.version for group in registry.groups.values()} == {1}
            assert registry.key("k").opens("old", 50), "the secret before the rotation"
