"""What-if questions and the rulebook's shelf over HTTP, and what leaves as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.testing import TestClient

from bayanihan.core.marking import PUBLIC
from bayanihan.errors import BayanihanError
from bayanihan.web.errors import on_http, on_ours
from bayanihan.web.law import Desk, record_handlers, register, shelf_handlers
from tests.web.law.conftest import CLERK, JUDGE
from tests.web.law.test_register import TODAY, body

CLAUSE = "model/incident/first"
PEOPLE = {"byn_judge_x": JUDGE, "byn_clerk_x": CLERK}
AS_JUDGE = {"authorization": "Bearer byn_judge_x"}
AS_CLERK = {"authorization": "Bearer byn_clerk_x"}


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient[Any]]:
    app = Litestar(
        [*record_handlers(desk, lambda: TODAY), *shelf_handlers(desk, lambda: TODAY)],
        exception_handlers={BayanihanError: on_ours, HTTPException: on_http},
        openapi_config=None,
        logging_config=None,
    )

    async def signed_in(scope: Any, receive: Any, send: Any) -> None:
        """Who asks, as the hub's entrance puts it beside a request."""
        said = dict(scope.get("headers", ())).get(b"authorization", b"").decode()
        viewer = PEOPLE.get(said.removeprefix("Bearer "), PUBLIC)
        beside: Any = {**scope, "viewer": viewer}
        await app(beside, receive, send)

    with TestClient(signed_in) as client:
        yield client


def test_what_if_over_what_is_registered(client: TestClient[Any], desk: Desk) -> None:
    concerned = {"roles": ["provider", "deployer"], "markets": ["KH", "SG"], "annex_iii": ["5b"],
                 "critical_infrastructure": True}  # fmt: skip
    register.enter(desk, CLERK, body(system="bank", facts=concerned, voluntary=True), TODAY)
    free = {"roles": ["provider"], "markets": ["EU"], "annex_iii": ["5b"]}
    register.enter(desk, CLERK, body(system="abroad", facts=free), TODAY)
    gone = register.enter(desk, CLERK, body(system="gone", facts=concerned, voluntary=True), TODAY)
    register.withdraw(desk, CLERK, gone["id"], "ended")
    asked = {"clause": CLAUSE, "entry": "2028-01-01", "assisted": "2028-01-01",
             "systems": "registered"}  # fmt: skip
    told = client.post("/api/law/adopt", json=asked, headers=AS_JUDGE).json()
    assert set(told["systems"]) == {"bank", "abroad"}
    assert told["watermark"] == "proposal, no standing"
    assert "KH" in told["must_change"]
    assert {one["system"] for one in told["gains"]} == {"bank"}
    assert told["stays_free"] == ["abroad"]
    for headers, status in ((AS_CLERK, 403), ({}, 401)):
        assert client.post("/api/law/adopt", json=asked, headers=headers).status_code == status
    given = {**asked, "systems": [{"system": "s", "facts": concerned}]}
    assert client.post("/api/law/adopt", json=given).json()["systems"] == ["s"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/api/law/practices?words=incident&member=MY", "practices"),
        ("/api/law/tracks?member=KH", "tracks"),
        ("/api/law/procedures", "procedures"),
        ("/api/law/matrix?baseline=model-asean", "cells"),
        ("/api/law/diff?before=eu-ai-act@2026-07-26&after=eu-ai-act@2026-07-27", "changes"),
        ("/api/law/register", "entries"),
    ],
)
def test_the_shelf_answers(client: TestClient[Any], desk: Desk, path: str, key: str) -> None:
    told = client.get(path).json()
    assert (told["rulebook"], told["notice"]) == (desk.book.digest, "This is not legal advice.")
    assert told[key] or key == "entries"


def test_templates_and_clocks_answer(client: TestClient[Any]) -> None:
    told = client.post(
        "/api/law/assess", json={"facts": {"sector": "finance"}, "template": "art27"}
    )
    answers = [q["answer"] for s in told.json()["sections"] for q in s["questions"]]
    assert "finance" in answers
    happened = {"facts": {"roles": ["deployer"]}, "kind": ["personal-data"], "member": ["SG"],
             "aware": "2026-11-22T09:30:00Z"}  # fmt: skip
    clocks = client.post("/api/law/clocks", json=happened).json()["clocks"]
    assert {one["member"] for one in clocks} == {"SG"}


@pytest.mark.parametrize("form", ["csv", "html", "ics"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/law/practices?",
        "/api/law/matrix?baseline=model-asean&",
        "/api/law/diff?before=model-asean&after=model-asean&",
    ],
)
def test_answers_are_exported(client: TestClient[Any], desk: Desk, path: str, form: str) -> None:
    answer = client.get(f"{path}format={form}")
    whole = answer.text.replace("\r\n ", "")
    assert answer.status_code == 200
    assert desk.book.digest in whole
    assert "not legal advice" in whole
    if "model-asean" in path:
        assert "proposal\\, no standing" in whole or "proposal, no standing" in whole


@pytest.mark.parametrize(
    ("path", "sent", "code"),
    [
        ("/api/law/adopt", {"clause": "model/none"}, "not-found"),
        ("/api/law/adopt", {"clause": CLAUSE, "systems": 5}, "bad-value"),
        ("/api/law/adopt", {"clause": CLAUSE, "entry": "soon"}, "bad-value"),
        ("/api/law/adopt", {"claus": CLAUSE}, "bad-value"),
        ("/api/law/assess", {"facts": {}, "template": "art99"}, "not-found"),
        ("/api/law/practices?format=pdf", None, "bad-parameter"),
        ("/api/law/matrix?baseline=nothing", None, "not-found"),
        ("/api/law/diff?before=eu-ai-act&after=asean-guide", None, "bad-parameter"),
    ],
)
def test_what_is_wrong_is_told(client: TestClient[Any], path: str, sent: Any, code: str) -> None:
    answer = client.get(path) if sent is None else client.post(path, json=sent)
    assert answer.json()["error"]["code"] == code
