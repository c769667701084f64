"""Persons: nobody becomes another, and nobody learns whom others have."""

from __future__ import annotations

from typing import Any

import pytest

from bayanihan.core.marking import TLP_2_IDS
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub


def red() -> dict[str, Any]:
    return indicator(object_marking_refs=[TLP_2_IDS["red"]])


def order(hub: RunningHub, key: str, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = hub.ask("POST", "/api/keys", key, json={"scopes": ["read"], **more})
    return answer.status_code, answer.json()


# --- an administrator becomes nobody else ----------------------------------------------------


def test_an_administrator_makes_no_second_key_for_another_person(hub: RunningHub) -> None:
    bo = hub.key("TH", person="bo1", scopes=["read", "admin"])
    admin = hub.key("TH", scopes=["admin"])
    one = red()
    hub.push(hub.key("MY"), one, to="TH/bo1")
    status, answer = order(hub, admin, member="TH", person="bo1")
    assert (status, answer["error"]["code"]) == (403, "not-permitted")
    assert answer["error"]["where"] == "person"
    for issuer in (bo, hub.admin):
        status, answer = order(hub, issuer, member="TH", person="bo1")
        assert status == 201
        assert one["id"] in hub.ids(answer["key"])
    assert order(hub, admin, member="TH", person="new-in-the-team")[0] == 201


def test_nor_once_the_first_key_is_revoked(hub: RunningHub) -> None:
    _, made = order(hub, hub.admin, member="TH", person="bo2")
    hub.push(hub.key("MY"), red(), to="TH/bo2")
    admin = hub.key("TH", scopes=["admin"])
    assert hub.ask("DELETE", f"/api/keys/{made['id']}", admin).status_code == 200
    assert order(hub, admin, member="TH", person="bo2")[0] == 403


@pytest.mark.parametrize("scope", ["regulate", "sandbox"])
def test_some_scopes_are_the_operators_to_grant(hub: RunningHub, scope: str) -> None:
    admin = hub.key("TH", scopes=["admin", scope])
    status, answer = order(hub, admin, member="TH", scopes=["read", scope])
    assert (status, answer["error"]["where"]) == (403, "scopes")
    assert order(hub, hub.admin, member="TH", scopes=["read", scope])[0] == 201


# --- who comes after a member left is somebody else ------------------------------------------


def test_red_from_before_a_member_left_is_read_by_nobody_of_it(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    author, before, since = hub.key("MY"), red(), red()
    first = hub.key("VN", person="linh")
    assert accepted(hub.push(author, before, to="VN/linh"))
    assert before["id"] in hub.ids(first)
    assert hub.ask("POST", "/api/members/VN/leave", hub.admin).status_code == 200
    assert hub.ask("POST", "/api/members/VN/join", hub.admin).status_code == 200
    _, again = order(hub, hub.admin, member="VN", person="linh")
    assert again["person"] == "VN/linh~2"
    assert before["id"] not in hub.ids(again["key"])
    params = {"to": "VN/linh"}
    assert hub.ask("POST", "/api/objects", author, params=params, json=red()).status_code == 400
    assert accepted(hub.push(author, since, to="VN/linh~2"))
    assert since["id"] in hub.ids(again["key"])


# --- names are no oracle ---------------------------------------------------------------------


def refused(hub: RunningHub, key: str, **params: str) -> str:
    """The refusal of a push, with the name that was tried taken out."""
    answer = hub.ask("POST", "/api/objects", key, params=params, json=indicator())
    assert answer.status_code == 400, answer.text
    (name,) = params.values()
    return answer.text.replace(name, "NAME")


def test_a_group_of_others_is_as_one_that_does_not_exist(hub: RunningHub) -> None:
    hub.group("between-two", "KH", "LA")
    outsider = hub.key("BN", scopes=["report", "admin"])
    absent = refused(hub, outsider, group="of-nobody")
    assert refused(hub, outsider, group="between-two") == absent
    answers = [
        order(hub, outsider, member="BN", group=name)[1]["error"]["message"].replace(name, "NAME")
        for name in ("of-nobody", "between-two")
    ]
    assert answers[0] == answers[1]
    assert accepted(hub.push(hub.key("KH"), indicator(), group="between-two"))
    assert accepted(hub.push(hub.admin, indicator(), group="between-two"))


def test_a_person_one_may_not_address_is_as_one_who_does_not_exist(hub: RunningHub) -> None:
    hub.constituent("KH", "clinic")
    hub.constituent("LA", "dam")
    hub.key("LA", constituent="dam", person="keo")
    hub.key("LA", person="noy")
    staff, clinic = hub.key("KH"), hub.key("KH", constituent="clinic")
    hub.key("KH", person="sok")
    absent = refused(hub, staff, to="LA/dam/nobody")
    assert refused(hub, staff, to="LA/dam/keo") == absent
    for person in ("LA/dam/keo", "LA/noy"):
        assert refused(hub, clinic, to=person) == absent
    assert accepted(hub.push(staff, red(), to="LA/noy"))
    assert accepted(hub.push(clinic, red(), to="KH/sok"))
    assert accepted(hub.push(clinic, red(), to="operator"))


# --- the hub's numbers -----------------------------------------------------------------------


def test_only_the_operator_sees_the_hubs_numbers(hub: RunningHub) -> None:
    """The ledger's length tells how much is said that one may not see."""
    hub.constituent("TH", "port")
    for place in ({"member": "TH"}, {"member": "TH", "constituent": "port"}):
        answer = hub.ask("GET", "/metrics", hub.key(**place, scopes=["admin"]))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not-permitted")
    assert "bayanihan_entries " in hub.ask("GET", "/metrics", hub.admin).text
