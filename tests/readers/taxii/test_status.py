"""The status of a submission: its arithmetic, its lists, and who may see it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.marking import PUBLIC
from bayanihan.errors import Refused
from bayanihan.readers.taxii.status import (
    KEPT_US,
    Outcome,
    Statuses,
    new_id,
    objects_of,
    outcomes_of,
    status_of,
)
from tests.readers.taxii.shelved import SG, TH, Shelved

ID = "indicator--11111111-1111-4111-8111-111111111111"
outcomes = st.lists(
    st.builds(
        Outcome,
        id=st.text(max_size=5),
        version=st.sampled_from(("", "2026-01-01T00:00:00Z")),
        result=st.sampled_from(("accepted", "duplicate", "refused")),
        reason=st.text(max_size=5),
    )
)


@pytest.fixture
def shelved(tmp_path: Path) -> Iterator[Shelved]:
    with Shelved(tmp_path) as found:
        yield found


@given(outcomes)
def test_the_counts_are_those_of_the_lists(found: list[Outcome]) -> None:
    status = status_of("s", 0, found)
    assert status["total_count"] == len(found)
    assert status["success_count"] == len(status.get("successes", ()))
    assert status["failure_count"] == len(status.get("failures", ()))
    assert status["total_count"] == status["success_count"] + status["failure_count"]
    assert status["pending_count"] == 0
    for detail in status.get("successes", []) + status.get("failures", []):
        assert detail["version"]


def test_a_repetition_is_a_success_and_a_refusal_says_why() -> None:
    found = [
        Outcome("a", "v", "duplicate"),
        Outcome("b", "v", "refused", "bad-value", "$.modified", "It lies before `created`."),
    ]
    status = status_of("s", 0, found)
    assert [each["id"] for each in status["successes"]] == ["a"]
    assert status["failures"] == [
        {
            "id": "b",
            "version": "v",
            "message": "It lies before `created`, at $.modified [bad-value]",
        }
    ]


def test_each_version_of_an_object_is_named() -> None:
    versions = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]
    body = json.dumps({"objects": [{"id": ID, "modified": each} for each in versions]})
    sent = objects_of(body.encode(), 10)
    results = [Outcome(ID, "", "accepted"), Outcome(ID, "", "duplicate")]
    assert [each.version for each in outcomes_of(sent, results)] == versions


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "not-json"),
        ("{", "not-json"),
        ("[]", "not-an-envelope"),
        ("{}", "not-an-envelope"),
        ('{"objects": {}}', "not-an-envelope"),
        ('{"objects": []}', "empty"),
        ('{"type": "indicator"}', "not-an-envelope"),
        ('{"objects": [1, 2, 3]}', "too-large"),
        ('{"objects": [' + "[" * 2_000, "too-deep"),
    ],
)
def test_what_is_no_envelope_is_refused(body: str, code: str) -> None:
    with pytest.raises(Refused) as found:
        objects_of(body.encode(), 2)
    assert found.value.code == code


def test_a_bundle_holds_objects_as_an_envelope_does() -> None:
    assert len(objects_of(b'{"type": "bundle", "objects": [{}]}', 2)) == 1


@given(
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.dictionaries(st.text(), st.none())))
)
def test_no_object_breaks_its_naming(objects: list[object]) -> None:
    body = msgspec.json.encode({"objects": [*objects, {"id": 7, "modified": []}]})
    assert [each.id for each in objects_of(body, 1_000)] == [""] * (len(objects) + 1)


def test_ids_are_of_version_7_and_in_order() -> None:
    early, late = new_id(1_000_000, b"\xff" * 10), new_id(1_001_000, bytes(10))
    assert str(early) < str(late)
    assert (early.version, early.variant) == (7, uuid.RFC_4122)


async def test_a_status_is_for_who_submitted(shelved: Shelved) -> None:
    statuses = Statuses(shelved.ledger, lambda size: b"r" * size)
    status = await statuses.keep(SG, "region", [Outcome("a", "v", "accepted")])
    status_id = json.loads(status)["id"]
    assert statuses.find(SG, "region", status_id) == status
    for viewer, root in ((TH, "region"), (PUBLIC, "region"), (SG, "other")):
        with pytest.raises(Refused):
            statuses.find(viewer, root, status_id)


async def test_a_status_is_kept_two_days(shelved: Shelved) -> None:
    statuses = Statuses(shelved.ledger, lambda size: b"r" * size)
    first = json.loads(await statuses.keep(SG, "region", []))["id"]
    shelved.now_us += KEPT_US
    second = json.loads(await statuses.keep(SG, "region", []))["id"]
    assert statuses.forget_old() == 0
    shelved.now_us += 1
    assert statuses.forget_old() == 1
    assert statuses.find(SG, "region", second)
    with pytest.raises(Refused):
        statuses.find(SG, "region", first)
