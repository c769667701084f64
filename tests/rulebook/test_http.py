"""The rulebook over HTTP: the fixed shapes, and errors in the one shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.testing import TestClient

from bayanihan.errors import BayanihanError
from bayanihan.rulebook.law import Rulebook
from bayanihan.web.errors import on_http, on_ours
from bayanihan.web.law import law_handlers


@pytest.fixture
def client(book: Rulebook) -> Iterator[TestClient[Litestar]]:
    app = Litestar(
        law_handlers(lambda: book, lambda: "2026-11-22"),
        exception_handlers={BayanihanError: on_ours, HTTPException: on_http},
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app) as client:
        yield client


CHATBOT = {"roles": ["provider"], "markets": ["EU"], "interacts_with_people": True,
           "obviously_ai": False, "crime_work_by_law": False, "only_military": False,
           "only_research": False, "only_personal": False, "handed_over": False}  # fmt: skip


def test_classify(client: TestClient[Litestar], book: Rulebook) -> None:
    told = client.post("/api/law/classify", json={"facts": CHATBOT, "question": True}).json()
    assert told["rulebook"] == book.digest
    assert told["as_of"] == "2026-11-22"
    found = {one["finding"]: one for one in told["findings"]}
    assert found["eu/art50/1"]["state"] == "yes"
    assert {"finding", "article", "state", "because"} <= set(found["eu/art50/1"])
    assert told["question"]["ask"]


def test_two_clocks(client: TestClient[Litestar]) -> None:
    body = {"facts": {**CHATBOT, "annex_iii": ["4a"], "no_significant_risk": False},
            "as_of": "2026-08-02"}  # fmt: skip
    states = []
    for known in ("2026-07-26", "2026-07-27"):
        told = client.post("/api/law/classify", json={**body, "known": known}).json()
        states += [one["state"] for one in told["findings"] if one["finding"] == "eu/art6/2"]
    assert states == ["yes", "not-yet"]


def test_duties(client: TestClient[Litestar]) -> None:
    told = client.post("/api/law/duties", json={"facts": CHATBOT, "member": ["EU", "SG"]}).json()
    owed = {one["duty"] for one in told["duties"] if one["state"] == "owed"}
    assert "eu/art50/1/duty" in owed
    assert {one["member"] for one in told["duties"]} == {"EU", "SG"}
    assert "eu/art85" in {one["right"] for one in told["rights"] if one["state"] == "yes"}


@pytest.mark.parametrize(
    ("body", "code", "where"),
    [
        (b"{", "not-json", None),
        (b"[]", "bad-value", "$"),
        (b"{}", "bad-value", "$.facts"),
        (b'{"facts":{"chatbott":true}}', "bad-value", "$.facts.chatbott"),
        (b'{"facts":{"task":"nap"}}', "bad-value", "$.facts.task"),
        (b'{"facts":{},"fact":{}}', "bad-value", "$.fact"),
        (b'{"facts":{},"facts":{}}', "duplicate-key", None),
        (b'{"facts":{},"register":[1]}', "bad-value", "$.register"),
        (b'{"facts":{},"attestations":5}', "bad-value", "$.attestations"),
        (b'{"facts":{"roles":[["provider"]]}}', "bad-value", "$.facts.roles"),
        (b'{"facts":{"training_flop":1e999}}', "bad-number", None),
        (b'{"facts":{},"as_of":20261122}', "bad-value", "as-of"),
        (b'{"facts":{},"as_of":"tomorrow"}', "bad-value", "as-of"),
        (b'{"facts":{},"as_of":"1990-01-01"}', "bad-parameter", "as-of"),
        (b'{"facts":{"gpai_model":false,"roles":["gpai-provider"]}}', "conflict", "$.facts.roles"),
    ],
)
def test_what_is_wrong_is_told(
    client: TestClient[Litestar], body: bytes, code: str, where: str | None
) -> None:
    response = client.post("/api/law/classify", content=body)
    error: dict[str, Any] = response.json()["error"]
    assert 400 <= response.status_code < 500
    assert error["code"] == code
    assert where is None or error["where"] == where
