"""What people say about a value, end to end: who may, what it does, who is told, who is not."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bayanihan.core.marking import Viewer
from bayanihan.errors import Unavailable
from bayanihan.ledger import Ledger
from bayanihan.readers.feeds.disputes import ADDRESS_LIMIT, DAY_LIMIT
from bayanihan.readers.feeds.rulings import CLAIM_US, Ruling, Rulings, draft_of
from bayanihan.readers.feeds.turnstile import Turnstile
from tests.gate.answer import Answer
from tests.gate.model import Who
from tests.gate.world import World

HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    found = World()
    yield found
    found.close()


def who(world: World, name: str) -> Who:
    return next(each for each in world.people if each.name == name)


def push(world: World, author: Who, value: str, tlp: str = "green", **more: Any) -> str:
    object_id = f"indicator--{uuid.uuid4()}"
    document = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": object_id,
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "indicator_types": ["malicious-activity"],
        "pattern": f"[domain-name:value = '{value}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }
    answer = world.ask("POST", f"/api/objects?tlp={tlp.replace('+', '%2B')}", author, document)
    assert json.loads(answer.body)["accepted"] == 1, answer
    return object_id


def say(world: World, speaker: Who | None, act: str, value: str, **more: Any) -> Answer:
    answer = world.ask("POST", "/api/rulings", speaker, {"act": act, "value": value, **more})
    world.settle()
    return answer


def names(world: World, reader: Who | None, profile: str = "") -> str:
    """The names in a feed that blocks, for a reader."""
    world.settle()
    path = "/feeds/domains.txt" + (f"?profile={profile}" if profile else "")
    answer = world.ask("GET", path, reader)
    assert answer.status == 200, answer
    return "\n".join(x for x in answer.body.decode().splitlines() if not x.startswith("#"))


def held(world: World, reader: Who | None, value: str) -> dict[str, Any]:
    """What is said of a value that a feed leaves out."""
    world.settle()
    rows = json.loads(world.ask("GET", "/api/feeds", reader).body)
    (row,) = [each for each in rows if each["feed"] == "domains.txt"]
    found: dict[str, Any] = next((x for x in row["held"] if x["value"] == value), {})
    return found


def notices(world: World, reader: Who, value: str) -> list[dict[str, Any]]:
    """The notices about a value that were addressed to a reader."""
    answer = world.ask("GET", "/api/notices?limit=1000", reader)
    return [each for each in json.loads(answer.body)["notices"] if each["value"] == value]


def test_a_claim_suspends_the_block_everywhere_and_tells_the_origin(world: World) -> None:
    sg, vn, th = (who(world, f"{code} first") for code in ("SG", "VN", "TH"))
    object_id = push(world, sg, "bank-login.vn")
    assert "bank-login.vn" in names(world, th)
    answer = say(world, vn, "claim", "bank-login.vn", reason="our ministry")
    assert answer.status == 201, answer
    for reader in (sg, vn, th):
        assert "bank-login.vn" not in names(world, reader)
        left = held(world, reader, "bank-login.vn")
        assert left["mode"] == "alert"
        assert left["reason"].startswith("VN says it is theirs")
    (notice,) = notices(world, who(world, "SG second"), "bank-login.vn")
    assert (notice["about"], notice["from"], notice["purpose"]) == ([object_id], "VN", "ask")
    others = [notices(world, each, "bank-login.vn") for each in (vn, th)]
    assert others == [[], []], "nobody else is told"
    assert say(world, vn, "claim", "bank-login.vn").body == answer.body
    assert len(notices(world, sg, "bank-login.vn")) == 1, "and nobody twice"
    said = say(world, th, "insist", "bank-login.vn")
    assert said.status == 201
    assert "bank-login.vn" in names(world, th), "others may override at home"
    assert "bank-login.vn" not in names(world, sg)
    say(world, vn, "release", "bank-login.vn")
    assert "bank-login.vn" in names(world, sg)


def test_a_claim_ends_by_itself_after_72_hours_and_is_made_once(world: World) -> None:
    sg, vn = who(world, "SG first"), who(world, "VN first")
    push(world, sg, "ministry-login.vn")
    clock = world.hub.ledger.now_us
    say(world, vn, "claim", "ministry-login.vn")
    rights = world.hub.ledger.rights(world.hub.registry.sign_in(sg.key))
    for later_us, there in ((CLAIM_US - 60_000_000, False), (CLAIM_US + 1_000_000, True)):
        found = world.hub.press.version("domains.txt", rights, clock() + later_us)
        assert (b"ministry-login.vn" in found.body) == there
    say(world, vn, "release", "ministry-login.vn")
    again = say(world, vn, "claim", "ministry-login.vn")
    assert again.status == 409, "saying it again buys no more time"


def test_only_what_is_a_member_s_own_can_be_claimed(world: World) -> None:
    vn, bank = who(world, "VN first"), who(world, "VN bank")
    answer = say(world, vn, "claim", "harbour-bank.com")
    assert answer.status == 403
    assert b"does not know this as VN's" in answer.body
    path = "/api/members/VN/assets"
    order = {"asset": "harbour-bank.com", "note": "licensed bank 17"}
    assert world.ask("POST", path, vn, order).status == 403, "a member enters none itself"
    assert world.ask("POST", path, world.operator, order).status == 201
    assert say(world, vn, "claim", "login.harbour-bank.com").status == 201
    assert say(world, vn, "claim", "http://harbour-bank.com/pay").status == 201
    assert say(world, vn, "claim", "notharbour-bank.com").status == 403
    assert world.ask("POST", path, world.operator, {"asset": "45.83.0.0/16"}).status == 201
    assert say(world, vn, "claim", "45.83.1.2").status == 201
    assert say(world, vn, "claim", "45.82.0.0/15").status == 403, "wider than what is theirs"
    assert say(world, bank, "claim", "shop.vn").status == 403, "a constituent claims nothing"
    assert say(world, None, "claim", "shop.vn").status == 401


def test_false_positives_suspend_by_two_states_or_the_origin(world: World) -> None:
    sg, vn, th = (who(world, f"{code} first") for code in ("SG", "VN", "TH"))
    push(world, sg, "wrong-one.com")
    push(world, sg, "wrong-two.com")
    say(world, who(world, "TH bank"), "false-positive", "wrong-one.com")
    assert "wrong-one.com" in names(world, vn)
    say(world, th, "false-positive", "wrong-one.com")
    assert "wrong-one.com" in names(world, vn), "TH and its bank are one state"
    say(world, who(world, "VN bank"), "false-positive", "wrong-one.com")
    assert held(world, vn, "wrong-one.com")["reason"] == "TH and VN call it a false positive."
    assert say(world, sg, "false-positive", "wrong-two.com").status == 201
    assert notices(world, sg, "wrong-one.com")
    assert notices(world, sg, "wrong-two.com") == [], "nobody is told of their own word"
    assert held(world, th, "wrong-two.com")["mode"] == "alert"
    say(world, th, "confirm", "wrong-two.com")
    assert "wrong-two.com" in names(world, vn), "a person confirms it after all"


def test_machines_and_constituents_start_as_alerts_until_a_second_state(world: World) -> None:
    th = who(world, "TH first")
    order = {"member": "SG", "scopes": ["report"], "accountable": False}
    made = json.loads(world.ask("POST", "/api/keys", world.operator, order).body)
    machine = Who("machine", made["key"], made["person"], "SG", scopes=frozenset({"report"}))
    push(world, machine, "by-machine.com")
    push(world, who(world, "SG bank"), "by-bank.com")
    push(world, who(world, "SG bank"), "by-machine.com")
    for value in ("by-machine.com", "by-bank.com"):
        assert held(world, th, value)["mode"] == "alert"
    assert say(world, machine, "confirm", "by-bank.com").status == 403, "a machine confirms nothing"
    say(world, who(world, "SG second"), "confirm", "by-bank.com")
    push(world, who(world, "VN bank"), "by-machine.com")
    assert {"by-machine.com", "by-bank.com"} <= set(names(world, th).split())


def test_voices_count_only_where_they_are_heard(world: World) -> None:
    """Two states named it, but one of them told its own group: the others hear one voice."""
    sg, vn = who(world, "SG bank"), who(world, "VN bank")
    push(world, sg, "half-seen.com")
    object_id = push(world, vn, "half-seen.com", "clear")
    assert "half-seen.com" in names(world, who(world, "TH first"))
    assert "half-seen.com" not in names(world, None), "the public sees one of them"
    world.ask("DELETE", f"/api/objects/{object_id}", vn)
    assert "half-seen.com" not in names(world, who(world, "TH first")), "and it goes at once"


def test_a_member_s_own_list_wins_at_home_and_is_shown_to_nobody_else(world: World) -> None:
    sg, th = who(world, "SG first"), who(world, "TH first")
    push(world, sg, "pay.smallbank.co")
    path = "/api/members/TH/own-list"
    order = {"entry": "smallbank.co", "reason": "licensed in TH"}
    admin = world.hire("TH admin", "TH", scopes=("admin", "read"))
    assert world.ask("POST", path, th, order).status == 403
    assert world.ask("POST", path, admin, order).status == 201
    assert "smallbank.co" not in names(world, th)
    assert "TH's own list" in held(world, who(world, "TH bank"), "pay.smallbank.co")["reason"]
    assert "smallbank.co" in names(world, sg)
    assert world.ask("GET", path, sg).status == 404
    assert json.loads(world.ask("GET", path, th).body)["entries"] == [order]
    assert world.ask("DELETE", f"{path}?entry=smallbank.co", admin).status == 200
    assert "smallbank.co" in names(world, th)


def test_what_loads_a_feed_has_a_policy_and_a_version_of_its_own(world: World) -> None:
    sg = who(world, "SG first")
    push(world, sg, "unsure.com", confidence=50)
    assert "unsure.com" in names(world, sg, "office")
    assert "unsure.com" not in names(world, sg, "mail")
    assert names(world, sg, "control-network") == "canary.bayanihan.invalid"
    tags = {
        dict(world.ask("GET", f"/feeds/domains.txt?profile={name}", sg).headers)[b"etag"]
        for name in ("office", "mail", "control-network")
    }
    assert len(tags) == 3
    assert world.ask("GET", "/feeds/domains.txt?profile=factory", sg).status == 400


def test_what_is_said_of_an_unknown_value_answers_the_same(world: World) -> None:
    """Nobody learns from an answer whether an entry that they do not see names a value."""
    sg, th = who(world, "SG first"), who(world, "TH first")
    push(world, sg, "hidden.co.th", "red")
    for act in ("claim", "false-positive", "confirm"):
        there, nowhere = (say(world, th, act, value) for value in ("hidden.co.th", "other.co.th"))
        assert there.status == nowhere.status == 201
        assert there.body.replace(b"hidden", b"other") == nowhere.body
    assert notices(world, who(world, "SG second"), "hidden.co.th") == [], (
        "not even their neighbours"
    )


def test_an_exercise_has_rulings_of_its_own(world: World) -> None:
    sg, vn = who(world, "SG first"), who(world, "VN first")
    push(world, sg, "drill.vn")
    say(world, vn, "claim", "drill.vn", exercise=True)
    assert "drill.vn" in names(world, sg)


def test_a_site_s_owner_disputes_without_an_account(world: World) -> None:
    sg, th = who(world, "SG first"), who(world, "TH first")
    push(world, sg, "my-shop.com", "green")
    world.settle()
    complaint = {"value": "my-shop.com", "reason": "We were hacked, and mended it.\nSee the log."}
    answers = [
        world.ask("POST", "/api/disputes", None, complaint | {"value": value})
        for value in ("my-shop.com", "never-blocked.com")
    ]
    assert [each.status for each in answers] == [202, 202]
    assert [sorted(json.loads(each.body)) for each in answers] == [["id", "state"]] * 2
    assert "my-shop.com" in names(world, th), "people decide, a complaint does not"
    assert len(notices(world, who(world, "SG second"), "my-shop.com")) == 1
    every = json.loads(world.ask("GET", "/api/disputes", th).body)
    listed = [each for each in every if each["value"] in ("my-shop.com", "never-blocked.com")]
    assert [each["value"] for each in listed] == ["my-shop.com", "never-blocked.com"]
    for reader in (None, who(world, "TH bank")):
        assert world.ask("GET", "/api/disputes", reader).status in (401, 403)
    settled = f"/api/disputes/{listed[0]['id']}"
    assert world.ask("DELETE", settled, sg).status == 403
    assert world.ask("DELETE", settled, world.operator).status == 200
    assert world.ask("DELETE", settled, world.operator).status == 404


def test_the_form_takes_a_dispute_and_says_nothing_of_entries(world: World) -> None:
    push(world, who(world, "SG first"), "my-cafe.com", "green")
    form = {"content-type": "application/x-www-form-urlencoded", "origin": "http://hub"}

    def send(value: str, reason: str) -> Answer:
        data = f"value={value}&reason={reason}&contact=me".encode()
        return world.ask("POST", "/dispute", None, data, headers=form)

    assert world.ask("GET", "/dispute").status == 200
    there, nowhere = send("my-cafe.com", "wrong"), send("other.com", "wrong")
    assert there.status == nowhere.status == 200
    assert len(there.body) == len(nowhere.body)
    refused = send("x", "%3Cscript%3E")
    assert refused.status == 400
    assert b"<script>" not in refused.body
    assert b"&lt;script&gt;" in refused.body, "what was typed is still there"
    page = world.ask("GET", "/feeds", who(world, "SG second")).body
    assert b"my-cafe.com" in page
    assert b"Open disputes" in page
    assert b"Open disputes" not in world.ask("GET", "/feeds", who(world, "SG bank")).body


def test_disputes_are_taken_a_few_an_hour() -> None:
    turnstile = Turnstile(
        "disputes", each=(ADDRESS_LIMIT, HOUR_US), together=(DAY_LIMIT, 24 * HOUR_US)
    )
    for number in range(DAY_LIMIT - ADDRESS_LIMIT):
        turnstile.enter(f"address {number}", HOUR_US)
    for _ in range(ADDRESS_LIMIT):
        turnstile.enter("one", HOUR_US)
    with pytest.raises(Unavailable, match="Too many disputes") as refused:
        turnstile.enter("another", HOUR_US)
    assert refused.value.retry_after_s == 24 * 3_600 + 1
    with pytest.raises(Unavailable) as refused:
        turnstile.enter("one", 2 * HOUR_US - 1)
    assert refused.value.retry_after_s == 1
    turnstile.enter("one", 26 * HOUR_US)


def test_a_complaint_that_says_nothing_is_refused(world: World) -> None:
    bad = ({"value": "x", "reason": "why"}, {"value": "a.com", "reason": " "}, {"reason": "why"})
    assert {world.ask("POST", "/api/disputes", None, each).status for each in bad} == {400}


class Failing(Rulings):
    """Rulings whose next commit fails."""

    fault = False

    def gathered(self) -> None:
        if self.fault:
            self.fault = False
            raise sqlite3.OperationalError("database or disk is full")


def test_what_was_said_when_the_disk_was_full_is_told_once(tmp_path: Path) -> None:
    said = draft_of(Ruling("insist", "domain", "a.example"), Viewer("k", "ana", "SG"))
    told: list[tuple[str, str]] = []
    with contextlib.closing(Ledger(tmp_path)) as ledger:
        ledger.append([said])
        with contextlib.closing(Failing(None, ledger.epoch)) as rulings:
            rulings.told, rulings.fault = told.extend, True
            with pytest.raises(sqlite3.OperationalError):
                rulings.catch_up(ledger.scan, ledger.length)
            assert told == []
            rulings.catch_up(ledger.scan, ledger.length)
            assert told == [("domain", "a.example")]
