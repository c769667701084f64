"""Reports over real sockets: drafts, who sees them, and what publishing them makes."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import encode
from publicsuffixlist import PublicSuffixList

from bayanihan.commands.evidence import FILE_ENDINGS
from bayanihan.core.ai import EXTENSION_ID as AI
from bayanihan.core.fingerprint import EXTENSION_ID as PRINTS
from bayanihan.intake.drafts import KEEP_DAYS, ROOM, Draft, Drafts
from bayanihan.ledger import Change, Ledger
from tests.sim.command import run
from tests.sim.process import RunningHub

LURES = Path(__file__).parent.parent / "vectors" / "lures"
LURE = (LURES / "lure-th.eml").read_bytes()


@pytest.fixture(scope="module")
def th(shared_hub: RunningHub) -> str:
    return shared_hub.key("TH")


@pytest.fixture(scope="module")
def vn(shared_hub: RunningHub) -> str:
    return shared_hub.key("VN")


@pytest.fixture(scope="module")
def bank(shared_hub: RunningHub) -> str:
    shared_hub.constituent("TH", "river-bank")
    return shared_hub.key("TH", constituent="river-bank")


def report(hub: RunningHub, key: str, data: bytes, **fields: str) -> dict[str, Any]:
    answer = hub.ask("POST", "/api/reports", key, files={"file": ("e", data)}, data=fields)
    assert answer.status_code == 201, answer.text
    draft: dict[str, Any] = answer.json()
    return draft


def lookup(hub: RunningHub, key: str, data: bytes, **fields: str) -> list[dict[str, Any]]:
    """What is alike, once everything was folded."""
    answer = hub.ask("POST", "/api/lookup", key, files={"file": ("e", data)}, data=fields)
    assert answer.status_code == 200, answer.text
    matches: list[dict[str, Any]] = answer.json()["matches"]
    return matches


def lure(word: str) -> bytes:
    """A lure whose words and host no other test uses."""
    return (
        f"Bank {word} notice: your {word} account was suspended after an unusual login. Verify "
        f"at https://{word}.example/login within 24 hours or it will be closed. Call"
        f" +65 9{int(uuid.uuid4()) % 10**7:07d}"
    ).encode()


def test_the_answer_has_the_fixed_shape_and_shows_what_was_done(hub: RunningHub, th: str) -> None:
    draft = report(hub, th, LURE)
    assert draft["state"] == "draft"
    assert draft["language"] == "th"
    one = next(each for each in draft["indicators"] if each["type"] == "url")
    assert one["value"] == "https://ธนาคาร-ปลอดภัย.example/เข้าสู่ระบบ"
    assert one["ascii"].startswith("https://xn----")
    assert one["pattern"] == f"[url:value = '{one['ascii']}']"
    assert one["why"]
    held = {each["value"]: each["why"] for each in draft["held"]}
    assert "www.bank-real.example" in held
    assert all(held.values())
    assert draft["removed"]
    assert "Somchai" not in json.dumps(draft, ensure_ascii=False)


def test_a_draft_is_read_edited_and_dropped_by_its_own_side_alone(
    hub: RunningHub, th: str, vn: str
) -> None:
    draft = report(hub, th, lure(f"w{uuid.uuid4().hex[:9]}"))
    place, url = draft["address"], draft["indicators"][0]["ascii"]
    for method, path, body in (
        ("GET", place, None),
        ("PATCH", place, {"note": "x"}),
        ("POST", f"{place}/publish", None),
        ("DELETE", place, None),
    ):
        assert hub.ask(method, path, vn, json=body).status_code == 404
    involvement = {"degree": "assisted"}
    change = {"drop": [url], "note": "seen twice", "vector": "malware", "ai": involvement}
    edited = hub.ask("PATCH", place, th, json=change).json()
    assert url not in [each["ascii"] for each in edited["indicators"]]
    assert edited["ai"]["reported"]["degree"] == "assisted"
    assert edited["ai"]["estimated"]["degree"] == "unknown"
    back = hub.ask("PATCH", place, th, json={"restore": [url]}).json()
    assert url in [each["ascii"] for each in back["indicators"]]
    for wrong in ({"drop": ["nothing"]}, {"other": 1}, {"ai": {"degree": "certainly"}}):
        assert hub.ask("PATCH", place, th, json=wrong).status_code == 400
    assert draft["id"] in [e["id"] for e in hub.ask("GET", "/api/reports", th).json()["reports"]]
    assert hub.ask("DELETE", place, th).status_code == 200
    assert hub.ask("GET", place, th).status_code == 404


def test_a_constituents_report_goes_to_its_own_cert(
    hub: RunningHub, th: str, vn: str, bank: str
) -> None:
    draft = report(hub, bank, lure(f"w{uuid.uuid4().hex[:9]}"), publish="true")
    assert (draft["state"], draft["waits_for"]) == ("draft", "TH")
    place = draft["address"]
    assert hub.ask("POST", f"{place}/publish", bank).status_code == 403
    assert hub.ask("GET", place, bank).status_code == 200
    assert hub.ask("GET", place, vn).status_code == 404
    published = hub.ask("POST", f"{place}/publish", th).json()
    assert published["published"]["by"] == "TH"
    assert hub.ask("POST", f"{place}/publish", th).status_code == 409
    told = hub.ask("GET", f"/api/objects/incident--{draft['id']}", vn).text
    assert "river-bank" not in told


def test_what_is_published_enters_like_anything_else(hub: RunningHub, th: str, vn: str) -> None:
    word = f"w{uuid.uuid4().hex[:9]}"
    draft = report(hub, th, lure(word), publish="true", degree="generated", role="text")
    answer = draft["published"]
    assert answer["refused"] == 0
    assert answer["accepted"] == len(draft["indicators"]) + 2
    incident = hub.ask("GET", f"/api/objects/incident--{draft['id']}", vn).json()
    told = incident["extensions"][AI]
    assert told["reported"] == {"degree": "generated", "confidence": "unknown", "role": ["text"]}
    assert told["estimated"] == {"degree": "unknown", "confidence": "unknown"}
    assert incident["extensions"][PRINTS]["text"]
    assert "suspended after" not in json.dumps(incident)
    ids = hub.ids(vn)
    assert sum(each["id"] in ids for each in answer["results"]) == answer["accepted"]


def test_what_only_informs_never_blocks(hub: RunningHub, th: str) -> None:
    word = f"w{uuid.uuid4().hex[:9]}"
    data = f"Watch the video https://{word}.test/x and {word}.com today, everybody".encode()
    report(hub, th, data, vector="information-manipulation", tlp="clear", publish="true")
    for feed in ("domains.txt", "urls.txt"):
        assert word not in hub.ask("GET", f"/feeds/{feed}", hub.key("VN")).text


def test_stix_is_kept_as_it_is(hub: RunningHub, th: str) -> None:
    one = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "pattern": "[domain-name:value = 'one.example']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
    }
    raw = json.dumps(one).encode()
    draft = report(hub, th, raw, publish="true", tlp="green")
    assert [each["value"] for each in draft["indicators"]] == ["one.example"]
    assert hub.ask("GET", f"/api/objects/{one['id']}", th).content == raw


@pytest.mark.parametrize(
    ("fields", "data", "where"),
    [
        ({"vector": "telepathy"}, b"x", "vector"),
        ({"tlp": "ultra"}, b"x", "tlp"),
        ({"degree": "sure"}, b"x", "ai.degree"),
        ({"note": "n" * 5_000}, b"x", "note"),
        ({}, b"", "file"),
    ],
)
def test_a_wrong_wish_is_refused(
    hub: RunningHub, th: str, fields: dict[str, str], data: bytes, where: str
) -> None:
    answer = hub.ask("POST", "/api/reports", th, files={"file": ("e", data)}, data=fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["where"] == where


def test_broken_forms_and_missing_keys_are_refused(hub: RunningHub, th: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    broken = hub.ask("POST", "/api/reports", th, content=b"--b\r\nnonsense", headers=headers)
    assert broken.status_code == 400
    assert hub.ask("POST", "/api/reports", content=b"x").status_code == 401
    only_read = hub.key("TH", scopes=["read"])
    assert hub.ask("POST", "/api/reports", only_read, content=b"x").status_code == 403


def test_a_lure_is_found_again_each_kind_by_itself(hub: RunningHub, th: str, vn: str) -> None:
    word = f"w{uuid.uuid4().hex[:9]}"
    first = lure(word)
    draft = report(hub, th, first, publish="true")
    wanted = f"incident--{draft['id']}"

    def kinds(data: bytes) -> set[str]:
        found = {each["id"]: each for each in lookup(hub, vn, data)}
        return {each["kind"] for each in found.get(wanted, {"evidence": []})["evidence"]}

    assert {"exact", "text", "structure", "infrastructure"} <= kinds(first)
    edited = first.replace(b"notice", b"ALERT").replace(b"24 hours", b"24 hours!!")
    moved = edited.replace(f"https://{word}.example/login".encode(), b"https://moved.invalid/q")
    assert {"text", "structure"} <= kinds(moved)
    assert kinds(b"Lunch at the usual place tomorrow? The weather in the hills is lovely") == set()


def test_nobody_is_told_of_what_they_may_not_see(hub: RunningHub, th: str, vn: str) -> None:
    word = f"w{uuid.uuid4().hex[:9]}"
    data = lure(word)
    draft = report(hub, th, data, publish="true", tlp="red")
    mine = [each["id"] for each in lookup(hub, th, data)]
    assert f"incident--{draft['id']}" in mine
    for key in (vn, hub.key("VN"), ""):
        theirs = [each["id"] for each in lookup(hub, key, data)]
        assert f"incident--{draft['id']}" not in theirs
        assert not {each["id"] for each in draft["published"]["results"]} & set(theirs)


def test_erased_and_withdrawn_cases_are_found_no_more(hub: RunningHub, th: str, vn: str) -> None:
    for way in ("DELETE", "POST"):
        data = lure(f"w{uuid.uuid4().hex[:9]}")
        draft = report(hub, th, data, publish="true")
        incident = f"incident--{draft['id']}"
        assert incident in [each["id"] for each in lookup(hub, vn, data)]
        path = f"/api/objects/{incident}" + ("/erase" if way == "POST" else "")
        assert hub.ask(way, path, th).status_code == 200
        assert incident not in [each["id"] for each in lookup(hub, vn, data)]


def test_an_exercise_is_looked_up_by_itself(hub: RunningHub, th: str, vn: str) -> None:
    data = lure(f"w{uuid.uuid4().hex[:9]}")
    draft = report(hub, th, data, publish="true", exercise="true")
    incident = f"incident--{draft['id']}"
    assert incident not in [each["id"] for each in lookup(hub, vn, data)]
    found = {each["id"]: each for each in lookup(hub, vn, data, exercise="true")}
    assert found[incident]["exercise"] is True


def test_the_commands_do_what_the_issue_shows(
    at: RunningHub, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capfd, "report", LURES / "lure-th.eml", "--publish", "--json")
    draft = json.loads(out)
    assert (code, draft["state"]) == (0, "published")
    code, out, _ = run(capfd, "lookup", LURES / "lure-th-reworded.eml", "--json")
    found = {each["id"]: each for each in json.loads(out)["matches"]}
    kinds = {each["kind"] for each in found[f"incident--{draft['id']}"]["evidence"]}
    assert "infrastructure" in kinds
    assert "exact" not in kinds
    code, out, _ = run(capfd, "lookup", "Lunch at the usual place tomorrow, the hills are lovely")
    assert (code, out) == (0, "nothing is alike\n")
    code, out, _ = run(capfd, "report", LURES / "lure-th.eml")
    assert code == 0
    assert "propose url https://ธนาคาร-ปลอดภัย.example/เข้าสู่ระบบ = https://xn--" in out
    assert "removed" in out
    missing = tmp_path / "none.eml"
    code, _, err = run(capfd, "report", missing)
    assert code == 1
    assert "cannot be read" in err


def test_a_file_that_is_not_there_is_never_nothing_alike(
    at: RunningHub, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for meant in ("suspicious.eml", "Call.MP3", tmp_path / "none", "./lure"):
        code, out, err = run(capfd, "lookup", meant)
        assert (code, out) == (1, "")
        assert "There is no such file" in err
        assert "`bayanihan lookup -`" in err
    for text in ("evil-shop.com", "https://evil-shop.com/a.html", "open invoice.pdf now"):
        assert run(capfd, "lookup", text)[:2] == (0, "nothing is alike\n")


def test_no_name_of_the_internet_ends_as_a_file_does() -> None:
    suffixes = PublicSuffixList(accept_unknown=False)
    assert [each for each in FILE_ENDINGS if suffixes.publicsuffix(f"x.{each}")] == []


def test_what_must_never_be_blocked_is_held_with_its_reason(hub: RunningHub, th: str) -> None:
    data = b"see https://www.google.com/ and https://docs.google.com/forms/d/e/x1 at 10.0.0.9 now"
    draft = report(hub, th, data)
    held = {each["ascii"]: each["why"] for each in draft["held"]}
    assert {"https://www.google.com/", "10.0.0.9", "docs.google.com"} <= set(held)
    assert all(held.values())
    refused = hub.ask("PATCH", draft["address"], th, json={"restore": ["10.0.0.9"]})
    assert refused.status_code == 400


def test_drafts_past_their_days_go_however_many_there_are(tmp_path: Path) -> None:
    now_us = 1_800_000_000_000_000
    old_us = now_us - KEEP_DAYS * 86_400_000_000 - 1
    made = [("SG", number, now_us) for number in range(10_000)]
    made += [("VN", number, now_us if number % 2 else old_us) for number in range(10)]
    with closing(Ledger(tmp_path, now_us=lambda: now_us)) as ledger:
        drafts = [Draft(f"{number}", desk, at_us, {}) for desk, number, at_us in made]
        ledger.state.put([Change(ROOM, f"{d.origin}/{d.id}", encode(d)) for d in drafts])
        assert Drafts(ledger).forget_old() == 5
        assert [each.key for each in ledger.state.list(ROOM, "VN/")] == [
            f"VN/{number}" for number in range(1, 10, 2)
        ]
        assert Drafts(ledger).forget_old() == 0
