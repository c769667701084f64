"""Requests read strictly: filters, limits, times, and the `next` that carries them."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.readers.taxii import query
from bayanihan.readers.taxii.query import Asked, Filters, Onward, asked_of, continued, fields_of
from bayanihan.readers.taxii.versions import Wanted

ALLOWED = query.PAGING | query.MATCHING
ID = "indicator--11111111-1111-4111-8111-111111111111"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def asked(**fields: str) -> Asked:
    named = {
        name.replace("match_", "match[") + "]" * ("match" in name): fields[name] for name in fields
    }
    return asked_of(fields_of(urlencode(named).encode(), ALLOWED))


def refused(raw: str) -> Refused:
    with pytest.raises(Refused) as found:
        asked_of(fields_of(raw.encode(), ALLOWED))
    return found.value


def test_nothing_asked_is_the_last_versions_of_everything() -> None:
    assert asked() == Asked()
    assert Asked().filters.wanted == Wanted()


def test_every_filter_is_read() -> None:
    found = asked(
        match_id=f"{ID}, {ID}",
        match_type="report,indicator",
        match_version="first,2026-01-01T00:00:00Z,all",
        match_spec_version="2.1",
    ).filters
    assert found.ids == (ID,)
    assert found.types == ("indicator", "report")
    assert found.wanted == Wanted(frozenset({"first", "all"}), frozenset({1_767_225_600_000_000}))
    assert not found.nothing


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ("match[foo]=1", "match[foo]"),
        ("limits=1", "limits"),
        ("Limit=1", "Limit"),
        ("match[type]", "match[type]"),
        ("match[type]=", "match[type]"),
        ("match[type]=indicator,", "match[type]"),
        ("match[type]=In%00dicator", "match[type]"),
        ("match[id]=indicator--1", "match[id]"),
        ("match[version]=latest", "match[version]"),
        ("match[version]=", "match[version]"),
        ("match[spec_version]=two", "match[spec_version]"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 40, "limit"),
        ("limit=1&limit=2", "limit"),
        ("added_after=yesterday", "added_after"),
        ("added_after=2026-01-01", "added_after"),
        ("added_after=2026-01-01T00:00:00", "added_after"),
        ("added_after=2026-02-30T00:00:00Z", "added_after"),
        ("added_after=2026-01-01T00:00:00%2B99:00", "added_after"),
        ("added_after=1767225600", "added_after"),
    ],
)
def test_what_is_wrong_is_refused_and_named(raw: str, where: str) -> None:
    found = refused(raw)
    assert (found.code, found.where) == ("bad-parameter", where)


@pytest.mark.parametrize("raw", ["limit=%ff", "\u00e9=1".encode().decode("latin-1"), "a=" * 40_000])
def test_what_is_no_query_is_refused(raw: str) -> None:
    assert refused(raw).code == "bad-parameter"


def test_too_many_values_are_refused() -> None:
    assert refused("match[type]=" + ",".join(["a"] * 101)).where == "match[type]"


def test_a_large_limit_is_cut_to_the_servers_own() -> None:
    assert asked(limit="999999999").limit == query.PAGE_LIMIT


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.0000019999999Z", 1),
        ("1970-01-01T08:00:00.5+08:00", 500_000),
        ("1970-01-01T08:00:00 08:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01 00:00:00Z", 0),
    ],
)
def test_times_are_read_as_they_are_written(text: str, us: int) -> None:
    assert query.timestamp_us(text) == us


@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(-1_439, 1_439),
)
def test_every_rfc_3339_time_is_read_exactly(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    us = (local - EPOCH) // timedelta(microseconds=1)
    assert query.timestamp_us(local.isoformat(timespec="microseconds")) == us


@given(st.text(max_size=60))
def test_no_text_breaks_a_parameter(text: str) -> None:
    for name in ALLOWED:
        raw = f"{quote(name)}={quote(text, errors='surrogatepass')}".encode()
        with suppress(Refused):
            asked_of(fields_of(raw, ALLOWED))


@given(st.binary(max_size=80))
def test_no_bytes_break_a_query(raw: bytes) -> None:
    with suppress(Refused):
        asked_of(fields_of(raw, ALLOWED))


FILTERS = Filters(types=("indicator",), words=("all",))
TOKEN = query.sealed("cursor", Onward("c1", FILTERS))


def test_a_next_carries_its_filters() -> None:
    assert continued(Asked(after=TOKEN), "c1") == ("cursor", FILTERS)
    assert continued(Asked(after=TOKEN, filters=FILTERS), "c1") == ("cursor", FILTERS)
    assert continued(Asked(filters=FILTERS), "c1") == ("", FILTERS)


def test_a_next_of_another_question_is_refused() -> None:
    with pytest.raises(Refused, match="filters of the request"):
        continued(Asked(after=TOKEN, filters=Filters(types=("report",))), "c1")
    with pytest.raises(Refused, match="another collection"):
        continued(Asked(after=TOKEN), "c2")


def test_a_next_is_safe_in_a_url() -> None:
    onward = Onward("c1", Filters(ids=(ID,), times_us=(1 << 62,)))
    assert quote(query.sealed("c", onward), safe="") == query.sealed("c", onward)


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_a_forged_next_is_refused(text: str) -> None:
    for token in (text, f"cursor.{text}", f"{TOKEN}{text}"[: len(TOKEN) + 3]):
        with suppress(Refused):
            assert query.sealed(*query.opened(token)) == token


@pytest.mark.parametrize(
    "onward", ["[]", "{}", "7", '["c1",[["x"],[],[],["now"],[]]]', '["c1",[]', '["c1"] ']
)
def test_a_next_that_says_something_else_is_refused(onward: str) -> None:
    text = base64.urlsafe_b64encode(onward.encode()).rstrip(b"=").decode()
    with pytest.raises(Refused):
        query.opened(f"cursor.{text}")
