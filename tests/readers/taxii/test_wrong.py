"""Whatever is asked of TAXII, however wrong, is answered as TAXII says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.readers.taxii.served import OBJECTS, client
from tests.readers.taxii.shelved import Said, Shelved

MEDIA = "application/taxii+json;version=2.1"
NAMES = ["added_after", "limit", "next", "match[id]", "match[type]", "match[version]"]
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["0", "-1", "1", "all", "last,first", "2026-01-01T00:00:00Z", "9" * 30]),
    st.integers().map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
)
PLACES = [
    OBJECTS,
    OBJECTS.replace("objects", "manifest"),
    f"{OBJECTS}indicator--00000001-0000-4000-8000-000000000000/",
    f"{OBJECTS}indicator--00000001-0000-4000-8000-000000000000/versions/",
    "/taxii2/region/collections/",
    "/taxii2/region/status/x/",
    "/taxii2/",
]


def said(number: int) -> Said:
    return Said(f"indicator--{number:08x}-0000-4000-8000-000000000000", "SG", 0, 1)


@pytest.fixture
def shelved(tmp_path: Path) -> Iterator[Shelved]:
    with Shelved(tmp_path) as found:
        found.say(*map(said, range(1, 5)))
        found.fold()
        yield found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.sampled_from(PLACES),
    asked=st.lists(st.tuples(st.sampled_from([*NAMES, "match[spec_version]", "x"]), VALUES)),
)
async def test_any_parameter_ends_in_an_answer_or_a_taxii_error(
    shelved: Shelved, place: str, asked: list[tuple[str, str]]
) -> None:
    query = "&".join(
        f"{quote(name)}={quote(value.encode('utf-8', 'replace'))}" for name, value in asked
    )
    async with client(shelved) as http:
        answer = await http.get(f"{place}?{query}")
    assert answer.status_code in (200, 400, 404, 410)
    assert answer.headers["content-type"] == MEDIA
    if answer.status_code != 200:
        assert answer.json()["http_status"] == str(answer.status_code)
        assert answer.json()["title"]


async def test_a_fault_of_ours_is_a_taxii_error_that_tells_nothing(
    shelved: Shelved, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("a secret of the inside")

    monkeypatch.setattr(shelved.shelves, "bodies", broken)
    async with client(shelved) as http:
        answer = await http.get(OBJECTS)
    assert (answer.status_code, answer.headers["content-type"]) == (500, MEDIA)
    assert answer.json()["http_status"] == "500"
    assert "secret" not in answer.text


async def test_a_cursor_of_another_history_is_refused(shelved: Shelved, tmp_path: Path) -> None:
    async with client(shelved) as http:
        onward = (await http.get(OBJECTS, params={"limit": "1"})).json()["next"]
    with Shelved(tmp_path / "other") as other:
        async with client(other) as http:
            answer = await http.get(OBJECTS, params={"next": onward})
    assert answer.status_code in (400, 410)
    assert answer.json()["http_status"] == str(answer.status_code)
