"""Media types, headers and resources as the specification writes them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.errors import Refused, Unavailable, as_taxii
from bayanihan.readers.taxii import answers

TAKEN = [
    "",
    "*/*",
    "application/*",
    "application/taxii+json",
    "application/taxii+json;version=2.1",
    "application/taxii+json; version=2.1",
    " application/taxii+json ; version = 2.1 ",
    'application/taxii+json;version="2.1"',
    "APPLICATION/TAXII+JSON;VERSION=2.1",
    "text/html, application/taxii+json;version=2.1;q=0.5",
    "application/taxii+json;version=2.0, application/taxii+json;version=2.1",
    "text/html,*/*;q=0.8",
]
NOT_TAKEN = [
    "application/json",
    "text/html",
    "application/taxii+json;version=2.0",
    "application/vnd.oasis.taxii+json; version=2.0",
    "application/stix+json;version=2.1",
    "application/taxii+json;version=2.1;q=0",
    "application/taxii+json;version=2.1;q=0.000",
    ",",
]


@pytest.mark.parametrize("accept", TAKEN)
def test_who_takes_taxii_is_answered(accept: str) -> None:
    answers.require_acceptable(accept)


@pytest.mark.parametrize("accept", NOT_TAKEN)
def test_who_does_not_is_told(accept: str) -> None:
    with pytest.raises(Refused) as found:
        answers.require_acceptable(accept)
    assert found.value.status == 406


@given(st.text(max_size=60))
def test_no_accept_breaks_anything(accept: str) -> None:
    with suppress(Refused):
        answers.require_acceptable(accept)


def test_a_body_says_what_it_is() -> None:
    assert answers.is_taxii("application/taxii+json;version=2.1")
    assert answers.is_taxii("application/taxii+json; version=2.1; charset=utf-8")
    assert answers.is_taxii("application/taxii+json")
    assert not answers.is_taxii("application/taxii+json;version=2.0")
    assert not answers.is_taxii("application/json")
    assert not answers.is_taxii("")
    assert answers.is_stix("application/stix+json")
    assert not answers.is_stix("application/stix+json;version=2.0")


def test_times_have_six_digits_always() -> None:
    assert answers.date_added(0) == "1970-01-01T00:00:00.000000Z"
    assert answers.date_added(1_793_000_000_123_000) == "2026-10-26T07:33:20.123000Z"


def test_an_envelope_says_no_more_than_there_is() -> None:
    assert answers.envelope("objects", [], "") == b"{}"
    assert json.loads(answers.envelope("objects", [], "n")) == {"more": True, "next": "n"}
    assert json.loads(answers.envelope("versions", [b'"v"'], "")) == {
        "more": False,
        "versions": ["v"],
    }
    assert answers.added_headers([]) == {}


def test_an_error_has_the_names_of_the_specification() -> None:
    error = Unavailable("overloaded", "Too much", where="objects", retry_after_s=3)
    assert json.loads(as_taxii(error)) == {
        "title": "Too much",
        "description": "Wait for the seconds named, then send it again.",
        "error_code": "overloaded",
        "http_status": "503",
        "details": {"where": "objects"},
    }
