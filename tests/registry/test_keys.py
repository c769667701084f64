"""Keys: made, shown once, limited to their scopes, ended at once."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.receipt import Receipt, sign
from bayanihan.core.signing import SigningKey, to_text
from bayanihan.errors import Refused
from bayanihan.registry import SCOPES, make_key
from bayanihan.registry.keys import Key, parts_of
from tests.sim.objects import accepted, indicator
from tests.sim.process import RunningHub

# --- the rules -------------------------------------------------------------------------------


@given(st.randoms(use_true_random=False))
def test_a_key_opens_with_its_own_text_alone(chance: Any) -> None:
    key_id, text, digest = make_key(chance.randbytes)
    key = Key(key_id, digest, "SG", ("read",))
    assert parts_of(text) == (key_id, text[len(f"byn_{key_id}_") :])
    assert key.opens(parts_of(text)[1], 0)
    assert not key.opens(parts_of(text)[1][:-1], 0)
    assert not key.opens("", 0)
    assert text.count("_") >= 2
    assert key_id.isalnum()


@given(st.text())
def test_any_text_is_a_key_or_refused(text: str) -> None:
    prefix, _, rest = text.strip().partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix == "byn" and key_id and secret:
        assert parts_of(text) == (key_id, secret)
        return
    with pytest.raises(Refused) as refusal:
        parts_of(text)
    assert refusal.value.code == "not-signed-in"


# --- over real sockets -----------------------------------------------------------------------


def test_the_first_key_lies_in_a_file_for_its_owner_alone(hub: RunningHub) -> None:
    path = hub.data / "admin.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = path.read_text().splitlines()
    assert parts_of(line)
    assert stat.S_IMODE(hub.data.stat().st_mode) == 0o700


def test_no_secret_is_in_the_data_directory(hub: RunningHub) -> None:
    secrets = [parts_of(hub.key("SG"))[1], parts_of(hub.admin)[1]]
    for path in hub.data.rglob("*"):
        if path.is_file() and path.name != "admin.key":
            data = path.read_bytes()
            assert not any(secret.encode() in data for secret in secrets), path.name
    database = sqlite3.connect(f"{(hub.data / 'ledger.db').as_uri()}?mode=ro", uri=True)
    bodies = b"".join(body or b"" for (body,) in database.execute("SELECT body FROM entries"))
    database.close()
    assert not any(secret.encode() in bodies for secret in secrets)


def test_bearer_and_basic_open_alike(hub: RunningHub) -> None:
    key = hub.key("SG")
    names = ("", "taxii", "ผู้ใช้", "a b", "a:b")
    # Several clients write a user name in Latin-1, as HTTP once had it.
    for user in (*map(str.encode, names), "Zoë".encode("latin-1")):
        basic = base64.b64encode(user + f":{key}".encode()).decode()
        for scheme in ("Basic", "basic", "BASIC"):
            headers = {"Authorization": f"{scheme} {basic}"}
            assert hub.ask("GET", "/api/receipts", headers=headers).status_code == 200
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} {key}"}
        assert hub.ask("GET", "/api/receipts", headers=headers).status_code == 200


def wrong(key: str) -> list[str]:
    prefix, key_id, secret = key.split("_", 2)
    encoded = base64.b64encode(f"user:{key_id}".encode()).decode()
    return [
        "Bearer",
        f"Bearer {prefix}_{key_id}_{secret[:-1]}",
        f"Bearer {prefix}_{key_id}_{secret}x",
        f"Bearer {prefix}_{key_id}_",
        f"Bearer {prefix}__{secret}",
        f"Bearer x_{key_id}_{secret}",
        f"Bearer {key.upper()}",
        f"Token {key}",
        key,
        "Basic",
        "Basic !!!",
        "Basic dXNlcg==",
        f"Basic {encoded}",
        "Basic /////w==",
        "é",
    ]


def test_a_wrong_key_is_refused_everywhere(hub: RunningHub) -> None:
    """Even where no key is needed, so that nobody takes the public view for their own."""
    for authorization in wrong(hub.key("SG")):
        for path in ("/api/objects", "/health/live", "/nowhere"):
            headers = {b"Authorization": authorization.encode("latin-1")}
            answer = hub.ask("GET", path, headers=headers)
            assert answer.status_code == 401, authorization
            assert answer.json()["error"]["code"] == "not-signed-in"
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_ends_at_once(hub: RunningHub) -> None:
    key = hub.key("SG")
    assert hub.ask("GET", "/api/objects", key).status_code == 200
    key_id = parts_of(key)[0]
    assert hub.ask("DELETE", f"/api/keys/{key_id}", hub.admin).status_code == 200
    assert hub.ask("GET", "/api/objects", key).status_code == 401
    assert hub.ask("DELETE", f"/api/keys/{key_id}", hub.admin).status_code == 404
    assert key_id not in [each["id"] for each in hub.ask("GET", "/api/keys", hub.admin).json()]


def test_the_last_key_of_the_operator_cannot_be_revoked(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key_id = parts_of(hub.admin)[0]
    answer = hub.ask("DELETE", f"/api/keys/{key_id}", hub.admin)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-value")
    another = hub.key(scopes=["admin"])
    assert hub.ask("DELETE", f"/api/keys/{key_id}", another).status_code == 200


# Each door with the scope that it asks for; "" is open to all without a key.
DOORS = [
    ("POST", "/api/objects", "report"),
    ("GET", "/api/objects", "read"),
    ("GET", "/api/objects/indicator--00000000-0000-4000-8000-000000000000", "read"),
    ("DELETE", "/api/objects/x", "report"),
    ("POST", "/api/objects/x/erase", "report"),
    ("HEAD", "/api/stream", "read"),
    ("GET", "/feeds/rpz.zone", "feed"),
    ("GET", "/api/feeds", "feed"),
    ("GET", "/api/receipts", "receipt"),
    ("POST", "/api/receipts", "receipt"),
    ("GET", "/api/protection/x", "read"),
    ("GET", "/api/keys", "admin"),
    ("POST", "/api/keys", "admin"),
    ("DELETE", "/api/keys/x", "admin"),
    ("POST", "/api/groups/x", "admin"),
    ("POST", "/api/members/SG/constituents", "admin"),
    ("POST", "/api/members/XX/leave", "admin"),
    ("POST", "/api/members/XX/join", "admin"),
    ("GET", "/metrics", "admin"),
]


@pytest.mark.parametrize(("method", "path", "scope"), DOORS)
def test_each_door_asks_for_its_scope(hub: RunningHub, method: str, path: str, scope: str) -> None:
    bodies = {"/api/keys": {"scopes": ["none"]}, "/api/groups/x": {"members": ["none"]}}
    body: dict[str, Any] = {"json": bodies.get(path, {"name": ""})} if method == "POST" else {}
    without = hub.key(scopes=[each for each in SCOPES if each != scope])
    assert hub.ask(method, path, without, **body).status_code == 403
    with_it = hub.key(scopes=[scope])
    assert hub.ask(method, path, with_it, **body).status_code not in (401, 403, 405, 500)
    if scope not in ("read", "feed"):
        assert hub.ask(method, path, **body).status_code == 401


BAD_ORDERS = [
    {},
    [],
    {"scopes": []},
    {"scopes": ["everything"]},
    {"scopes": ["read", "root"]},
    {"scopes": "read"},
    {"scopes": ["read"], "member": "XX"},
    {"scopes": ["read"], "member": "sg"},
    {"scopes": ["read"], "member": None},
    {"scopes": ["read"], "constituent": "nobody"},
    {"scopes": ["read"], "member": "SG", "constituent": "nobody"},
    {"scopes": ["read"], "level": "beige"},
    {"scopes": ["read"], "group": "nowhere"},
    {"scopes": ["read"], "label": "x" * 201},
    {"scopes": ["read"], "label": "two\nlines"},
    {"scopes": ["read"], "label": "\x1b[2J"},
    {"scopes": ["read"], "person": "a/b"},
    {"scopes": ["read"], "admin": True},
]


@pytest.mark.parametrize("order", BAD_ORDERS, ids=json.dumps)
def test_a_bad_order_is_refused_and_makes_nothing(hub: RunningHub, order: Any) -> None:
    before = hub.ask("GET", "/api/keys", hub.admin).json()
    answer = hub.ask("POST", "/api/keys", hub.admin, json=order)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("bad-value", "bad-parameter")
    assert hub.ask("GET", "/api/keys", hub.admin).json() == before


def test_an_answer_holds_the_key_and_its_id(hub: RunningHub) -> None:
    answer = hub.ask("POST", "/api/keys", hub.admin, json={"member": "SG", "scopes": ["read"]})
    made = answer.json()
    assert made["key"].startswith(f"byn_{made['id']}_")
    assert made["person"] == made["id"]
    listed = hub.ask("GET", "/api/keys", hub.admin).json()
    assert made["key"] not in json.dumps(listed)
    assert parts_of(made["key"])[1] not in json.dumps(listed)


# --- members' own administrators -------------------------------------------------------------


def test_a_members_administrator_manages_that_member_alone(hub: RunningHub) -> None:
    hub.constituent("SG", "port")
    sg, vn = hub.key("SG", scopes=["admin"]), hub.key("VN", scopes=["admin"])
    theirs = parts_of(hub.key("VN"))[0]
    refused = [
        ("POST", "/api/keys", {"member": "VN", "scopes": ["read"]}),
        ("POST", "/api/keys", {"scopes": ["read"]}),
        ("POST", "/api/members/VN/constituents", {"name": "x"}),
        ("POST", "/api/members/VN/leave", None),
        ("POST", "/api/members/SG/leave", None),
        ("POST", "/api/groups/mine", {"members": ["SG"]}),
    ]
    for method, path, body in refused:
        answer = hub.ask(method, path, sg, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not-permitted")
    for key_id in (theirs, "nobody"):
        assert hub.ask("DELETE", f"/api/keys/{key_id}", sg).status_code == 404
    made = hub.ask("POST", "/api/keys", sg, json={"member": "SG", "scopes": ["read"]}).json()
    listed = hub.ask("GET", "/api/keys", sg).json()
    assert made["id"] in [each["id"] for each in listed]
    assert {each["member"] for each in listed} == {"SG"}
    assert {each["member"] for each in hub.ask("GET", "/api/keys", vn).json()} == {"VN"}


def test_a_constituents_administrator_manages_nobody(hub: RunningHub) -> None:
    hub.constituent("SG", "airport")
    key = hub.key("SG", constituent="airport", scopes=["admin"])
    order = {"member": "SG", "constituent": "airport", "scopes": ["read"]}
    assert hub.ask("POST", "/api/keys", key, json=order).status_code == 403
    assert hub.ask("POST", "/api/keys", key, json={"scopes": ["admin"]}).status_code == 403
    assert {each["constituent"] for each in hub.ask("GET", "/api/keys", key).json()} == {"airport"}


def test_admin_confers_no_reading(hub: RunningHub) -> None:
    author = hub.key("SG")
    one = indicator()
    assert accepted(hub.push(author, one))
    admin = hub.key("VN", scopes=["admin"])
    for key in (admin, hub.key(scopes=["admin"])):
        assert hub.ask("GET", "/api/objects", key).status_code == 403
    assert one["id"] not in hub.ids(hub.admin)
    assert one["id"] not in hub.ids(hub.key(scopes=["admin", "read"]))


# --- agents' keys ----------------------------------------------------------------------------


def receipt_of(hub: RunningHub, key: str, seed: int, day: int = 1) -> tuple[int, str]:
    """Show an agent's public key, as the first step of any receipt does."""
    feed = hub.ask("GET", "/feeds/rpz.zone", key)
    receipt = Receipt(
        feed="rpz.zone",
        cursor=feed.headers["bayanihan-cursor"],
        digest=feed.headers["bayanihan-digest"].removeprefix("sha-256="),
        state="fetched",
        at=f"2026-01-0{day}T00:00:00Z",
    )
    document = sign(receipt, SigningKey(bytes([seed]) * 32))
    answer = hub.ask("POST", "/api/receipts", key, content=json.dumps(document))
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_second_agent_key_waits_for_a_person(hub: RunningHub) -> None:
    key = hub.key("SG")
    key_id = parts_of(key)[0]
    assert receipt_of(hub, key, 1) == (200, "")
    assert receipt_of(hub, key, 2) == (403, "pending")
    public = SigningKey(bytes([2]) * 32).public.hex()
    (listed,) = (e for e in hub.ask("GET", "/api/keys", hub.admin).json() if e["id"] == key_id)
    assert listed["agent_keys_pending"] == [public]
    path = f"/api/keys/{key_id}/agents/{public}"
    assert hub.ask("POST", path, hub.key("VN", scopes=["admin"])).status_code in (403, 404)
    assert hub.ask("POST", path, hub.admin).status_code == 200
    assert receipt_of(hub, key, 2, day=2) == (200, "")
    assert receipt_of(hub, key, 1, day=3) == (403, "pending")


@pytest.mark.parametrize("public", ["zz", "00", "0" * 63, "é", "0" * 64, to_text(b"x")])
def test_what_is_no_waiting_key_cannot_be_trusted(hub: RunningHub, public: str) -> None:
    key_id = parts_of(hub.key("SG"))[0]
    answer = hub.ask("POST", f"/api/keys/{key_id}/agents/{public}", hub.admin)
    assert answer.status_code in (400, 404)
