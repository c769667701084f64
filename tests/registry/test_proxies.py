"""A member without a CERT is served by a named proxy: with a paper, in both names, and back."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sim.command import run
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

PAPER = hashlib.sha256(b"signed").hexdigest()
TLP_RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
FIELDS = "provider trade_name purpose data status states declaration instructions".split()
SYSTEM = {
    "system": "s",
    "facts": {"annex_iii": ["4a"]},
    "register": dict.fromkeys(FIELDS, "x"),
    "voluntary": True,
}
ABOVE = ("report", "read", "feed", "receipt", "notice", "admin")


def day(ahead: int) -> str:
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=ahead)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def paper(proxy: str = "TH", **other: str) -> dict[str, str]:
    told = {"title": "Letter 17", "signed": day(0)[:10], "sha256": PAPER, "until": day(30)}
    return {"proxy": proxy, **told, **other}


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path_factory.mktemp("proxies") / "data").start()
    hub.constituent("TL", "bank")
    yield hub
    assert hub.stop().code == 0
    hub.check()


@pytest.fixture
def served(region: RunningHub) -> Iterator[RunningHub]:
    """TH serves TL; afterwards it does no longer, whatever the test did."""
    answer = region.ask("POST", "/api/members/TL/proxy", region.admin, json=paper())
    assert answer.status_code == 201, answer.text
    yield region
    region.ask("POST", "/api/members/TL/hand-back", region.admin)


def lent(hub: RunningHub, by: str = "", **more: str) -> httpx.Response:
    order = {"member": "TH", "serves": "TL", "scopes": ["report", "read"], **more}
    return hub.ask("POST", "/api/keys", by or hub.admin, json=order)


def draft_of(hub: RunningHub, key: str, text: str = "") -> dict[str, Any]:
    text = text or f"Verify at https://w{uuid.uuid4().hex[:9]}.example/login within 24 hours"
    answer = hub.ask("POST", "/api/reports", key, files={"file": ("e", text.encode())})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()["error"]
    assert told["message"]
    assert told["next_step"]
    return answer.status_code, told["code"], told["where"]


def test_a_constituents_report_is_seen_and_published_by_the_proxy_in_both_names(
    region: RunningHub,
) -> None:
    hub = region
    bank, tl, th = hub.key("TL", constituent="bank"), hub.key("TL"), hub.key("TH")
    old = draft_of(hub, bank)
    assert old["waits_for"] == "TL", "asked to be published or not"
    hub.ask("POST", "/api/members/TL/proxy", hub.admin, json=paper())
    key = lent(hub, person="lan").json()["key"]
    new = draft_of(hub, bank)
    listed = [each["id"] for each in hub.ask("GET", "/api/reports", key).json()["reports"]]
    assert (new["id"] in listed, old["id"] in listed) == (True, False)
    assert hub.ask("GET", old["address"], key).status_code == 404
    assert hub.ask("GET", new["address"], th).status_code == 404, "not with their own key"
    done = hub.ask("POST", f"{new['address']}/publish", key).json()
    assert (done["origin"], done["published"]["by"]) == ("TL/bank", "TH for TL")
    incident = f"incident--{new['id']}"
    for who in (tl, hub.key("VN")):
        (proof,) = hub.ask("GET", f"/api/proofs/{incident}", who).json()["proofs"]
        assert proof["evidence"]["origin"] == "TL"
        assert proof["evidence"]["author"] == "TH for TL/lan"
        page = hub.ask("GET", f"/entries/{incident}", who).text
        assert "Thailand for Timor-Leste" in page
    acts = hub.ask("GET", "/api/members/TL/proxy/acts", tl).json()["acts"]
    assert [(each["by"], each["act"]) for each in acts[-2:]] == [
        ("TH for TL/lan", "confirmed"),
        ("TH for TL/lan", "entered"),
    ]
    assert incident in acts[-1]["ids"]
    assert acts[-1]["not_there"] == 0
    hub.ask("POST", "/api/members/TL/hand-back", hub.admin)


def test_a_proxy_reads_as_its_own_staff_and_sees_nothing_of_the_members(
    served: RunningHub,
) -> None:
    hub, name = served, f"g{uuid.uuid4().hex[:8]}"
    hub.group(name, "TL", "VN")
    vn, tl, bank = hub.key("VN"), hub.key("TL"), hub.key("TL", constituent="bank")
    text = f"Verify your k{uuid.uuid4().hex[:8]} at https://w{uuid.uuid4().hex[:9]}.example/login"
    hidden = draft_of(hub, vn, text)
    hub.ask("PATCH", hidden["address"], vn, json={"tlp": "amber", "group": name})
    hub.ask("POST", f"{hidden['address']}/publish", vn)
    case = f"incident--{hidden['id']}"
    assert case in hub.ids(tl)
    key = lent(hub).json()["key"]
    assert case not in hub.ids(key)
    hub.ask("POST", "/api/lookup", tl, files={"file": ("e", text.encode())})  # once it is folded
    theirs = draft_of(hub, bank, text)
    assert case in [each["id"] for each in theirs["similar"]]
    seen = hub.ask("GET", theirs["address"], key)
    assert seen.json()["similar"] == []
    assert case not in seen.text + hub.ask("GET", f"/reports/{theirs['id']}", key).text
    whole = hub.ask("GET", theirs["address"], tl).json()
    assert case in [each["id"] for each in whole["similar"]], "it is still there for the member"
    # Nor may it speak where TL does not hear.
    hub.group(name, "TH", "VN")
    answer = hub.push(key, indicator(), tlp="amber", group=name)
    assert [each["code"] for each in answer["results"]] == ["not-permitted"]


def test_red_in_anothers_name_is_refused(served: RunningHub) -> None:
    assert refusal(lent(served, level="red")) == (400, "bad-value", "level")
    key = lent(served, person="red").json()["key"]
    for answer in (
        served.push(key, indicator(), tlp="red"),
        served.push(key, indicator(object_marking_refs=[TLP_RED])),
    ):
        (result,) = answer["results"]
        assert result["code"] == "not-permitted"
        assert "TL would not see" in result["reason"]
    draft = draft_of(served, key)
    served.ask("PATCH", draft["address"], key, json={"tlp": "red"})
    said = served.ask("POST", f"{draft['address']}/publish", key)
    assert "TL would not see" in said.json()["error"]["message"]
    named = served.ask("POST", "/api/objects?tlp=red&to=TH for TL/red", served.key("VN"), json={})
    assert refusal(named) == (400, "bad-parameter", "to")


@pytest.mark.parametrize(
    ("order", "code", "where"),
    [
        (paper(sha256=""), "bad-value", "sha256"),
        (paper(sha256="x" * 64), "bad-value", "sha256"),
        (paper(title=" "), "bad-value", "title"),
        (paper(title="a\u202eb"), "bad-value", "title"),
        (paper(signed="yesterday"), "bad-value", "signed"),
        (paper(signed="20261120"), "bad-value", "signed"),
        (paper(signed=day(3)[:10]), "bad-value", "signed"),
        (paper(until=""), "bad-value", "until"),
        (paper(until=day(-1)), "bad-value", "until"),
        (paper(until=day(800)), "bad-value", "until"),
        (paper(since=day(-1)), "bad-value", "since"),
        (paper(since=day(20), until=day(10)), "bad-value", "until"),
        (paper("TL"), "bad-value", "proxy"),
        (paper("XX"), "bad-value", "proxy"),
    ],
)
def test_no_consent_without_its_paper_and_its_end(
    region: RunningHub, order: dict[str, str], code: str, where: str
) -> None:
    answer = region.ask("POST", "/api/members/TL/proxy", region.admin, json=order)
    assert refusal(answer)[1:] == (code, where)
    assert region.ask("GET", "/api/members/TL/proxy", region.admin).json()["proxy"] == ""


def test_one_proxy_at_a_time_and_no_chain(served: RunningHub) -> None:
    hub = served

    def consent(code: str, by: str, proxy: str, **other: str) -> tuple[int, str, str]:
        return refusal(
            hub.ask("POST", f"/api/members/{code}/proxy", by, json=paper(proxy, **other))
        )

    admin_of = {code: hub.key(code, scopes=ABOVE) for code in ("TL", "TH", "SG")}
    assert consent("TL", hub.admin, "MY") == (409, "conflict", "proxy")
    assert consent("TL", admin_of["TL"], "TH", since=day(2)) == (409, "conflict", "proxy")
    assert consent("SG", admin_of["SG"], "TL") == (409, "conflict", "proxy"), "TL is served"
    assert consent("TH", admin_of["TH"], "SG") == (409, "conflict", "code"), "TH serves"
    # Nobody consents in another's place; a member with a CERT by itself alone.
    assert consent("SG", hub.admin, "MY") == (403, "not-permitted", "code")
    assert consent("TL", admin_of["TH"], "TH") == (403, "not-permitted", "code")
    assert consent("TL", hub.key("TL"), "MY") == (403, "not-permitted", "admin")
    hub.ask("POST", "/api/members/TL/hand-back", hub.admin)
    with ThreadPoolExecutor(4) as pool:
        orders = [paper(code) for code in ("MY", "SG", "TH", "VN")]
        answers = pool.map(
            lambda order: hub.ask("POST", "/api/members/TL/proxy", hub.admin, json=order), orders
        )
        assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    told = hub.ask("GET", "/api/members/TL/proxy", hub.admin).json()
    assert [each["state"] for each in told["consents"]].count("holds") == 1


def test_a_key_for_another_is_made_only_while_the_consent_holds_and_ends_with_it(
    region: RunningHub,
) -> None:
    hub = region
    assert refusal(lent(hub)) == (403, "not-permitted", "serves")
    hub.ask("POST", "/api/members/TL/proxy", hub.admin, json=paper(since=day(1)))
    assert refusal(lent(hub)) == (403, "not-permitted", "serves")
    hub.ask("POST", "/api/members/TL/hand-back", hub.admin)
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    order = paper(until=end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    hub.ask("POST", "/api/members/TL/proxy", hub.admin, json=order)
    th_admin = hub.key("TH", scopes=ABOVE)
    key = lent(hub, th_admin, until=day(10)).json()["key"]
    assert hub.ask("GET", "/api/reports", key).status_code == 200
    for wrong, where in (
        ({"scopes": ["report", "admin"]}, "scopes"),
        ({"member": "TL"}, "serves"),
        ({"member": ""}, "serves"),
        ({"serves": "XX"}, "serves"),
    ):
        assert refusal(lent(hub, **wrong))[2] == where
    while datetime.datetime.now(datetime.UTC) < end:
        time.sleep(0.1)
    answer = hub.ask("GET", "/api/reports", key)
    assert refusal(answer)[:2] == (401, "not-signed-in")
    assert "TL" in answer.json()["error"]["message"]
    assert "ended" in lent(hub, th_admin).json()["error"]["message"]
    told = hub.ask("GET", "/api/members/TL/proxy", hub.admin).json()["consents"]
    assert told[-1]["state"] == "expired"


def test_handing_back_ends_the_keys_gives_the_member_its_own_and_the_list(
    served: RunningHub,
) -> None:
    hub = served
    key, tl_admin = lent(hub, person="mali").json()["key"], hub.key("TL", scopes=ABOVE)
    one = indicator()
    assert hub.push(key, one)["accepted"] == 1
    draft = draft_of(hub, key)
    ids = {each["id"] for each in hub.ask("GET", "/api/keys", tl_admin).json()}
    assert key.split("_")[1] in ids, "the member sees who reports in its name"
    back = hub.ask("POST", "/api/members/TL/hand-back", tl_admin).json()
    assert (back["proxy"], back["state"]) == ("TH", "handed back")
    assert key.split("_")[1] in back["keys_ended"]
    assert hub.ask("GET", "/api/reports", key).status_code == 401
    own = back["key"]["key"]
    acts = hub.ask("GET", "/api/members/TL/proxy/acts", own).json()["acts"]
    mine = [each for each in acts if each["by"] == "TH for TL/mali"]
    assert [each["act"] for each in mine] == ["entered", "reported"]
    assert (mine[0]["ids"], mine[1]["draft"]) == ([one["id"]], draft["id"])
    assert hub.ask("POST", f"{draft['address']}/publish", own).status_code == 200
    assert hub.ask("DELETE", f"/api/objects/{one['id']}", own).status_code == 200
    assert refusal(hub.ask("POST", "/api/members/TL/hand-back", own)) == (404, "not-found", "code")
    for other in (hub.key("TH"), hub.admin, hub.key("TL", constituent="bank")):
        answer = hub.ask("GET", "/api/members/TL/proxy/acts", other)
        assert refusal(answer) == (403, "not-permitted", "code")


def test_a_proxy_takes_back_what_it_entered_and_nothing_else(served: RunningHub) -> None:
    hub, key = served, lent(served, person="noi").json()["key"]
    theirs, its = indicator(), indicator()
    hub.push(hub.key("TL"), theirs)
    hub.push(key, its)
    assert hub.ask("DELETE", f"/api/objects/{theirs['id']}", key).status_code == 404
    assert hub.ask("DELETE", f"/api/objects/{its['id']}", key).json()["withdrawn"] == 1
    place = "/api/objects/{}/erase".format(its["id"])
    refused = (403, "not-permitted", "report")
    assert refusal(hub.ask("POST", place, key)) == refused
    # Whatever else a report key does, this one does not: it has its own member's for that.
    for path, body in (
        ("/api/denials", {"document": {}}),
        ("/api/rulings", {"act": "confirm", "value": "a.example"}),
        ("/taxii2/region/collections/all/objects", {"objects": [its]}),
        ("/api/law/register", SYSTEM),
    ):
        headers = {"content-type": "application/taxii+json;version=2.1"} if "taxii" in path else {}
        answer = hub.ask("POST", path, key, json=body, headers=headers)
        assert answer.status_code in (403, 404, 406), answer.text


def test_a_collection_tells_a_proxy_that_it_cannot_write_there(served: RunningHub) -> None:
    key, place = lent(served).json()["key"], "/taxii2/region/collections/everything/"
    assert served.ask("GET", place, served.key("TH")).json()["can_write"] is True
    assert served.ask("GET", place, key).json()["can_write"] is False
    headers = {"content-type": "application/taxii+json;version=2.1"}
    answer = served.ask(
        "POST", f"{place}objects/", key, json={"objects": [indicator()]}, headers=headers
    )
    assert answer.status_code == 403


def test_a_request_under_way_when_the_consent_ends_enters_nothing(served: RunningHub) -> None:
    """The body of a push is still coming while the member takes its affairs back."""
    hub, key = served, lent(served).json()["key"]
    one = indicator()

    def body() -> Iterator[bytes]:
        whole = json.dumps(one).encode()
        yield whole[:50]
        assert hub.ask("POST", "/api/members/TL/hand-back", hub.admin).status_code == 200
        yield whole[50:]

    with hub.client(key) as client:
        answer = client.post("/api/objects", content=body())
    assert refusal(answer)[:2] == (401, "not-signed-in")
    assert one["id"] not in hub.ids(hub.key("TL"))


def test_who_leaves_serves_nobody_and_is_served_by_nobody(served: RunningHub) -> None:
    hub, key = served, lent(served).json()["key"]
    hub.ask("POST", "/api/members/TH/leave", hub.admin)
    assert hub.ask("GET", "/api/reports", key).status_code == 401
    assert hub.ask("GET", "/api/members/TL/proxy", hub.admin).json()["proxy"] == ""
    hub.ask("POST", "/api/members/TH/join", hub.admin)
    assert hub.ask("GET", "/api/reports", key).status_code == 401
    assert refusal(lent(hub)) == (403, "not-permitted", "serves")


def test_the_commands_do_what_the_guide_shows(
    region: RunningHub,
    told: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BAYANIHAN_HUB", region.url)
    monkeypatch.setenv("BAYANIHAN_DATA", str(region.data))
    sheet = tmp_path / "consent.pdf"
    code, _, err = run(capfd, "member", "proxy", "TL", "--by", "TH", "--until", "365d")
    assert code == 2
    assert "--paper" in err
    sheet.write_bytes(b"signed")
    words: list[str | Path] = [
        "--paper",
        sheet,
        "--title",
        "Letter 17",
        "--signed",
        day(0)[:10],
        "--until",
        "365d",
    ]
    code, out, err = run(capfd, "member", "proxy", "TL", "--by", "TH", *words)
    assert code == 0, err
    assert out.startswith("TH serves TL from")
    assert "served by TH" in run(capfd, "member", "list")[1]
    shown = run(capfd, "member", "proxy", "TL")[1]
    assert "TL is served by TH" in shown
    assert "Letter 17, signed" in shown
    words = ["--member", "TH", "--for", "TL", "--person", "som", "--scope", "report"]
    key = run(capfd, "key", "new", *words)[1].strip()
    assert "TH for TL" in run(capfd, "key", "list")[1]
    lure = tmp_path / "lure.txt"
    lure.write_text(f"Verify at https://w{uuid.uuid4().hex[:9]}.example/login within 24 hours")
    code, out, err = run(capfd, "report", lure, "--publish", "--key", key)
    assert code == 0, err
    code, out, _ = run(capfd, "member", "hand-back", "TL")
    assert code == 0
    assert "TH serves TL no longer" in out
    own = next(word for word in out.split() if word.startswith("byn_"))
    kept = tmp_path / "acts.json"
    assert run(capfd, "member", "acts", "TL", "--out", kept, "--key", own)[0] == 0
    found = json.loads(kept.read_text())["acts"]
    assert [each["act"] for each in found[-3:]] == ["reported", "confirmed", "entered"]
    assert "TH for TL/som" in run(capfd, "member", "acts", "TL", "--key", own)[1]
    code, _, err = run(capfd, "member", "hand-back", "TL")
    assert code == 1
    assert "TL has no named proxy" in err


def test_bytes_that_say_nothing_change_nothing(region: RunningHub) -> None:
    """Two at once, and whatever is not an order: nobody is served, and nothing is broken."""
    hub = region
    for place in ("/api/members/TL/proxy", "/api/members/TL/hand-back", "/api/keys"):
        for body in (b"", b"{", b"[]", b"null", b'{"proxy": 1}', b"\xff\xfe", b'{"a":' * 5_000):
            answer = hub.ask("POST", place, hub.admin, content=body)
            assert answer.status_code in (400, 404, 422), (place, body[:9], answer.text)
            assert answer.json()["error"]["next_step"]
    for after in ("x", "TL/", "\u202e", "a" * 300, "..%2f"):
        answer = hub.ask("GET", f"/api/members/TL/proxy/acts?after={after}", hub.key("TL"))
        assert answer.status_code == 200
        assert all(each["by"].startswith("TH for TL") for each in answer.json()["acts"])
    for code in ("XX", "tl", "%00", "TL%2fbank"):
        assert hub.ask("GET", f"/api/members/{code}/proxy", hub.admin).status_code == 404
        assert hub.ask("POST", f"/api/members/{code}/hand-back", hub.admin).status_code in (
            400,
            404,
        )
    hub.ask("POST", "/api/members/TL/proxy", hub.admin, json=paper())
    with ThreadPoolExecutor(4) as pool:
        place = "/api/members/TL/hand-back"
        answers = list(pool.map(lambda _: hub.ask("POST", place, hub.admin), range(4)))
    assert sorted(each.status_code for each in answers) == [200, 404, 404, 404]
