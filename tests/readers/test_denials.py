"""Signed denials over real sockets: who may deny, what is shown where, what a forgery is told."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.denial import Denial, opened, sign
from bayanihan.core.fingerprint import Fingerprints, packed, signature
from bayanihan.core.signing import SigningKey, to_text
from bayanihan.errors import Refused
from bayanihan.readers.denials import Matcher, Standing
from tests.readers.test_campaigns import case
from tests.sim.command import run
from tests.sim.process import RunningHub

KEY = SigningKey(b"k" * 32)
OTHER = SigningKey(b"o" * 32)
WORDS = "the governor says that you must send all of your savings to this safe account by noon"


def denial(**more: Any) -> Denial:
    given: dict[str, Any] = {
        "id": f"denial--{uuid.uuid4()}",
        "member": "SG",
        "office": "central-bank",
        "statement": "This recording is not ours.",
        "at": "2026-01-01T00:00:00Z",
        "prints": Fingerprints(files=(uuid.uuid4().hex * 2,)),
    }
    return Denial(**{**given, **more})


@pytest.fixture(scope="module")
def sg(shared_hub: RunningHub) -> str:
    order = {"office": "central-bank", "title": "The central bank", "public": to_text(KEY.public)}
    path = "/api/members/SG/offices"
    answer = shared_hub.ask("POST", path, shared_hub.admin, json=order)
    assert answer.status_code == 201, answer.text
    return shared_hub.key("SG")


def send(hub: RunningHub, key: str, document: Any, **more: Any) -> Any:
    return hub.ask("POST", "/api/denials", key, json={"document": document, **more})


def looked_up(hub: RunningHub, key: str, data: bytes) -> list[dict[str, Any]]:
    answer = hub.ask("POST", "/api/lookup", key, files={"file": ("e", data)})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["denials"]
    return found


def test_the_command_denies_a_file_and_lookup_shows_it(
    at: RunningHub, sg: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key, word = tmp_path / "hall.key", f"w{uuid.uuid4().hex[:9]}"
    assert run(capfd, "trial", "signing-key", "--out", key)[0] == 0
    public = ("--public", f"{key}.pub", "--title", "Town hall")
    assert run(capfd, "member", "office", "SG", "town-hall", *public)[0] == 0
    file = tmp_path / "call.txt"
    file.write_text(f"{WORDS} {word} and tell nobody at the bank about it before {word} calls")
    words = ("--office", "SG/town-hall", "--statement", "Not our words", "--sign-with", key)
    code, out, err = run(capfd, "deny", file, *words, "--key", sg)
    assert code == 0, err
    denial_id = out.split()[1]
    code, out, _ = run(capfd, "lookup", file)
    assert "A denial by Town hall (SG)" in out
    assert "exact 1.00" in out
    assert "Signature verified by this hub with the key" in out
    (found,) = looked_up(at, "", file.read_bytes().replace(b"noon", b"nine"))
    assert [each["kind"] for each in found["evidence"]] == ["text"]
    assert looked_up(at, "", b"Lunch at the usual place tomorrow? The hills are lovely now") == []
    code, out, _ = run(capfd, "deny", "--withdraw", denial_id, "--key", sg, "--reason", "it was")
    assert code == 0
    assert looked_up(at, "", file.read_bytes()) == []
    code, _, err = run(capfd, "deny", "no-such-file", *words)
    assert (code, "no file, SHA-256 or id" in err) == (1, True)
    assert run(capfd, "deny", file)[0] == 2


def test_only_an_authorised_key_of_the_offices_member_denies(hub: RunningHub, sg: str) -> None:
    refusals = {
        "another key": (sg, sign(denial(), OTHER), 403, "not this office's"),
        "another member": (hub.key("TH"), sign(denial(), KEY), 403, "is entered by SG"),
        "the operator": (hub.admin, sign(denial(), KEY), 403, "is entered by SG"),
        "no such office": (sg, sign(denial(office="moon"), KEY), 403, "registered no key"),
        "its own member, not registered": (
            hub.key("TH"),
            sign(denial(member="TH"), KEY),
            403,
            "registered no key",
        ),
        "only reads": (hub.key("SG", scopes=["read"]), sign(denial(), KEY), 403, "scope"),
        "nobody": ("", sign(denial(), KEY), 401, "key"),
    }
    forged = sign(denial(), KEY)
    forged["denial"]["statement"] = "Send the money."
    refusals["changed after it was signed"] = (sg, forged, 400, "signature is not that")
    ahead = sign(denial(at="2099-01-01T00:00:00Z"), KEY)
    refusals["from the future"] = (sg, ahead, 400, "ahead")
    for name, (key, document, status, words) in refusals.items():
        answer = send(hub, key, document)
        assert answer.status_code == status, (name, answer.text)
        assert words in answer.json()["error"]["message"], name
    assert send(hub, sg, sign(denial(), KEY), tlp="red").status_code == 400
    for wrong in ({}, {"denial": 1}, {"denial": {}, "public_key": "", "signature": ""}):
        assert send(hub, sg, wrong).status_code == 400


def test_what_is_withdrawn_is_not_entered_again_by_whoever_kept_it(
    hub: RunningHub, sg: str
) -> None:
    document = sign(denial(), KEY)
    place = f"/api/denials/{document['denial']['id']}"
    assert send(hub, sg, document).json()["result"] == "accepted"
    assert hub.ask("DELETE", place, hub.key("TH")).status_code == 404
    assert hub.ask("DELETE", place, sg).json()["withdrawn"] == 1
    assert send(hub, hub.key("SG"), document).status_code == 409


def test_a_denial_stands_beside_the_case_and_the_campaign(hub: RunningHub, sg: str) -> None:
    host = f"{uuid.uuid4().hex}.example"
    cases = [case(host), case(host)]
    hub.push(hub.key("TH"), *cases, tlp="green")
    words = f"Not us: {uuid.uuid4().hex}"
    document = sign(denial(prints=Fingerprints(), cases=(cases[0]["id"],), statement=words), KEY)
    assert send(hub, sg, document, tlp="green").status_code == 201
    vn = hub.key("VN")
    whole = hub.ask("GET", f"/api/campaigns/{cases[1]['id']}", vn).json()
    assert [(e["statement"], e["signature"]) for e in whole["denials"]] == [(words, "verified")]
    for page in (f"/campaigns/{cases[1]['id']}", f"/entries/{cases[0]['id']}"):
        assert words in hub.ask("GET", page, vn).text
        assert words not in hub.ask("GET", page).text
    assert words not in hub.ask("GET", f"/entries/{cases[1]['id']}", vn).text
    assert words in hub.ask("GET", "/api/denials", vn).text
    assert words not in hub.ask("GET", "/api/denials").text
    hub.ask("DELETE", f"/api/denials/{document['denial']['id']}", sg)
    assert hub.ask("GET", f"/api/campaigns/{cases[1]['id']}", vn).json()["denials"] == []


def test_a_key_that_was_taken_back_verifies_nothing(hub: RunningHub, sg: str) -> None:
    key, place = SigningKey(uuid.uuid4().bytes * 2), "/api/members/SG/offices"
    order = {"office": "harbour", "public": to_text(key.public)}
    assert hub.ask("POST", place, hub.admin, json=order).status_code == 201
    assert hub.ask("POST", place, hub.key("TH", scopes=["admin"]), json=order).status_code == 403
    data = uuid.uuid4().bytes
    # Its file is looked up by the digest alone.
    prints = Fingerprints(files=(hashlib.sha256(data).hexdigest(),))
    send(hub, sg, sign(denial(office="harbour", prints=prints), key))
    assert [e["signature"] for e in looked_up(hub, "", data)] == ["verified"]
    # A new key replaces the last: what that one signed before stays good.
    hub.ask("POST", place, hub.admin, json={**order, "public": to_text(OTHER.public)})
    assert [e["signature"] for e in looked_up(hub, "", data)] == ["verified"]
    assert send(hub, sg, sign(denial(office="harbour"), key)).status_code == 403
    assert hub.ask("DELETE", f"{place}/harbour", hub.admin).status_code == 200
    (found,) = looked_up(hub, "", data)
    assert found["signature"] == "not verified"
    assert "took the key" in found["verified_as"]
    assert send(hub, sg, sign(denial(office="harbour"), OTHER)).status_code == 403
    listed = hub.ask("GET", place).json()["offices"]
    assert [bool(k["taken_back"]) for e in listed if e["office"] == "harbour" for k in e["keys"]]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["statement", "office", "member", "at", "id"]), st.text(max_size=20))
def test_no_changed_word_passes(name: str, text: str) -> None:
    document = sign(denial(), KEY)
    if document["denial"][name] == text:
        return
    document["denial"][name] = text
    with pytest.raises(Refused) as refused:
        opened(document)
    assert refused.value.code in ("bad-signature", "bad-value")


@pytest.mark.parametrize(
    "wrong",
    [
        {"statement": " "},
        {"statement": "x" * 2_001},
        {"id": "denial--1"},
        {"cases": ("nothing",)},
        {"prints": Fingerprints()},
        {"prints": Fingerprints(files=("short",))},
        {"prints": Fingerprints(infrastructure=("domain:bank.example",))},
        {"at": "yesterday"},
    ],
)
def test_a_denial_is_held_to_its_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        sign(denial(**wrong), KEY)
    assert refused.value.code == "bad-value"


def test_likeness_is_by_picture_file_and_text_alone() -> None:
    text = packed(signature(WORDS))
    prints = Fingerprints(text=(text,), pdq=("0" * 64,), tlsh=("T1" + "0" * 70,))
    one = Standing(1, denial(prints=prints), KEY.public, 1, 1, "SG", exercise=False)
    matcher = Matcher([one])
    assert [kinds for _, kinds in matcher.about(Fingerprints(pdq=("7" + "0" * 63,)))] == [
        [("pdq", 0.988)]
    ]
    found = matcher.about(Fingerprints(text=(text,), tlsh=("T1" + "0" * 70,)))
    assert [[kind for kind, _ in kinds] for _, kinds in found] == [["text", "tlsh"]]
    assert matcher.about(Fingerprints(pdq=("f" * 64,), infrastructure=("domain:a",))) == []
    assert Matcher([]).about(prints) == []
