"""The console's pages of the law's record, as different people see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.testing import TestClient

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import BayanihanError
from bayanihan.ledger import Ledger
from bayanihan.web.errors import on_http, on_ours
from bayanihan.web.law import Desk, law_pages, register
from bayanihan.web.session import Sessions
from tests.web.law.conftest import CLERK, JUDGE, READER, Clock
from tests.web.law.test_cases import begin, to_provisional
from tests.web.law.test_filings import incident
from tests.web.law.test_register import FIELDS, TODAY, body

HOSTILE = "<script>alert(1)</script>"
Look = Callable[[str, Viewer], str]


@pytest.fixture
def look(desk: Desk, ledger: Ledger) -> Iterator[Look]:
    def nobody(_: str) -> Viewer:
        return PUBLIC

    sessions = Sessions(ledger, nobody, nobody, bytes)
    app = Litestar(
        law_pages(desk, sessions),
        exception_handlers={BayanihanError: on_ours, HTTPException: on_http},
        openapi_config=None,
        logging_config=None,
    )
    asking = [PUBLIC]

    async def signed_in(scope: Any, receive: Any, send: Any) -> None:
        beside: Any = {**scope, "viewer": asking[0]}
        await app(beside, receive, send)

    with TestClient(signed_in) as client:

        def page(path: str, viewer: Viewer) -> str:
            asking[0] = viewer
            return client.get(path).text

        yield page


def test_each_page_says_that_it_is_no_legal_advice(desk: Desk, look: Look, clock: Clock) -> None:
    entry = register.enter(desk, CLERK, body(register={**FIELDS, "trade_name": HOSTILE}), TODAY)
    incident(desk, "SG")
    case = begin(desk, tlp="clear", subject=HOSTILE)
    to_provisional(desk, clock, case)
    for path in ("/law", f"/law/register/{entry['id']}", f"/law/cases/{case}"):
        for viewer in (PUBLIC, READER, CLERK, JUDGE):
            page = look(path, viewer)
            assert "This is not legal advice." in page
            assert desk.book.digest in page
            assert "<script" not in page
    assert "take-provisional-measure" in look(f"/law/cases/{case}", PUBLIC)


def test_the_pages_show_no_more_than_the_addresses(desk: Desk, look: Look) -> None:
    entry = register.enter(desk, CLERK, body(facts={"annex_iii": ["6a"]}), TODAY)
    incident(desk, "SG")
    hidden = begin(desk)
    assert "Loan assistant" not in look("/law", PUBLIC)
    assert "Loan assistant" in look("/law", JUDGE)
    assert "annex iii" not in look(f"/law/register/{entry['id']}", READER)
    assert "annex iii" in look(f"/law/register/{entry['id']}", JUDGE)
    assert "Commissioner of Cybersecurity" in look("/law", CLERK)
    assert "Commissioner of Cybersecurity" not in look("/law", JUDGE)  # a draft is nobody's word
    assert hidden not in look("/law", CLERK)
    assert "no such record" in look(f"/law/cases/{hidden}", PUBLIC)
