"""Campaigns over real sockets: who is counted, for whom, and what leaves."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from stix2 import parse

from bayanihan.core.fingerprint import EXTENSION_ID
from tests.sim.command import run
from tests.sim.process import RunningHub


def case(host: str, language: str = "th") -> dict[str, Any]:
    return {
        "type": "incident",
        "spec_version": "2.1",
        "id": f"incident--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "name": "a lure",
        "labels": [f"lang:{language}"],
        "extensions": {
            EXTENSION_ID: {
                "extension_type": "property-extension",
                "infrastructure": [f"domain:{host}"],
            }
        },
    }


@pytest.fixture(scope="module")
def keys(shared_hub: RunningHub) -> dict[str, str]:
    shared_hub.constituent("MY", "lake-bank")
    found = {code: shared_hub.key(code) for code in ("TH", "VN", "MY")}
    return found | {"bank": shared_hub.key("MY", constituent="lake-bank"), "public": ""}


def seen(hub: RunningHub, key: str, host: str, **params: str) -> dict[str, Any]:
    """The campaign that a host joins, as a key sees it; {} where there is none."""
    answer = hub.ask("GET", "/api/campaigns", key, params={"limit": 200, **params})
    assert answer.status_code == 200, answer.text
    found = [each for each in answer.json()["campaigns"] if each["name"] == f"domain:{host}"]
    return found[0] if found else {}


def test_nobody_counts_a_case_that_they_may_not_see(hub: RunningHub, keys: dict[str, str]) -> None:
    host = f"{uuid.uuid4().hex}.example"
    cases = [case(host, language) for language in ("th", "vi", "th", "th", "en")]
    for one, member, tlp in zip(
        cases,
        ("TH", "VN", "TH", "TH", "VN"),
        ("clear", "clear", "amber", "amber+strict", "red"),
        strict=True,
    ):
        assert hub.push(keys[member], one, tlp=tlp)["accepted"] == 1
    counts = {name: seen(hub, key, host)["cases"] for name, key in keys.items()}
    # RED is in none, not even for who sent it.
    assert counts == {"TH": 4, "VN": 4, "MY": 4, "bank": 3, "public": 2}
    public = seen(hub, "", host)
    assert public["members"] == [{"member": "TH", "cases": 1}, {"member": "VN", "cases": 1}]
    whole = hub.ask("GET", f"/api/campaigns/{public['id']}").json()
    assert [each["id"] for each in whole["listed"]] == [cases[0]["id"], cases[1]["id"]]
    assert (whole["level"], whole["growth"][-1]["languages"]) == ("clear", {"th": 1, "vi": 1})
    for name in (cases[2]["id"], cases[3]["id"], f"campaign--{uuid.uuid4()}"):
        assert hub.ask("GET", f"/api/campaigns/{name}").status_code == 404
    page = hub.ask("GET", f"/campaigns/{public['id']}").text
    assert cases[1]["id"] in page
    assert cases[2]["id"] not in page
    assert "2 cases" in page


def test_a_campaign_keeps_its_id_as_it_grows_and_each_case_leads_to_it(
    hub: RunningHub, keys: dict[str, str]
) -> None:
    host = f"{uuid.uuid4().hex}.example"
    cases = [case(host) for _ in range(3)]
    hub.push(keys["TH"], *cases[:2], tlp="green")
    first = seen(hub, keys["VN"], host)
    hub.push(keys["VN"], cases[2], tlp="green")
    grown = seen(hub, keys["MY"], host)
    assert (first["id"], grown["cases"]) == (grown["id"], 3)
    for one in cases:
        whole = hub.ask("GET", f"/api/campaigns/{one['id']}", keys["MY"]).json()
        assert whole["id"] == grown["id"]
    told = parse(json.dumps(whole["object"]))
    assert (told.type, told.id) == ("campaign", grown["id"])


def test_withdrawn_and_erased_cases_leave_at_once(hub: RunningHub, keys: dict[str, str]) -> None:
    host = f"{uuid.uuid4().hex}.example"
    cases = [case(host) for _ in range(4)]
    hub.push(keys["TH"], *cases, tlp="green")
    assert seen(hub, keys["VN"], host)["cases"] == 4
    assert hub.ask("DELETE", f"/api/objects/{cases[0]['id']}", keys["TH"]).status_code == 200
    assert seen(hub, keys["VN"], host)["cases"] == 3
    path = f"/api/objects/{cases[1]['id']}/erase"
    assert hub.ask("POST", path, keys["TH"]).status_code == 200
    assert seen(hub, keys["VN"], host)["cases"] == 2
    assert hub.ask("GET", f"/api/campaigns/{cases[1]['id']}", keys["TH"]).status_code == 404
    hub.push(keys["TH"], {**cases[2], "modified": "2026-01-02T00:00:00.000Z", "revoked": True})
    assert seen(hub, keys["VN"], host)["cases"] == 2  # another audience was told of that
    hub.push(
        keys["TH"],
        {**cases[2], "modified": "2026-01-03T00:00:00.000Z", "revoked": True},
        tlp="green",
    )
    assert seen(hub, keys["VN"], host) == {}


def test_an_exercise_is_a_campaign_by_itself(hub: RunningHub, keys: dict[str, str]) -> None:
    host = f"{uuid.uuid4().hex}.example"
    hub.push(keys["TH"], case(host), case(host), tlp="clear", exercise=True)
    hub.push(keys["TH"], case(host), tlp="clear")
    assert seen(hub, "", host) == {}
    assert seen(hub, "", host, exercise="true")["cases"] == 2
    assert "EXERCISE" in hub.ask("GET", "/campaigns?exercise=true").text


def test_what_is_shared_by_strangers_is_listed_and_joins_nothing(
    hub: RunningHub, keys: dict[str, str]
) -> None:
    hub.push(keys["TH"], case("docs.google.com"), case("docs.google.com"), tlp="clear")
    told = hub.ask("GET", "/api/campaigns").json()
    assert not [each for each in told["campaigns"] if "google" in each["name"]]
    crowded = [each for each in told["crowded"] if each["value"] == "domain:docs.google.com"]
    assert [each["cases"] for each in crowded] == [2]
    assert "docs.google.com" in hub.ask("GET", "/campaigns").text


def test_the_commands_and_their_refusals(
    at: RunningHub, keys: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    host = f"{uuid.uuid4().hex}.example"
    hub = at
    hub.push(keys["TH"], case(host), case(host, "vi"), tlp="clear")
    code, out, _ = run(capfd, "campaigns")
    line = next(each for each in out.splitlines() if host in each)
    assert code == 0
    assert ": 2 cases (TH 2)" in line
    code, out, _ = run(capfd, "campaign", line.split()[0])
    assert code == 0
    assert "(th 1 vi 1)" in out
    code, out, _ = run(capfd, "campaign", line.split()[0], "--json")
    assert json.loads(out)["object"]["type"] == "campaign"
    code, _, err = run(capfd, "campaign", "campaign--none")
    assert (code, "There is no such campaign" in err) == (1, True)
    for wrong in ("days=0", "days=9999", "limit=0", "days=x"):
        assert hub.ask("GET", f"/api/campaigns?{wrong}").status_code == 400
    only_feed = hub.key("TH", scopes=["feed"])
    assert hub.ask("GET", "/api/campaigns", only_feed).status_code == 403
    assert hub.ask("GET", "/campaigns", only_feed).status_code == 403
