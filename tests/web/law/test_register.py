"""The register as it is kept: two views, drafts, versions, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import Refused
from bayanihan.web.law import Desk, register
from tests.web.law.conftest import CLERK, JUDGE, OTHER, READER, staff

TODAY = "2026-11-23"
FIELDS = {
    "provider": "Harbour Bank, 1 Quay Street",
    "trade_name": "Loan assistant 3",
    "purpose": "sorts applications for loans",
    "data": "applications of 2020 to 2025",
    "status": "on the market",
    "states": "SG, VN",
    "declaration": "DoC-17",
    "instructions": "https://example.org/manual",
}


NO_DUTY = {"annex_iii": [], "roles": ["deployer"], "public_body": False}


def body(**more: Any) -> dict[str, Any]:
    facts = {"roles": ["provider"], "markets": ["SG", "EU"], "annex_iii": ["5b"]}
    return {"system": "loan-assistant", "facts": facts, "register": FIELDS, **more}


def told(answer: dict[str, Any]) -> str:
    return str(answer)


def test_the_public_sees_public_fields_and_authorities_the_whole(desk: Desk) -> None:
    made = register.enter(desk, CLERK, body(reason="first entry"), TODAY)
    assert (made["section"], made["place"], made["member"]) == ("A", "public", "SG")
    for viewer in (PUBLIC, READER):
        (entry,) = register.listed(desk, viewer, "public", "", 50)["entries"]
        assert {field["label"] for field in entry["fields"]} >= {
            "Intended purpose, components and functions"
        }
        for secret in ("annex_iii", "clerk", "first entry", "loan-assistant"):
            assert secret not in told(entry)
            assert secret not in told(register.one(desk, viewer, made["id"]))
    for viewer in (JUDGE, OTHER):
        (entry,) = register.listed(desk, viewer, "authority", "", 50)["entries"]
        assert entry["system"]["facts"]["annex_iii"] == ["5b"]
        assert (entry["person"], entry["reason"]) == ("SG/bank/clerk", "first entry")
    assert register.one(desk, CLERK, made["id"])["person"] == "SG/bank/clerk"
    with pytest.raises(Refused, match="authorities' view"):
        register.listed(desk, READER, "authority", "", 50)


def test_police_uses_are_known_to_exist_and_no_more(desk: Desk) -> None:
    made = register.enter(desk, CLERK, body(facts={"annex_iii": ["6a"]}), TODAY)
    public = register.one(desk, PUBLIC, made["id"])
    assert (public["place"], public["fields"]) == ("restricted", [])
    assert "Loan assistant" not in told(public)
    assert "Loan assistant" in told(register.one(desk, OTHER, made["id"]))


def test_critical_infrastructure_stays_with_its_own_member(desk: Desk) -> None:
    made = register.enter(desk, CLERK, body(facts={"annex_iii": ["2"]}), TODAY)
    assert made["place"] == "national"
    assert register.one(desk, JUDGE, made["id"])["view"] == "authority"
    assert register.one(desk, OTHER, made["id"])["view"] == "public"


def test_a_draft_is_kept_for_its_own_organisation_until_it_is_entered(desk: Desk) -> None:
    draft = register.enter(desk, CLERK, body(register={}, draft=True), TODAY)
    assert draft["state"] == "draft"
    assert [one["id"] for one in desk.drafts(CLERK)] == [draft["id"]]
    assert desk.drafts(JUDGE) == []
    assert desk.drafts(staff("SG", "other", "report")) == []
    assert register.listed(desk, PUBLIC, "public", "", 50)["entries"] == []
    with pytest.raises(Refused, match="Electronic instructions") as refusal:
        register.enter(desk, CLERK, body(register={}, id=draft["id"]), TODAY)
    assert refusal.value.code == "missing-property"
    made = register.enter(desk, CLERK, body(id=draft["id"]), TODAY)
    assert made["id"] == draft["id"]
    assert desk.drafts(CLERK) == []


def test_a_new_version_replaces_and_withdrawal_is_said(
    desk: Desk, opened: Callable[[], Desk]
) -> None:
    made = register.enter(desk, CLERK, body(), TODAY)
    changed = {**FIELDS, "status": "recalled"}
    register.enter(desk, CLERK, body(id=made["id"], register=changed), TODAY)
    (entry,) = register.listed(desk, PUBLIC, "public", "", 50)["entries"]
    assert "recalled" in told(entry)
    register.withdraw(desk, CLERK, made["id"], "no longer offered")
    with pytest.raises(Refused, match="withdrawn already"):
        register.withdraw(desk, CLERK, made["id"], "again")
    for each in (desk, opened()):  # what is folded anew says the same
        one = register.one(each, PUBLIC, made["id"])
        assert (one["state"], one["versions"]) == ("withdrawn", 3)
        assert "no longer offered" not in told(one)


@pytest.mark.parametrize(
    ("viewer", "code"),
    [
        (PUBLIC, "not-signed-in"),
        (READER, "not-permitted"),
        (Viewer("k", "k", "SG", "", frozenset({"report"})), "not-permitted"),
        (Viewer("k", "operator", "", "", frozenset({"report", "regulate"})), "not-permitted"),
    ],
)
def test_only_a_named_person_of_a_member_enters(desk: Desk, viewer: Viewer, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        register.enter(desk, viewer, body(), TODAY)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ({"facts": {"annex_iii": ["9z"]}}, "bad-value", "$.facts.annex_iii"),
        ({"system": ""}, "missing-property", "$.system"),
        ({"register": {**FIELDS, "color": "red"}}, "bad-value", "$.register.color"),
        ({"register": {**FIELDS, "status": 5}}, "bad-value", "$.register.status"),
        ({"register": {**FIELDS, "status": "x" * 2001}}, "bad-value", "$.register.status"),
        (
            {"facts": {"annex_iii": [], "roles": ["deployer"], "public_body": False}},
            "conflict",
            "$.facts",
        ),
        ({"id": "ai-system--elsewhere"}, "not-found", "ai-system--elsewhere"),
        ({"as_of": "1990-01-01"}, "bad-parameter", "as-of"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told(
    desk: Desk, more: dict[str, Any], code: str, where: str
) -> None:
    with pytest.raises(Refused) as refusal:
        register.enter(desk, CLERK, body(**more), TODAY)
    assert (refusal.value.code, refusal.value.where) == (code, where)


def test_nobody_changes_the_entry_of_another(desk: Desk) -> None:
    made = register.enter(desk, CLERK, body(), TODAY)
    for viewer in (OTHER, JUDGE, staff("SG", "clerk", "report", constituent="telecom")):
        with pytest.raises(Refused, match="You entered no such system"):
            register.enter(desk, viewer, body(id=made["id"]), TODAY)
        with pytest.raises(Refused, match="You entered no such system"):
            register.withdraw(desk, viewer, made["id"], "mine")


def test_a_long_register_is_read_in_pages(desk: Desk) -> None:
    made = [
        register.enter(desk, CLERK, body(system=f"s{number}"), TODAY)["id"] for number in range(5)
    ]
    seen, after = [], ""
    while True:
        page = register.listed(desk, PUBLIC, "public", after, 2)
        seen += [entry["id"] for entry in page["entries"]]
        after = page["next"]
        if not after:
            break
    assert seen == made[::-1]
