"""Members, groups and what coming and going does to who sees what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bayanihan.core.marking import Viewer
from bayanihan.ledger import Ledger, Scan
from bayanihan.registry import FOUNDER, Key, Registry, draft_of, founding_changes, member_facts
from bayanihan.registry.office import ConstituentOrder, KeyOrder, Office
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub, command

CODES = ["BN", "ID", "KH", "LA", "MM", "MY", "PH", "SG", "TH", "TL", "VN"]


def test_the_first_start_makes_the_eleven_members(hub: RunningHub) -> None:
    listed = hub.ask("GET", "/api/members").json()
    assert sorted(each["code"] for each in listed) == CODES
    assert [each["code"] for each in listed] == [fact.code for fact in member_facts()]
    assert all(each["name"] and each["languages"] for each in listed)
    assert next(each["cert"] for each in listed if each["code"] == "TL") == ""


def test_groups_are_shown_to_those_in_them(hub: RunningHub) -> None:
    hub.group("inner-circle", "SG", "VN")
    assert hub.ask("GET", "/api/members").json()[0]["groups"] == []
    shown = {
        name: [
            each["code"]
            for each in hub.ask("GET", "/api/members", key).json()
            if "inner-circle" in each["groups"]
        ]
        for name, key in (("SG", hub.key("SG")), ("MY", hub.key("MY")), ("HUB", hub.admin))
    }
    assert shown == {"SG": ["SG", "VN"], "MY": [], "HUB": ["SG", "VN"]}


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "é'", "x" * 65, "region", "%00", "a\n"])
def test_a_bad_name_of_a_group_is_refused(hub: RunningHub, name: str) -> None:

    path = f"/api/groups/{quote(name, safe='')}"
    answer = hub.ask("POST", path, hub.admin, json={"members": ["SG"]})
    assert answer.status_code in (400, 404, 405), answer.text
    assert answer.json()["error"]["code"] in ("bad-value", "not-found", "method-not-allowed")


def test_a_group_of_nobody_known_is_refused(hub: RunningHub) -> None:
    for members in (["XX"], ["sg"], ["SG", "XX"], [""]):
        answer = hub.ask("POST", "/api/groups/odd", hub.admin, json={"members": members})
        assert (answer.status_code, answer.json()["error"]["where"]) == (400, "members")


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "<b>", "x" * 65, "\u202e", "-"])
def test_a_bad_name_of_a_constituent_is_refused(hub: RunningHub, name: str) -> None:
    answer = hub.ask("POST", "/api/members/SG/constituents", hub.admin, json={"name": name})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-value")


def test_a_title_is_never_cut_in_silence(hub: RunningHub) -> None:
    path = "/api/members/SG/constituents"
    long = hub.ask("POST", path, hub.admin, json={"name": "long", "title": "x" * 201})
    assert (long.status_code, long.json()["error"]["where"]) == (400, "title")
    fine = hub.ask("POST", path, hub.admin, json={"name": "fine", "title": "ธนาคาร แห่งท่าเรือ"})
    assert fine.status_code == 201


def test_who_leaves_loses_keys_and_sight_and_gets_neither_back(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    th, my = hub.key("TH"), hub.key("MY")
    before, since = indicator(), indicator()
    hub.push(my, before)
    assert before["id"] in hub.ids(th)
    assert hub.ask("POST", "/api/members/TH/leave", hub.admin).status_code == 200
    assert hub.ask("GET", "/api/objects", th).status_code == 401
    refused = hub.ask("POST", "/api/keys", hub.admin, json={"member": "TH", "scopes": ["read"]})
    assert refused.status_code == 400
    assert hub.ask("POST", "/api/members/TH/leave", hub.admin).status_code == 400
    hub.push(my, since)
    assert hub.ask("POST", "/api/members/TH/join", hub.admin).status_code == 200
    assert hub.ask("POST", "/api/members/TH/join", hub.admin).status_code == 400
    assert hub.ask("GET", "/api/objects", th).status_code == 401
    again = hub.key("TH")
    later = indicator()
    hub.push(my, later)
    seen = hub.ids(again)
    assert later["id"] in seen
    assert before["id"] not in seen
    assert since["id"] not in seen
    assert accepted(hub.push(my, {**before, "modified": "2026-02-01T00:00:00.000Z"}))
    assert before["id"] in hub.ids(again)  # shared anew, it is theirs
    assert len(hub.ask("GET", "/api/members").json()) == len(CODES)


def test_who_joins_a_group_later_sees_earlier_material_by_a_re_share(hub: RunningHub) -> None:
    hub.group("growing", "BN")
    bn, la = hub.key("BN"), hub.key("LA")
    one = indicator()
    hub.push(bn, one, group="growing")
    hub.group("growing", "BN", "LA")
    assert one["id"] not in hub.ids(la)
    assert accepted(hub.push(bn, one, group="growing"))
    assert one["id"] in hub.ids(la)
    assert hub.ids(bn).count(one["id"]) == 2


def test_every_change_is_an_entry_that_nobody_can_read(hub: RunningHub) -> None:
    """The registry is audited by nature, and no exit shows its entries."""
    key = hub.key("BN", person="registry")
    for reader in ("", key, hub.admin):
        assert all(each["type"] != "registry" for each in hub.objects(reader))
        for change in ("key-added", "member-added", "group-set"):
            path = f"/api/objects/registry--{change}"
            assert hub.ask("GET", path, reader).status_code == 404
            assert hub.ask("DELETE", path, hub.admin).status_code == 404
            assert hub.ask("POST", f"{path}/erase", hub.admin).status_code == 404


# --- in this process -------------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    counter = iter(range(1, 256))
    with closing(Ledger(tmp_path)) as ledger:
        registry = Registry(tmp_path, ledger.epoch, ledger.length)
        office = Office(ledger, registry, lambda size: bytes([next(counter)]) * size)
        changes, _ = founding_changes(ledger.now_us(), lambda size: bytes(size))
        ledger.append([draft_of(change, FOUNDER) for change in changes])
        office.fold()
        yield office
        registry.close()


OPERATOR = Viewer(key="k", person="operator", scopes=frozenset({"admin"}))


async def test_a_registry_folded_again_is_the_same(office: Office, tmp_path: Path) -> None:
    await office.add_constituent(OPERATOR, "SG", ConstituentOrder("port"))
    made = await office.issue(OPERATOR, KeyOrder(("read",), member="SG", person="ana"))
    await office.set_group(OPERATOR, "pair", ("SG", "VN"))
    await office.set_membership(OPERATOR, "VN", present=False)
    await office.set_membership(OPERATOR, "VN", present=True)
    await office.revoke(OPERATOR, made["id"])
    ledger = office._ledger
    again = Registry(None, ledger.epoch)
    while again.catch_up(ledger.scan, ledger.length):
        pass
    for name in (
        "members",
        "constituents",
        "keys",
        "groups",
        "agent_keys",
        "lost",
        "departures",
        "persons",
    ):
        assert getattr(again, name) == getattr(office.registry, name), name
    assert list(again.members) == list(office.registry.members)
    saved = Registry(tmp_path, ledger.epoch, ledger.length, read_only=True)
    assert saved.groups == again.groups
    saved.close()
    again.close()


class Overtaken(Registry):
    """A registry that changes while a viewer is being looked up."""

    def key(self, key_id: str) -> Key:
        found = super().key(key_id)
        while self.catch_up(self.scan, self.length):
            pass
        return found

    scan: Scan
    length = 0


async def test_a_viewer_looked_up_during_a_change_is_not_kept(office: Office) -> None:
    """They would see, for as long as nothing else changes, what their member has lost."""
    made = await office.issue(OPERATOR, KeyOrder(("read",), member="SG"))
    await office.set_group(OPERATOR, "pair", ("SG", "VN"))
    ledger = office._ledger
    registry = Overtaken(None, ledger.epoch)
    while registry.catch_up(ledger.scan, ledger.length):
        pass
    await office.set_group(OPERATOR, "pair", ("VN",))
    registry.scan, registry.length = ledger.scan, ledger.length
    registry.viewer(made["id"])
    assert registry.viewer(made["id"]).lost == (("pair", 1),)
    registry.close()


async def test_of_two_agent_keys_shown_at_once_one_waits(office: Office) -> None:
    made = await office.issue(OPERATOR, KeyOrder(("receipt",), member="SG"))
    viewer = office.registry.viewer(made["id"])
    states = await asyncio.gather(
        office.show_agent_key(viewer, bytes(32)), office.show_agent_key(viewer, b"x" * 32)
    )
    assert sorted(states) == ["pending", "trusted"]
    known = office.registry.agent_keys[made["id"]]
    assert len(known.pending) == 1
    assert await office.show_agent_key(viewer, known.trusted or b"") == "trusted"
    assert await office.show_agent_key(viewer, known.pending[0]) == "pending"


async def test_others_are_told_of_a_change_once_it_holds(office: Office) -> None:
    told: list[Any] = []
    office.told = lambda: told.append(sorted(office.registry.groups))
    await office.set_group(OPERATOR, "pair", ("SG", "VN"))
    assert told == [["pair", "region"]]


def test_bodies_of_changes_are_json_with_their_moment(office: Office) -> None:
    for entry, body in office._ledger.scan(0, 100, ("registry",)):
        change = json.loads(body or b"")
        assert change["at_us"] > 0
        assert entry.object_id == f"registry--{change['change']}"


@pytest.mark.parametrize("word", ["hide", "show"])
def test_a_name_from_the_command_line_stays_one_name(hub: RunningHub, word: str) -> None:
    """It can neither climb out of its place in the address nor add to it."""
    env = {"BAYANIHAN_HUB": hub.url, "BAYANIHAN_KEY": hub.admin}
    for name in ("VN/protection?x=", "../members/VN", "VN#"):
        ran = command("member", word, name, env=env)
        assert ran.returncode == 1, ran.stdout
        assert b"[not-found]" in ran.stderr or b"There is no member" in ran.stderr
    assert command("member", "show", "VN", env=env).returncode == 0


class Changing(Registry):
    """A registry that changes while its keys are looked through."""

    def _reaches(self, viewer: Viewer, key: Key) -> bool:
        self.keys[f"{key.id}+"] = key
        return False


def test_a_key_that_comes_while_keys_are_looked_through_disturbs_nobody() -> None:
    with closing(Changing(None, b"epoch")) as registry:
        registry.keys = {"k": Key("k", b"", "SG", ("read",), person="SG/ana")}
        assert not registry.can_name(Viewer("q", "bo", "SG"), "SG/ana")
        assert len(registry.keys) == 2
