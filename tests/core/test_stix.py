from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.json_bytes import walk
from bayanihan.core.marking import TLP_1_IDS, TLP_2_IDS
from bayanihan.core.stix import SHAPES, check, spec_of, split
from bayanihan.errors import Refused
from tests.core.stix_vectors import VALID, changed, compact, load, shared, shared_bytes

BUNDLE_ID = "bundle--7d1f5a5c-8d2b-4f51-9d0c-0a4ee0c6a8d1"
GREEN = TLP_2_IDS["green"]
RED = TLP_2_IDS["red"]


def bundle(*objects: Any, **extra: Any) -> bytes:
    return json.dumps({"type": "bundle", "id": BUNDLE_ID, **extra, "objects": objects}).encode()


def fault_of(read: Callable[[bytes], object], raw: bytes) -> Refused | None:
    """What `read` says against `raw`; any other exception is a failure."""
    try:
        assert read(raw)
    except Refused as fault:
        return fault
    return None


def test_there_is_a_valid_vector_for_every_type() -> None:
    assert VALID.keys() == SHAPES.keys()


# --- split


def test_one_object_keeps_its_bytes() -> None:
    raw = b'{ "type":"url",\n "id" : 1.50 }'
    assert split(b" \n" + raw + b"\n").objects == [raw]


def test_members_keep_their_bytes() -> None:
    members = [b'{ "a":1.50 }', b'{"a":"\\u0e01"}', "\u0e01".encode().join([b'{"a":"', b'"}'])]
    data = b'{"more": false, "objects" : [' + b" , ".join(members) + b"] }"
    assert split(data).objects == members


def test_a_byte_order_mark_is_skipped() -> None:
    assert split(b'\xef\xbb\xbf{"objects":[{}]}').objects == [b"{}"]


@pytest.mark.parametrize("version", ["2.0", "2.1", ""])
def test_the_bundle_tells_its_version(version: str) -> None:
    extra = {"spec_version": version} if version else {}
    found = split(bundle({"a": 1}, **extra))
    assert (found.spec_version, found.objects) == (version, [b'{"a": 1}'])


def test_observed_data_of_20_is_no_envelope() -> None:
    raw = b'{"type":"observed-data","objects":{"0":{"type":"url"}}}'
    assert split(raw).objects == [raw]


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"", "empty", ""),
        (b" \r\n\t", "empty", ""),
        (b"\xef\xbb\xbf", "empty", ""),
        (b'{"objects":[]}', "empty", "$.objects"),
        (bundle(), "empty", "$.objects"),
        (b'{"type":"bundle","id":"bundle--1"}', "empty", "$.objects"),
        (b'{"type":"bundle","objects":[{}]}', "missing-property", "$.id"),
        (b"[]", "not-an-envelope", "$"),
        (b'"x"', "not-an-envelope", "$"),
        (b"null", "not-an-envelope", "$"),
        (b"{}", "not-an-envelope", "$"),
        (b'{"more":true}', "not-an-envelope", "$"),
        (b'{"objects":1}', "not-an-envelope", "$.objects"),
        (b'{"objects":{"0":{}}}', "not-an-envelope", "$.objects"),
        (b'{"objects":[1],"objects":[2]}', "duplicate-key", "$.objects"),
        (b'{"objects":[1],"objects":[1]}', "duplicate-key", "$.objects"),
        (b'{"objects":[1],"\\u006fbjects":[1]}', "duplicate-key", "$.objects"),
        (b'{"type":"url","type":"bundle","id":"x"}', "duplicate-key", "$.type"),
        (b'{"next":1e999,"objects":[1]}', "bad-number", "$.next"),
        (b'{"next":"\xff","objects":[1]}', "bad-text", "$.next"),
        (b'{"next":{"a":1,"a":1},"objects":[1]}', "duplicate-key", "$.next.a"),
        (b'{"objects":[{"a":1}', "not-json", "byte 19"),
        (b'{"objects":[{"a":tru}]}', "not-json", "byte 18"),
        (b'{"objects":[{"a":"\x00"}]}', "not-json", "byte 18"),
        (b'{"objects":' + b"[" * 100_000, "too-deep", "$"),
        (b"garbage", "not-json", "byte 0"),
        (b"\x1f\x8b\x08\x00", "bad-text", "byte 1"),
    ],
)
def test_what_cannot_be_split(data: bytes, code: str, where: str) -> None:
    with pytest.raises(Refused) as caught:
        split(data)
    assert (caught.value.code, caught.value.where) == (code, where)


def test_a_bad_member_is_left_to_its_own_check() -> None:
    members = [b'{"a":"\xff"}', b'{"a":1,"a":2}', b'{"a":1e999}', b"7", compact(VALID["url"])]
    found = split(b'{"objects":[' + b",".join(members) + b"]}").objects
    assert found == members
    codes = []
    for raw in found:
        try:
            check(raw)
        except Refused as fault:
            codes.append(fault.code)
    assert codes == ["bad-text", "duplicate-key", "bad-number", "bad-value"]


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]",:objects\\ "1'), max_size=30))
def test_any_bytes_are_split_or_refused(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode()
    fault = fault_of(split, raw)
    assert fault is None or fault.code == "empty" or fault.where


# --- spec_of


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ({"type": "indicator", "created": "x"}, "2.0"),
        ({"type": "marking-definition", "created": "x"}, "2.0"),
        ({"type": "indicator", "created": "x", "pattern_type": "stix"}, "2.0"),
        ({"type": "x-mitre-tactic", "created": "x"}, "2.0"),
        ({"type": "indicator", "created": "x", "spec_version": "2.0"}, "2.0"),
        ({"type": "indicator", "created": "x", "spec_version": "2.1"}, "2.1"),
        ({"type": "indicator", "created": "x", "spec_version": "3"}, "2.1"),
        ({"type": "observed-data", "created": "x", "objects": {}}, "2.0"),
        ({"type": "observed-data", "created": "x", "object_refs": []}, "2.1"),
        ({"type": "domain-name"}, "2.1"),
        ({"type": "x-custom"}, "2.1"),
        ({}, "2.1"),
        ([], "2.1"),
    ],
)
def test_the_version_of_an_object(value: Any, version: str) -> None:
    assert spec_of(compact(value)) == version


@pytest.mark.parametrize("kind", [*VALID, "x-custom"])
def test_no_object_of_2_0_passes_as_one_of_2_1(kind: str) -> None:
    """Intake asks for the version only of what did not pass."""
    bare = {**VALID.get(kind, VALID["incident"]), "type": kind}
    bare["id"] = f"{kind}--{bare['id'][-36:]}"
    assert fault_of(check, compact(bare)) is None
    del bare["spec_version"]
    for value in (bare, bare | {"spec_version": "2.0"}, bare | {"created": "2026-01-01T00:00:00Z"}):
        assert fault_of(check, compact(value)) or spec_of(compact(value)) == "2.1"


# --- check


@pytest.mark.parametrize("kind", VALID)
def test_a_valid_object_passes_without_warning(kind: str) -> None:
    value = VALID[kind]
    for raw in (compact(value), json.dumps(value, indent=2).encode()):
        found = check(raw)
        assert (found.id, found.type, found.spec_version) == (value["id"], kind, "2.1")
        assert found.size_bytes == len(raw)
        assert found.warnings == ()


@pytest.mark.parametrize("vector", load("refused.json"), ids=lambda vector: vector["why"])
def test_what_must_not_be_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        check(changed(vector))
    assert (caught.value.code, caught.value.where) == (vector["code"], vector["where"])


@pytest.mark.parametrize("vector", load("warned.json"), ids=lambda vector: vector["path"])
def test_what_should_not_be_is_told(vector: dict[str, Any]) -> None:
    told = [(warning.code, warning.path) for warning in check(changed(vector)).warnings]
    assert told == [(vector["code"], vector["path"])]


def test_the_header_of_an_object() -> None:
    raw = compact(
        {
            **VALID["indicator"],
            "created": "2026-11-22T08:00:00.0000009Z",
            "modified": "2026-11-22T08:00:00.000001Z",
            "revoked": True,
            "created_by_ref": VALID["identity"]["id"],
            "object_marking_refs": [GREEN, GREEN],
            "granular_markings": [
                {"selectors": ["labels.[0]"], "marking_ref": RED},
                {"selectors": ["name"], "lang": "th"},
                {"selectors": ["extensions"], "marking_ref": GREEN},
            ],
        }
    )
    found = check(raw)
    assert found.created_us == 1_795_334_400_000_000
    assert found.version_us == 1_795_334_400_000_001
    assert (found.revoked, found.created_by_ref) == (True, VALID["identity"]["id"])
    assert found.marking_refs == (GREEN, RED)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_times_far_off_do_no_harm(year: str) -> None:
    when = f"{year}-12-31T23:59:59.999999Z"
    assert check(compact({**VALID["tool"], "created": when, "modified": when})).created_us


def test_observables_and_markings_have_no_version() -> None:
    url = check(compact({**VALID["url"], "created": 1, "modified": 2, "revoked": 3}))
    assert (url.created_us, url.version_us, url.revoked) == (None, None, False)
    marking = check(compact({**VALID["marking-definition"], "modified": 5, "revoked": 6}))
    assert (marking.version_us, marking.revoked, marking.statement) == (None, False, True)


@pytest.mark.parametrize(
    "change",
    [
        {"definition_type": "house", "definition": {"house": "rule"}},
        {"id": TLP_1_IDS["red"]},
        {"id": TLP_2_IDS["red"]},
    ],
)
def test_only_a_statement_restricts_nothing(change: dict[str, Any]) -> None:
    assert not check(compact({**VALID["marking-definition"], **change})).statement


@pytest.mark.parametrize(("level", "ref"), TLP_1_IDS.items())
def test_the_four_tlp_definitions_pass(level: str, ref: str) -> None:
    word = "white" if level == "clear" else level
    value = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": ref,
        "created": "2017-01-20T00:00:00.000Z",
        "definition_type": "tlp",
        "name": f"TLP:{word.upper()}",
        "definition": {"tlp": word},
    }
    assert check(compact(value)).warnings == ()
    with pytest.raises(Refused):
        check(compact({**value, "definition": {"tlp": "green" if word != "green" else "red"}}))


def test_a_bundle_inside_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        check(bundle(VALID["url"]))
    assert caught.value.code == "nested-bundle"


def test_custom_types_and_properties_are_kept() -> None:
    ref = "x-lure-page--7d1f5a5c-8d2b-4f51-9d0c-0a4ee0c6a8d1"
    core = {name: VALID["tool"][name] for name in ("spec_version", "created", "modified")}
    found = check(compact({"type": "x-lure-page", "id": ref, **core, "x_shape": {"a": [None]}}))
    assert [warning.code for warning in found.warnings] == ["custom-type", "custom-property"]
    assert found.version_us is not None
    observable = check(compact({"type": "x-lure-page", "id": ref, "external_references": 5}))
    assert observable.version_us is None


@pytest.mark.parametrize(
    "selector",
    ["id", "labels", "labels.[0]", "external_references.[0].source_name", "x_a.b.c", "x_a.b"],
)
def test_selectors_that_point_at_something(selector: str) -> None:
    extra = {
        "x_a": {"b.c": 1, "b": {"c": 2}},
        "external_references": [{"source_name": "a", "description": "b"}],
    }
    marking = {"selectors": [selector], "marking_ref": RED}
    raw = compact({**VALID["indicator"], **extra, "granular_markings": [marking]})
    assert RED in check(raw).marking_refs


@pytest.mark.parametrize("selector", ["", ".", "name.", "labels.0", "labels.[1]", "labels.[-1]"])
def test_selectors_that_point_at_nothing(selector: str) -> None:
    marking = {"selectors": [selector], "marking_ref": RED}
    with pytest.raises(Refused):
        check(compact({**VALID["indicator"], "granular_markings": [marking]}))


def test_depth_counts_in_custom_properties() -> None:
    deep = b'{"x_deep":' + b"[" * 64 + b"1" + b"]" * 64 + b"," + compact(VALID["url"])[1:]
    with pytest.raises(Refused) as caught:
        check(deep)
    assert caught.value.code == "too-deep"


def test_answers_stay_short_whatever_is_sent() -> None:
    long = "x" * 1_000_000
    url = VALID["url"]
    twice = compact({long: 1})[:-1] + b"," + compact({long: 2})[1:]
    for raw in (twice, compact({**url, f"-{long}": 1}), compact({**url, "spec_version": long})):
        fault = fault_of(check, raw)
        assert fault is not None
        assert len(fault.message) + len(fault.where) < 1000
    many = check(compact({**url, **{f"x_{i}": i for i in range(150)}})).warnings
    assert (len(many), many[-1].code) == (101, "more")


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2**70, 1.5, "", "x", "\0", [], [1], [None], [[]], {}, {"": 1}, {"a": {}}]
)


@given(st.sampled_from(sorted(VALID)), st.data())
def test_any_change_of_a_valid_object_is_accepted_or_refused(kind: str, data: Any) -> None:
    value = copy.deepcopy(VALID[kind])
    places = [node for _, node in walk(value) if isinstance(node, (dict, list)) and node]
    place = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
    place[key] = data.draw(ODD | st.sampled_from(sorted(VALID)).map(VALID.__getitem__))
    value |= data.draw(st.dictionaries(st.sampled_from(COMMON), ODD, max_size=2))
    fault = fault_of(check, compact(value))
    assert fault is None or fault.where.startswith("$")


COMMON = [
    "created",
    "modified",
    "revoked",
    "created_by_ref",
    "labels",
    "external_references",
    "kill_chain_phases",
    "granular_markings",
    "object_marking_refs",
    "extensions",
    "definition",
    "definition_type",
    "lang",
    "x_custom",
    "spec_version",
    "objects",
    "object_refs",
    "hashes",
]


# --- what others wrote


def test_the_validators_own_cases() -> None:
    """Refuse exactly what breaks a MUST; warn about the rest, but for two of whole bundles."""
    silent = {"test_bundle_duplicate_ids", "test_silent_and_verbose"}
    cases = json.loads(shared_bytes("data/stix-cases/stix21-object-cases.json.gz"))
    assert len(cases) == 165
    for case in cases:
        name = case["test"].rpartition(".")[2]
        try:
            found = [check(raw) for raw in split(compact(case["instance"])).objects]
        except Refused:
            found = []
        assert bool(found) == case["must_valid"], (name, case["must_errors"])
        if found and not case["expect_valid"] and name not in silent:
            assert any(item.warnings for item in found), name


BROKEN_FILES = {
    "v21-invalid_braces.json": "not-json",
    "v21-invalid_comma.json": "not-json",
    "v20-invalid_braces.json": "not-json",
    "v21-invalid_identity.json": "missing-property",
    "v21-invalid_timestamp.json": "bad-value",
    "v21-identity.json": None,
    "v21-identity_unicode.json": None,
}


@pytest.mark.parametrize(("name", "code"), BROKEN_FILES.items())
def test_whole_files(name: str, code: str | None) -> None:
    data = shared(f"data/stix-cases/files/{name}").read_bytes()
    if code is None:
        assert all(check(raw) for raw in split(data).objects)
        return
    with pytest.raises(Refused) as caught:
        check(*split(data).objects)
    assert caught.value.code == code


# Objects that break a MUST: a TLP:CLEAR on the id of TLP:WHITE, stop_time equal to
# start_time, modified before created.
REAL = {
    "DISARM.json.gz": (698, 0),
    "atlas/AMLCS0010__Microsoft_Azure_Service_Disruption_full.json": (13, 1),
    ("atlas/AMLCS0020_Report-Indirect_Prompt_Injection_Threats__Bing_Chat_Data_Pirate_full.json"): (
        16,
        7,
    ),
    "atlas/stix-atlas.json.gz": (538, 2),
    "attack/ics-attack-18.1.json.gz": (1826, 0),
    "opencti-geography.json.gz": (539, 0),
    "opencti-sectors.json.gz": (121, 0),
}


@pytest.mark.parametrize(("name", "counts"), REAL.items())
def test_real_collections(name: str, counts: tuple[int, int]) -> None:
    faults = []
    objects = split(shared_bytes(f"data/stix/{name}")).objects
    for raw in objects:
        try:
            check(raw)
        except Refused as fault:
            faults.append(fault)
    assert (len(objects), len(faults)) == counts
    assert {fault.where for fault in faults} <= {"$.definition", "$.stop_time", "$.modified"}


def test_the_oasis_examples() -> None:
    folder = shared("data/stix/oasis-examples")
    objects = [raw for path in folder.glob("*.json") for raw in split(path.read_bytes()).objects]
    assert len(objects) == 293
    assert all(check(raw).id for raw in objects)
