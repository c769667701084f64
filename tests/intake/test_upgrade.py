from __future__ import annotations

import copy
import json
import random
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st
from stix2validator import ValidationOptions, validate_instance

from bayanihan.core.marking import TLP_1_IDS
from bayanihan.core.stix import check, spec_of, split
from bayanihan.core.stix_id import CONTRIBUTING, observable_id
from bayanihan.errors import Refused
from bayanihan.intake.upgrade import upgrade
from tests.core.stix_vectors import VALID, compact, shared, shared_bytes

WHEN = "2018-05-01T00:00:00.000Z"
AMBER, RED = TLP_1_IDS["amber"], TLP_1_IDS["red"]


def old(kind: str, **extra: Any) -> dict[str, Any]:
    ref = f"{kind}--7d1f5a5c-8d2b-4f51-9d0c-0a4ee0c6a8d1"
    return {"type": kind, "id": ref, "created": WHEN, "modified": WHEN, **extra}


def raised(value: dict[str, Any]) -> list[dict[str, Any]]:
    """What becomes of `value`; every part must pass the check of 2.1."""
    found = upgrade(compact(value))
    assert found == upgrade(compact(value))
    assert all(check(raw) for raw in found)
    return [json.loads(raw) for raw in found]


def observed(objects: dict[str, Any], **extra: Any) -> dict[str, Any]:
    times = {"first_observed": WHEN, "last_observed": WHEN, "number_observed": 1}
    return old("observed-data", **times, objects=objects, **extra)


def test_an_indicator_becomes_one_of_21() -> None:
    [found] = raised(
        old(
            "indicator",
            labels=["malicious-activity", "ours"],
            valid_from=WHEN,
            pattern="[url:value = 'https://a.example'] START '2018-01-01T00:00:00Z' "
            "STOP '2018-02-01T00:00:00Z'",
        )
    )
    assert found["spec_version"] == "2.1"
    assert (found["indicator_types"], found["labels"]) == (["malicious-activity"], ["ours"])
    assert found["pattern_type"] == "stix"
    assert "START t'2018-01-01T00:00:00Z' STOP t'2018-02-01T00:00:00Z'" in found["pattern"]
    assert list(found)[:3] == ["type", "spec_version", "id"]


@pytest.mark.parametrize(
    ("kind", "label", "target", "extra"),
    [
        ("malware", "trojan", "malware_types", {"name": "a"}),
        ("tool", "remote-access", "tool_types", {"name": "a"}),
        ("threat-actor", "criminal", "threat_actor_types", {"name": "a"}),
        (
            "report",
            "campaign",
            "report_types",
            {"name": "a", "published": WHEN, "object_refs": [VALID["tool"]["id"]]},
        ),
    ],
)
def test_labels_of_the_vocabulary_become_types(
    kind: str, label: str, target: str, extra: dict[str, Any]
) -> None:
    [found] = raised(old(kind, labels=[label], **extra))
    assert found[target] == [label]
    assert "labels" not in found
    [found] = raised(old(kind, labels=["tool-of-ours"], **extra))
    assert found["labels"] == ["tool-of-ours"]
    assert target not in found


def test_malware_is_no_family_unless_it_says_so() -> None:
    assert raised(old("malware", labels=["bot"], name="a"))[0]["is_family"] is False
    assert raised(old("malware", labels=["bot"], name="a", is_family=True))[0]["is_family"]


def test_the_labels_of_an_identity_are_roles() -> None:
    [found] = raised(old("identity", name="a", identity_class="organization", labels=["CEO"]))
    assert found["roles"] == ["CEO"]
    assert "labels" not in found


def test_a_tlp_definition_gets_its_name() -> None:
    for level, ref in TLP_1_IDS.items():
        word = "white" if level == "clear" else level
        value = {
            "type": "marking-definition",
            "id": ref,
            "created": "2017-01-20T00:00:00.000Z",
            "definition_type": "tlp",
            "definition": {"tlp": word},
        }
        [found] = raised(value)
        assert found["name"] == f"TLP:{word.upper()}"
        assert not check(compact(found)).warnings


def test_custom_types_and_properties_stay() -> None:
    [found] = raised(old("x-mitre-tactic", name="Impact", x_mitre_shortname="impact"))
    assert found["x_mitre_shortname"] == "impact"


def test_an_object_of_21_is_left_alone() -> None:
    raw = json.dumps(VALID["indicator"]).encode()
    assert upgrade(raw) == [raw]


def test_observed_data_gives_its_observables() -> None:
    main, *rest = raised(
        observed(
            {
                "0": {"type": "email-addr", "value": "a@b.example"},
                "1": {
                    "type": "email-message",
                    "is_multipart": True,
                    "from_ref": "0",
                    "to_refs": ["0"],
                    "body_multipart": [{"body_raw_ref": "2"}],
                },
                "2": {
                    "type": "file",
                    "name": "a.zip",
                    "created": WHEN,
                    "hashes": {"ssdeep": "3:a:b"},
                    "extensions": {"archive-ext": {"contains_refs": ["3"]}},
                },
                "3": {"type": "file", "name": "a.exe", "parent_directory_ref": "4"},
                "4": {"type": "directory", "path": "C:\\tmp", "accessed": WHEN},
                "5": {"type": "process", "pid": 3, "created": WHEN, "binary_ref": "3"},
                "6": {"type": "user-account", "user_id": "1", "password_last_changed": WHEN},
                "7": {
                    "type": "windows-registry-key",
                    "key": "HKEY_LOCAL_MACHINE\\a",
                    "modified": WHEN,
                },
            },
            object_marking_refs=[AMBER],
        )
    )
    mail, message, archive, program, folder, process, account, key = rest
    assert main["object_refs"] == [item["id"] for item in rest]
    assert "objects" not in main
    assert all(item["object_marking_refs"] == [AMBER] for item in (main, *rest))
    assert message["from_ref"] == mail["id"]
    assert message["to_refs"] == [mail["id"]]
    assert message["body_multipart"] == [{"body_raw_ref": archive["id"]}]
    assert archive["ctime"] == WHEN
    assert archive["hashes"] == {"SSDEEP": "3:a:b"}
    assert archive["extensions"]["archive-ext"]["contains_refs"] == [program["id"]]
    assert program["parent_directory_ref"] == folder["id"]
    assert folder["atime"] == WHEN
    assert (process["created_time"], process["image_ref"]) == (WHEN, program["id"])
    assert uuid.UUID(process["id"][-36:]).version == 4
    assert account["credential_last_changed"] == WHEN
    assert key["modified_time"] == WHEN


def test_the_same_observable_twice_is_one() -> None:
    main, *rest = raised(
        observed({key: {"type": "mutex", "name": "kite"} for key in ("0", "1", "2")})
    )
    assert main["object_refs"] == [item["id"] for item in rest]
    assert len(rest) == 1


def test_granular_markings_follow_what_they_mark() -> None:
    markings = [
        {"marking_ref": RED, "selectors": ["objects.0.value", "number_observed"]},
        {"marking_ref": AMBER, "selectors": ["objects.1"]},
    ]
    main, url, mutex = raised(
        observed(
            {
                "0": {"type": "url", "value": "https://a.example"},
                "1": {"type": "mutex", "name": "kite"},
            },
            granular_markings=markings,
        )
    )
    assert url["granular_markings"] == [{"marking_ref": RED, "selectors": ["value"]}]
    assert mutex["object_marking_refs"] == [AMBER]
    assert main["granular_markings"] == [{"marking_ref": RED, "selectors": ["number_observed"]}]
    assert set(check(compact(main)).marking_refs) == {RED, AMBER}


@pytest.mark.parametrize(
    ("value", "code", "where"),
    [
        ([], "bad-value", "$"),
        ({"id": "x"}, "missing-property", "$.type"),
        (old("indicator", labels=["x"]), "missing-property", "$.pattern"),
        (old("indicator", labels="x", pattern="[a:b = 1]"), "bad-value", "$.labels"),
        (old("identity", labels=[1]), "bad-value", "$.labels"),
        (old("indicator", pattern="[a:b = "), "bad-value", "$.pattern char 8"),
        (observed({}), "bad-value", "$.objects"),
        (observed({"0": 1}), "bad-value", '$.objects["0"]'),
        (
            observed({"0": {"type": "email-message", "from_ref": "9"}}),
            "bad-value",
            '$.objects["0"].from_ref',
        ),
        (
            observed({"0": {"type": "network-traffic", "src_ref": "0", "protocols": ["tcp"]}}),
            "bad-value",
            '$.objects["0"]',
        ),
        (
            observed({"0": {"type": "autonomous-system", "number": 2**60}}),
            "bad-number",
            '$.objects["0"]',
        ),
        (
            observed(
                {
                    str(i): {"type": "network-traffic", "src_ref": str(i + 1), "protocols": ["ip"]}
                    for i in range(2000)
                }
            ),
            "too-deep",
            "$.objects",
        ),
    ],
)
def test_what_cannot_be_upgraded_says_where(value: Any, code: str, where: str) -> None:
    with pytest.raises(Refused) as caught:
        upgrade(compact(value))
    assert (caught.value.code, caught.value.where) == (code, where)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["0", "1", "x", "url"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["0", "type", "value", "a_ref", "a_refs"]), inner)
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["observed-data", "indicator", "malware", "identity", "marking-definition"]),
    st.dictionaries(
        st.sampled_from(["objects", "labels", "pattern", "granular_markings", "definition_type"]),
        ANY,
    ),
)
def test_any_object_is_upgraded_or_refused(kind: str, extra: dict[str, Any]) -> None:
    try:
        found = upgrade(compact(old(kind, **extra)))
    except Refused:
        return
    assert spec_of(found[0]) == "2.1"


def test_ids_of_observables_are_those_of_the_stix2_library() -> None:
    for kind, names in CONTRIBUTING.items():
        value = copy.deepcopy(VALID[kind])
        del value["id"]
        # The library does not know the newer form of TLSH, which begins with T1.
        value.get("hashes", {}).pop("TLSH", None)
        # It writes timestamps anew, so only their shortest spelling is alike.
        value |= {name: "2026-11-22T08:00:00Z" for name in ("start", "end") if name in value}
        if names:
            library = stix2.parse({**value, "spec_version": "2.1"}, allow_custom=True)
            assert observable_id(kind, value) == library["id"], kind
        else:
            assert observable_id(kind, value) is None


def playbooks() -> Iterator[bytes]:
    with tarfile.open(shared("data/stix/unit42-playbooks-stix20.tar.gz")) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None and Path(member.name).suffix == ".json":
                yield from split(content.read()).objects


def passed(objects: list[bytes]) -> tuple[list[bytes], list[str]]:
    """The upgraded objects that pass, and where the others are at fault."""
    found: list[bytes] = []
    faults: list[str] = []
    for raw in objects:
        assert spec_of(raw) == "2.0"
        try:
            new = upgrade(raw)
            for item in new:
                check(item)
        except Refused as fault:
            faults.append(fault.where)
        else:
            found += new
    return found, faults


def assert_valid_elsewhere(objects: list[bytes], count: int) -> None:
    """A sample passes the OASIS validator, which is given nothing but MUST."""
    options = ValidationOptions(version="2.1")
    for raw in random.Random(7).sample(objects, count):
        report = validate_instance(json.loads(raw), options)
        assert report.is_valid, [str(error) for error in report.errors]


def test_the_playbooks_of_unit_42() -> None:
    """Sixteen identities have a list as their class, which no version of STIX allows."""
    objects = list(playbooks())
    found, faults = passed(objects)
    assert len(objects) == 27_330
    assert faults == ["$.identity_class"] * 16
    assert_valid_elsewhere(found, 150)


def test_enterprise_attack() -> None:
    objects = split(shared_bytes("data/stix/attack/enterprise-attack-15.json.gz")).objects
    found, faults = passed(objects)
    assert (len(objects), faults) == (19_981, [])
    assert_valid_elsewhere(found, 100)
