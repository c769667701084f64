"""Objects in and out of a real hub, over real sockets."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from bayanihan.core.marking import TLP_1_IDS, TLP_2_IDS, group_marking_id
from tests.sim.objects import accepted, indicator, statement
from tests.sim.process import RunningHub

OTHER_MARKING = "marking-definition--5a3f2c11-7e0b-4a53-9d38-0f5f4b2f8a01"


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


# --- shapes of a submission ------------------------------------------------------------------


def test_what_is_accepted_comes_out_once_byte_for_byte(hub: RunningHub, sg: str) -> None:
    one = indicator(name="ဘယာနီဟန် ' \" \\ \u2028 ngân-hàng \u202e", x_other={"b": [1, 2.50]})
    raw = json.dumps(one, ensure_ascii=False, indent=1).encode()
    answer = hub.push_bytes(sg, raw)
    (result,) = answer["results"]
    warnings = result.pop("warnings")
    assert result == {"id": one["id"], "result": "accepted", "code": "", "path": "", "reason": ""}
    assert "$.x_other" in [each["path"] for each in warnings]
    assert hub.ask("GET", f"/api/objects/{one['id']}", sg).content == raw
    assert hub.ids(sg).count(one["id"]) == 1
    page = hub.ask("GET", "/api/objects", sg, params={"limit": 1_000}).content
    assert page.count(raw) == 1


@pytest.mark.parametrize("kind", ["object", "bundle", "envelope"])
def test_objects_bundles_and_envelopes_are_taken(hub: RunningHub, sg: str, kind: str) -> None:
    one, other = indicator(), indicator()
    shapes: dict[str, Any] = {
        "object": one,
        "bundle": {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": [one, other]},
        "envelope": {"more": False, "objects": [one, other]},
    }
    answer = hub.push_bytes(sg, json.dumps(shapes[kind]).encode())
    assert answer["accepted"] == (1 if kind == "object" else 2)
    assert accepted(answer)


def test_stix_2_0_is_upgraded_beside_2_1(hub: RunningHub, sg: str) -> None:
    old = {k: v for k, v in indicator().items() if k not in ("spec_version", "indicator_types")}
    old |= {"labels": ["malicious-activity"]}
    del old["pattern_type"]
    new = indicator()
    answer = hub.push(sg, old, new)
    assert accepted(answer)
    found = hub.ask("GET", f"/api/objects/{old['id']}", sg).json()
    assert (found["spec_version"], found["pattern_type"]) == ("2.1", "stix")
    assert hub.push(sg, old)["duplicate"] == 1


def test_one_bad_object_never_sinks_the_others(hub: RunningHub, sg: str) -> None:
    good, bad = indicator(), indicator(valid_from="yesterday")
    answer = hub.push(sg, bad, good, {"type": "indicator"}, [], 7, None, "x")  # type: ignore[arg-type]
    assert (answer["accepted"], answer["duplicate"], answer["refused"]) == (1, 0, 6)
    assert [each["result"] for each in answer["results"]] == ["refused", "accepted"] + 5 * [
        "refused"
    ]
    first, place = answer["results"][0], "$.objects[0].valid_from"
    assert (first["id"], first["code"], first["path"]) == (bad["id"], "bad-value", place)
    assert answer["results"][2]["path"] == "$.objects[2].id"
    assert all(each["reason"] for each in answer["results"] if each["result"] == "refused")


def test_twice_in_one_submission_is_a_duplicate(hub: RunningHub, sg: str) -> None:
    one = indicator()
    answer = hub.push(sg, one, one, one)
    assert [each["result"] for each in answer["results"]] == ["accepted", "duplicate", "duplicate"]
    assert hub.ids(sg).count(one["id"]) == 1


def test_the_same_content_spelled_otherwise_is_a_duplicate(hub: RunningHub, sg: str) -> None:
    one = indicator()
    hub.push(sg, one)
    spelled = {**dict(reversed(one.items())), "modified": "2026-01-01T00:00:00Z"}
    body = json.dumps(spelled, ensure_ascii=True, indent=3).encode()
    assert hub.push_bytes(sg, body)["duplicate"] == 1


def test_other_content_under_one_version_is_a_conflict(hub: RunningHub, sg: str) -> None:
    one = indicator()
    hub.push(sg, one)
    (result,) = hub.push(sg, {**one, "name": "another"})["results"]
    assert (result["result"], result["code"], result["path"]) == (
        "refused",
        "conflict",
        "$.objects[0].modified",
    )
    assert hub.ask("GET", f"/api/objects/{one['id']}", sg).json()["name"] == one["name"]
    later = {**one, "name": "another", "modified": "2026-01-02T00:00:00.000Z"}
    assert accepted(hub.push(sg, later))
    assert hub.ask("GET", f"/api/objects/{one['id']}", sg).json() == later


def test_within_one_submission_too(hub: RunningHub, sg: str) -> None:
    one = indicator()
    answer = hub.push(sg, one, {**one, "name": "another"})
    assert [each.get("code", "") for each in answer["results"]] == ["", "conflict"]


def test_an_exercise_never_passes_for_the_real_thing(hub: RunningHub, sg: str) -> None:
    one, other = indicator(), indicator()
    assert accepted(hub.push(sg, one, exercise=True))
    (result,) = hub.push(sg, one)["results"]
    assert (result["result"], result["code"]) == ("refused", "conflict")
    assert "exercise" in result["reason"]
    assert accepted(hub.push(sg, other))
    (result,) = hub.push(sg, other, exercise=True)["results"]
    assert (result["result"], result["code"]) == ("refused", "conflict")
    assert hub.push(sg, other)["duplicate"] == 1


# --- bad input -------------------------------------------------------------------------------

DEEP = b'{"objects":[{"type":"indicator","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"
BAD = {
    "empty": (b"", "empty"),
    "blank": (b" \n\t ", "empty"),
    "text": (b"hello", "not-json"),
    "binary": (bytes(range(256)), "bad-text"),
    "truncated": (b'{"objects":[{"type":"indic', "not-json"),
    "list": (b"[]", "not-an-envelope"),
    "number": (b"7", "not-an-envelope"),
    "no objects": (b'{"more":true}', "not-an-envelope"),
    "empty envelope": (b'{"objects":[]}', "empty"),
    "objects no list": (b'{"objects":{}}', "not-an-envelope"),
    "objects twice": (b'{"objects":[],"objects":[{}]}', "duplicate-key"),
    "deep": (DEEP, "too-deep"),
    "utf-16": ('{"objects":[]}'.encode("utf-16"), "bad-text"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_told_apart_is_refused(hub: RunningHub, sg: str, name: str) -> None:
    body, code = BAD[name]
    answer = hub.ask("POST", "/api/objects", sg, content=body)
    assert answer.json()["error"]["code"] == code
    assert 400 <= answer.status_code < 500


def edited(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    return raw.replace(old, new)


ONE = json.dumps(indicator(name="n"), separators=(",", ":")).encode()
BAD_OBJECTS = {
    "duplicate key": (edited(ONE, b'"name":"n"', b'"name":"n","name":"m"'), "duplicate-key"),
    "two lists of markings": (
        edited(
            ONE,
            b'"name":"n"',
            b'"object_marking_refs":["%b"],"object_marking_refs":["%b"]'
            % (TLP_2_IDS["red"].encode(), TLP_2_IDS["clear"].encode()),
        ),
        "duplicate-key",
    ),
    "duplicate key inside": (edited(ONE, b'"n"', b'"n","x":[{"a":1,"a":2}]'), "duplicate-key"),
    "invalid utf-8": (edited(ONE, b'"n"', b'"\xff\xfe"'), "bad-text"),
    "lone surrogate": (edited(ONE, b'"n"', rb'"\ud800"'), "bad-text"),
    "lone surrogate as a key": (edited(ONE, b'"n"', rb'"n","x":{"\udc00":1}'), "bad-text"),
    "overflow": (edited(ONE, b'"n"', b'"n","x":1e999'), "bad-number"),
    "nan": (edited(ONE, b'"n"', b'"n","x":NaN'), "bad-number"),
    "deep": (edited(ONE, b'"n"', b'"n","x_deep":' + b"[" * 500 + b"]" * 500), "too-deep"),
    "bundle in bundle": (
        b'{"type":"bundle","id":"bundle--%b","objects":[]}' % str(uuid.uuid4()).encode(),
        "nested-bundle",
    ),
    "wrong type": (edited(ONE, b'"name":"n"', b'"name":["n"]'), "bad-value"),
    "no such day": (edited(ONE, b'"2026-01-01T00:00:00Z"', b'"2026-02-30T00:00:00Z"'), "bad-value"),
    "too large": (edited(ONE, b'"n"', b'"' + b"n" * 1024 * 1024 + b'"'), "too-large"),
}


@pytest.mark.parametrize("name", BAD_OBJECTS)
def test_a_bad_object_is_refused_with_its_reason(hub: RunningHub, sg: str, name: str) -> None:
    raw, code = BAD_OBJECTS[name]
    good = indicator()
    body = b'{"objects":[' + raw + b"," + json.dumps(good).encode() + b"]}"
    answer = hub.ask("POST", "/api/objects", sg, content=body).json()
    if "error" in answer:  # no text can be cut into objects where numbers or bytes are bent
        assert answer["error"]["code"] == code
        return
    bad, fine = answer["results"]
    assert (bad["result"], bad["code"], fine["result"]) == ("refused", code, "accepted")
    assert bad["path"]
    assert bad["reason"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z"])
def test_moments_far_off_are_kept_as_said(hub: RunningHub, sg: str, moment: str) -> None:
    one = indicator(
        created="0001-01-01T00:00:00Z", modified=moment, valid_until="9999-12-31T23:59:59.999Z"
    )
    assert accepted(hub.push(sg, one))
    assert hub.ask("GET", f"/api/objects/{one['id']}", sg).json()["modified"] == moment


def test_names_with_quotes_and_line_ends_are_kept_exactly(hub: RunningHub, sg: str) -> None:
    name = 'a\n\r\t"\\\x7f\x85\u2028\u2029\x00\x1b[31m</script>'
    one = indicator(name=name, pattern="[domain-name:value = 'plain.example']")
    assert accepted(hub.push(sg, one))
    assert hub.ask("GET", f"/api/objects/{one['id']}", sg).json()["name"] == name


# --- markings --------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [TLP_1_IDS, TLP_2_IDS], ids=["TLP 1", "TLP 2"])
def test_each_level_reaches_whom_it_names(
    hub: RunningHub, sg: str, vn: str, bank: str, ids: dict[str, str]
) -> None:
    """Public, another member's constituent, another member, own constituent."""
    hub.constituent("VN", f"grid-{len(ids)}")
    grid = hub.key("VN", constituent=f"grid-{len(ids)}")
    wanted = {
        "clear": (True, True, True, True),
        "green": (False, True, True, True),
        "amber": (False, True, True, True),
        "amber+strict": (False, False, True, False),
        "red": (False, False, False, False),
    }
    for level, ref in ids.items():
        one = indicator(object_marking_refs=[ref])
        assert accepted(hub.push(sg, one))
        assert tuple(sees(hub, key, one["id"]) for key in ("", grid, vn, bank)) == wanted[level]
        assert sees(hub, sg, one["id"])
        assert sees(hub, hub.admin, one["id"]) == (level in ("clear", "green"))


def test_what_is_unmarked_takes_the_keys_default(hub: RunningHub, vn: str, bank: str) -> None:
    green = hub.key("SG", level="green")
    one = indicator()
    hub.push(green, one)
    assert sees(hub, bank, one["id"])
    strict = hub.key("SG")
    other = indicator()
    hub.push(strict, other)
    assert not sees(hub, bank, other["id"])
    assert sees(hub, vn, other["id"])


def test_tlp_marks_what_comes_unmarked_and_nothing_else(hub: RunningHub, sg: str, vn: str) -> None:
    plain, marked = indicator(), indicator(object_marking_refs=[TLP_2_IDS["red"]])
    assert accepted(hub.push(sg, plain, marked, tlp="clear"))
    assert sees(hub, "", plain["id"])
    assert not sees(hub, vn, marked["id"])
    answer = hub.ask("POST", "/api/objects", sg, params={"tlp": "beige"}, content=ONE)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["where"]) == (
        "bad-parameter",
        "tlp",
    )


def test_an_unknown_marking_counts_as_the_default(hub: RunningHub, sg: str, bank: str) -> None:
    one = indicator(object_marking_refs=[OTHER_MARKING])
    hub.push(sg, one, tlp="clear")
    assert not sees(hub, "", one["id"])
    assert not sees(hub, bank, one["id"])
    both = indicator(object_marking_refs=[TLP_2_IDS["clear"], OTHER_MARKING])
    hub.push(sg, both)
    assert not sees(hub, "", both["id"])


def test_several_markings_lift_to_the_strictest(hub: RunningHub, sg: str, vn: str) -> None:
    clear, red = TLP_2_IDS["clear"], TLP_2_IDS["red"]
    whole = indicator(object_marking_refs=[clear, red])
    part = indicator(
        object_marking_refs=[clear],
        granular_markings=[{"marking_ref": red, "selectors": ["name"]}],
    )
    hub.push(sg, whole, part)
    for one in (whole, part):
        assert not sees(hub, "", one["id"])
        assert not sees(hub, vn, one["id"])
        assert sees(hub, sg, one["id"])


def test_a_granular_marking_alone_marks_the_whole(hub: RunningHub, sg: str) -> None:
    one = indicator(granular_markings=[{"marking_ref": TLP_2_IDS["green"], "selectors": ["name"]}])
    hub.push(sg, one, tlp="clear")
    assert not sees(hub, "", one["id"])


def test_a_statement_restricts_nothing(hub: RunningHub, sg: str, vn: str) -> None:
    said = statement()
    one = indicator(object_marking_refs=[TLP_2_IDS["clear"], said["id"]])
    before = indicator(object_marking_refs=[said["id"]])
    answer = hub.push(sg, one, before, said, tlp="clear")
    assert accepted(answer)
    assert sees(hub, "", one["id"])
    assert sees(hub, "", before["id"])
    later = indicator(object_marking_refs=[said["id"]])
    hub.push(sg, later, tlp="clear")
    assert sees(hub, "", later["id"])
    of_another = indicator(object_marking_refs=[said["id"]])
    hub.push(vn, of_another, tlp="clear")
    assert not sees(hub, "", of_another["id"])  # another's word about a marking counts nothing


def test_a_statement_is_found_behind_any_number_of_others(hub: RunningHub) -> None:
    """Others cannot hide what is mine by publishing under its id."""
    mine, others = hub.key("MY"), hub.key("TH")
    said = statement()
    for number in range(12):
        version = {**said, "created": f"2026-01-{number + 1:02}T00:00:00.000Z"}
        hub.push(others, {**version, "x_number": number}, tlp="clear")
    hub.push(mine, said, tlp="clear")
    one = indicator(object_marking_refs=[said["id"]])
    hub.push(mine, one, tlp="clear")
    assert sees(hub, "", one["id"])


def test_a_statement_cannot_speak_for_a_level_or_a_group(hub: RunningHub, sg: str) -> None:
    hub.group("delta", "SG", "VN")
    for ref in (TLP_2_IDS["red"], group_marking_id("delta")):
        one = indicator(object_marking_refs=[ref])
        hub.push(sg, statement(id=ref), one, tlp="clear")
        assert not sees(hub, "", one["id"])


def test_groups_limit_and_several_are_intersected(hub: RunningHub) -> None:
    hub.group("mekong", "KH", "LA", "TH", "VN")
    hub.group("sea", "TH", "VN", "PH")
    keys = {code: hub.key(code) for code in ("KH", "PH", "TH", "VN", "BN")}
    amber = TLP_2_IDS["amber"]
    one = indicator(object_marking_refs=[amber, group_marking_id("mekong")])
    both = indicator(
        object_marking_refs=[amber, group_marking_id("mekong"), group_marking_id("sea")]
    )
    hub.push(keys["TH"], one, both)
    assert {code for code in keys if sees(hub, keys[code], one["id"])} == {"KH", "TH", "VN"}
    assert {code for code in keys if sees(hub, keys[code], both["id"])} == {"TH", "VN"}


@pytest.mark.parametrize("level", ["clear", "green"])
def test_a_group_is_never_dropped_for_a_low_level(hub: RunningHub, level: str) -> None:
    hub.group("islands", "ID", "PH", "TL")
    ph, my = hub.key("PH"), hub.key("MY")
    one = indicator(object_marking_refs=[TLP_2_IDS[level], group_marking_id("islands")])
    hub.push(ph, one)
    assert not sees(hub, "", one["id"])
    assert not sees(hub, my, one["id"])
    assert sees(hub, hub.key("TL"), one["id"])


def test_an_author_sees_their_own_whatever_it_is(hub: RunningHub, bank: str) -> None:
    for level in TLP_2_IDS:
        one = indicator(object_marking_refs=[TLP_2_IDS[level]])
        hub.push(bank, one)
        assert sees(hub, bank, one["id"])
    hub.group("without", "KH", "LA")
    my = hub.key("MY", group="without")
    one = indicator()
    hub.push(my, one)
    assert sees(hub, my, one["id"])


def test_an_author_who_is_taken_out_of_a_group_keeps_their_own(hub: RunningHub) -> None:
    hub.group("changing", "BN", "KH")
    bn, kh = hub.key("BN"), hub.key("KH")
    mine, theirs = indicator(), indicator()
    hub.push(bn, mine, group="changing")
    hub.push(kh, theirs, group="changing")
    assert sees(hub, bn, theirs["id"])
    hub.group("changing", "KH")
    assert sees(hub, bn, mine["id"])
    assert not sees(hub, bn, theirs["id"])
    assert hub.ask("DELETE", f"/api/objects/{mine['id']}", bn).status_code == 200


def test_red_reaches_the_author_and_those_named(hub: RunningHub, vn: str) -> None:
    author = hub.key("SG", person="ana")
    colleague = hub.key("SG", person="ben")
    named = hub.key("VN", person="linh")
    again = hub.key("VN", person="linh", scopes=["read"])
    one = indicator(object_marking_refs=[TLP_2_IDS["red"]])
    assert accepted(hub.push(author, one, to="VN/linh"))
    for key in (author, named, again):
        assert sees(hub, key, one["id"])
    for key in ("", colleague, vn, hub.admin):
        assert not sees(hub, key, one["id"])


def test_only_red_names_its_readers(hub: RunningHub) -> None:
    """A set of names on anything else would be one more audience that all readers carry."""
    hub.key("VN", person="mai")
    red, green = (indicator(object_marking_refs=[TLP_2_IDS[each]]) for each in ("red", "green"))
    answer = hub.push(hub.key("SG"), red, green, to="VN/mai")
    assert [each["result"] for each in answer["results"]] == ["accepted", "refused"]
    assert answer["results"][1]["path"] == "to"


def test_nobody_can_take_another_persons_name(hub: RunningHub) -> None:
    """A member's administrator names persons of that member only."""
    linh = hub.key("VN", person="linh2")
    one = indicator(object_marking_refs=[TLP_2_IDS["red"]])
    hub.push(hub.key("SG"), one, to="VN/linh2")
    admin = hub.key("SG", scopes=["admin", "read"])
    for person in ("linh2", "operator", "registry"):
        order = {"member": "SG", "person": person, "scopes": ["read"]}
        made = hub.ask("POST", "/api/keys", admin, json=order)
        assert made.json()["person"] == f"SG/{person}"
        assert not sees(hub, made.json()["key"], one["id"])
    for person in ("VN/linh2", "../linh2", "a b", "a\n", "x" * 65, "é/è"):
        order = {"member": "SG", "person": person, "scopes": ["read"]}
        assert hub.ask("POST", "/api/keys", admin, json=order).status_code == 400
    assert sees(hub, linh, one["id"])


def test_a_person_who_does_not_exist_cannot_be_named(hub: RunningHub, sg: str) -> None:
    answer = hub.ask("POST", "/api/objects", sg, params={"to": "VN/nobody"}, content=ONE)
    assert answer.status_code == 400
    assert answer.json()["error"]["where"] == "to"


# --- the answer is no oracle -----------------------------------------------------------------


def test_a_hidden_entry_never_changes_the_answer(hub: RunningHub, sg: str, vn: str) -> None:
    """Whatever another has published under an id, the answers are those of an empty hub."""
    hidden = indicator(object_marking_refs=[TLP_2_IDS["red"]])
    fresh = indicator()
    hub.push(vn, hidden)
    variants = [
        {**hidden},
        {**hidden, "name": "other"},
        {**hidden, "object_marking_refs": [TLP_2_IDS["clear"]]},
    ]
    control = [{**each, "id": fresh["id"]} for each in variants]
    for real, free in zip(variants, control, strict=True):
        answers = [hub.push(sg, each) for each in (real, free)]
        for answer in answers:
            answer["results"][0].pop("id")
        assert answers[0] == answers[1]
    mine = hub.ask("GET", f"/api/objects/{hidden['id']}", vn).json()
    assert mine["name"] == hidden["name"]  # nor did the other's version push mine aside


def test_what_is_not_mine_cannot_be_taken_back(hub: RunningHub, sg: str, vn: str) -> None:
    seen = indicator(object_marking_refs=[TLP_2_IDS["clear"]])
    hidden = indicator(object_marking_refs=[TLP_2_IDS["red"]])
    hub.push(vn, seen, hidden)
    nowhere = f"indicator--{uuid.uuid4()}"
    for verb, end in (("DELETE", ""), ("POST", "/erase")):
        answers = [
            hub.ask(verb, f"/api/objects/{object_id}{end}", key)
            for key in (sg, hub.admin)
            for object_id in (seen["id"], hidden["id"], nowhere)
        ]
        assert {answer.status_code for answer in answers} == {404}
        messages = {answer.json()["error"]["message"] for answer in answers}
        assert len(messages) == 1
    assert sees(hub, vn, hidden["id"])


@pytest.mark.parametrize(("verb", "end"), [("DELETE", ""), ("POST", "/erase")])
def test_a_reason_is_never_cut_in_silence(hub: RunningHub, sg: str, verb: str, end: str) -> None:
    one = indicator()
    hub.push(sg, one)
    path = f"/api/objects/{one['id']}{end}"
    long = hub.ask(verb, path, sg, params={"reason": "x" * 1_001})
    assert (long.status_code, long.json()["error"]["where"]) == (400, "reason")
    assert sees(hub, sg, one["id"])
    assert hub.ask(verb, path, sg, params={"reason": "x" * 1_000}).status_code == 200
