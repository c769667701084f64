"""Pages of objects and their cursors, and the transport, over real sockets."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from bayanihan.core.marking import TLP_2_IDS
from tests.sim.objects import accepted, domain, indicator
from tests.sim.process import RunningHub

OTHER_MARKING = "marking-definition--5a3f2c11-7e0b-4a53-9d38-0f5f4b2f8a01"

ONE = json.dumps(indicator(name="n"), separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def sg(shared_hub: RunningHub) -> str:
    return shared_hub.key("SG")


@pytest.fixture(scope="module")
def vn(shared_hub: RunningHub) -> str:
    return shared_hub.key("VN")


@pytest.fixture(scope="module")
def bank(shared_hub: RunningHub) -> str:
    """A constituent of Singapore."""
    shared_hub.constituent("SG", "harbour-bank")
    return shared_hub.key("SG", constituent="harbour-bank")


def sees(hub: RunningHub, key: str, object_id: str) -> bool:
    """Whether a key sees an object, alone and in its pages alike."""
    found = hub.ask("GET", f"/api/objects/{object_id}", key).status_code == 200
    assert (object_id in hub.ids(key)) == found
    return found


# --- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_pages_hold_everything_once_in_order(hub: RunningHub, limit: int) -> None:
    key = hub.key("LA")
    mine = [indicator() for _ in range(20)]
    hub.push(key, *mine)
    ids = [one["id"] for one in mine]
    found = [each["id"] for each in hub.objects(key, limit=limit)]
    assert [each for each in found if each in ids] == ids


def test_a_cursor_holds_no_rights(hub: RunningHub, sg: str, vn: str) -> None:
    """A cursor of one viewer, used by another, shows what the other may see."""
    start = hub.ask("GET", "/api/objects", sg, params={"limit": 1_000}).json()
    while start["more"]:
        start = hub.ask("GET", "/api/objects", sg, params={"after": start["next"]}).json()
    red = indicator(object_marking_refs=[TLP_2_IDS["red"]])
    clear = indicator(object_marking_refs=[TLP_2_IDS["clear"]])
    hub.push(sg, red, clear)
    for key in ("", vn, hub.admin):
        page = hub.ask("GET", "/api/objects", key, params={"after": start["next"]}).json()
        assert [each["id"] for each in page["objects"]] == [clear["id"]]


def test_rights_that_change_between_two_pages_hold_at_once(hub: RunningHub) -> None:
    hub.group("pair", "KH", "LA")
    kh, la = hub.key("KH"), hub.key("LA")
    objects = [indicator() for _ in range(4)]
    before = hub.objects(la)[-1:]
    hub.push(kh, *objects, group="pair")
    page: dict[str, Any] = {"next": "", "more": True, "objects": before}
    while objects[0]["id"] not in [each["id"] for each in page["objects"]]:
        params = {"after": page["next"], "limit": 1}
        page = hub.ask("GET", "/api/objects", la, params=params).json()
    hub.group("pair", "KH")
    rest = hub.ask("GET", "/api/objects", la, params={"after": page["next"]}).json()["objects"]
    assert not {each["id"] for each in rest} & {one["id"] for one in objects}


def test_a_cursor_that_was_tampered_with_is_refused(hub: RunningHub, sg: str) -> None:
    hub.push(sg, indicator())
    cursor = hub.ask("GET", "/api/objects", sg, params={"limit": 1}).json()["next"]
    bent = [cursor[:-2], cursor + "A", "A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:]]
    for after in [*bent, "1", "-1", "é", "\x00", "../..", "A" * 5_000]:
        answer = hub.ask("GET", "/api/objects", sg, params={"after": after})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "bad-cursor"


def test_cursors_tell_no_count(hub: RunningHub, sg: str, vn: str) -> None:
    """What others publish unseen between two of my objects leaves no trace in my cursors."""
    hub.push(sg, indicator(object_marking_refs=[TLP_2_IDS["clear"]]))
    pages = [hub.ask("GET", "/api/objects", "", params={"limit": 1_000}).json()["next"]]
    for _ in range(3):
        hub.push(vn, indicator(object_marking_refs=[TLP_2_IDS["red"]]))
        pages.append(hub.ask("GET", "/api/objects", "", params={"limit": 1_000}).json()["next"])
    assert len(set(pages)) == 1
    assert len(pages[0]) == 43


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "", "9" * 40])
def test_a_limit_that_is_none_is_refused(hub: RunningHub, limit: str) -> None:
    answer = hub.ask("GET", "/api/objects", "", params={"limit": limit})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert answer.json()["error"]["code"] == "bad-parameter"
        assert answer.json()["error"]["where"] == "limit"
    else:
        assert len(answer.json()["objects"]) <= 1_000


# --- the transport ---------------------------------------------------------------------------


def test_gzip_is_taken_in_one_member_or_several(hub: RunningHub, sg: str) -> None:
    one, other = indicator(), indicator()
    whole = json.dumps({"objects": [one, other]}).encode()
    for body in (
        gzip.compress(whole),
        gzip.compress(whole[:50]) + gzip.compress(b"") + gzip.compress(whole[50:]),
    ):
        answer = hub.ask(
            "POST", "/api/objects", sg, content=body, headers={"Content-Encoding": "gzip"}
        )
        assert answer.status_code == 200, answer.text
    assert answer.json()["duplicate"] == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (gzip.compress(ONE)[:-3], "not-json"),
        (gzip.compress(ONE)[:20], "not-json"),
        (b"", "not-json"),
        (ONE, "not-json"),
        (gzip.compress(ONE) + b"rest", "not-json"),
        (gzip.compress(bytes(70 * 1024 * 1024)), "too-large"),
    ],
    ids=["no end", "half", "empty", "no gzip", "rest", "bomb"],
)
def test_gzip_that_is_broken_is_refused(hub: RunningHub, sg: str, body: bytes, code: str) -> None:
    answer = hub.ask("POST", "/api/objects", sg, content=body, headers={"Content-Encoding": "gzip"})
    assert answer.json()["error"]["code"] == code


def test_another_encoding_is_refused(hub: RunningHub, sg: str) -> None:
    answer = hub.ask("POST", "/api/objects", sg, content=ONE, headers={"Content-Encoding": "br"})
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "wrong-media-type"


def test_names_of_every_script_are_found_again(hub: RunningHub, sg: str) -> None:
    for name in ("ธนาคาร", "ngân-hàng", "ធនាគារ", "ທະນາຄານ", "ဘဏ်", "银行", "வங்கி", "🏦"):
        one = indicator(name=f"{name} {domain()}", description=f"[{name}]")
        body = json.dumps(one, ensure_ascii=False).encode()
        assert accepted(hub.push_bytes(sg, body))
        assert hub.ask("GET", f"/api/objects/{one['id']}", sg).content == body
