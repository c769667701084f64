"""Receipts and the board over HTTP: rights, shapes, errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request
from litestar.enums import ScopeType
from litestar.response import Response
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.core import moment, signing
from bayanihan.core.marking import PUBLIC, Audience, Viewer
from bayanihan.core.receipt import Receipt, sign
from bayanihan.errors import BayanihanError, as_json
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.protection import Expressed
from bayanihan.readers.receipts_api import RECEIPT_LIMIT_BYTES, Protection, routes

MEMBERS = ("BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "TL", "VN")
BOTH = frozenset({"receipt", "read"})
VIEWERS = {
    "": PUBLIC,
    "sg": Viewer(key="k1", person="p1", member="SG", scopes=BOTH),
    "bank": Viewer(key="k2", person="p2", member="SG", constituent="bank", scopes=BOTH),
    "reporter": Viewer(key="k3", person="p3", member="SG", scopes=frozenset({"report"})),
}
KEY = signing.SigningKey(bytes(32))


def refused(_: Request[Any, Any, Any], error: BayanihanError) -> Response[bytes]:
    return Response(as_json(error), status_code=error.status, media_type="application/json")


def signing_in(app: ASGIApp) -> ASGIApp:
    """Who asks, by a header that only this test knows."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            who = dict(scope["headers"]).get(b"x-viewer", b"").decode()
            scope["viewer"] = VIEWERS[who]  # type: ignore[typeddict-unknown-key]
        await app(scope, receive, send)

    return middleware


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    audience = Audience("clear")
    opened.append([Draft("object", audience, "p", "SG", "indicator--1", b'{"id":"indicator--1"}')])
    yield opened
    opened.close()


@pytest.fixture
def client(ledger: Ledger) -> Iterator[TestClient[Litestar]]:
    trusted: dict[str, bytes] = {}

    async def show(viewer: Viewer, public: bytes) -> str:
        return "trusted" if trusted.setdefault(viewer.key, public) == public else "pending"

    protection = Protection(
        ledger,
        members=lambda: MEMBERS,
        feeds={"rpz.zone"},
        agent_key=lambda key: (trusted.get(key), ()),
        show_agent_key=show,
        expressed=lambda _viewer, _id: [Expressed("rpz.zone", ("bad.example",))],
        sees=lambda _key, _audience: True,
    )
    app = Litestar(
        routes(protection), middleware=[signing_in], exception_handlers={BayanihanError: refused}
    )
    with TestClient(app) as found:
        yield found


def document(ledger: Ledger, **more: Any) -> dict[str, Any]:
    receipt = Receipt(
        feed="rpz.zone",
        cursor=ledger.cursors.seal(1),
        digest="0" * 64,
        state="probed",
        at=moment.render(ledger.now_us()),
        **more,
    )
    return sign(receipt, KEY)


def by(who: str) -> dict[str, str]:
    return {"x-viewer": who}


def test_a_receipt_shows_on_the_board(client: TestClient[Litestar], ledger: Ledger) -> None:
    sent = document(ledger)
    answer = client.post("/api/receipts", json=sent, headers=by("sg"))
    assert (answer.status_code, answer.json()["state"]) == (200, "probed")
    (own,) = client.get("/api/receipts", headers=by("sg")).json()
    assert own["document"] == sent
    board = client.get("/api/protection/indicator--1", headers=by("sg")).json()
    assert len(board["members"]) == 11
    assert {row["member"]: row["state"] for row in board["members"]}["SG"] == "protected"
    assert set(board["members"][0]) == {"member", "state", "since", "seconds"}


def test_others_see_their_own_member_and_counts(
    client: TestClient[Litestar], ledger: Ledger
) -> None:
    client.post("/api/receipts", json=document(ledger), headers=by("sg"))
    board = client.get("/api/protection/indicator--1", headers=by("bank")).json()
    assert [row["member"] for row in board["members"]] == ["SG"]
    public = client.get("/api/protection/indicator--1").json()
    assert (public["members"], public["counts"]) == ([], {"protected": 1, "not-yet": 10})
    assert client.get("/api/receipts", headers=by("bank")).json() == []


@pytest.mark.parametrize(("who", "status"), [("", 401), ("reporter", 403)])
def test_receipts_need_their_scope(
    client: TestClient[Litestar], ledger: Ledger, who: str, status: int
) -> None:
    for answer in (
        client.post("/api/receipts", json=document(ledger), headers=by(who)),
        client.get("/api/receipts", headers=by(who)),
    ):
        assert answer.status_code == status


def test_the_board_needs_a_scope_of_a_key(client: TestClient[Litestar]) -> None:
    answer = client.get("/api/protection/indicator--1", headers=by("reporter"))
    assert (answer.status_code, answer.json()["error"]["where"]) == (403, "read")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not-json"),
        (b"{", 400, "not-json"),
        (b"[]", 400, "bad-value"),
        (b'{"receipt":{},"receipt":{}}', 400, "duplicate-key"),
        (b"{}", 400, "missing-property"),
        (b"[" * 10_000, 400, "too-deep"),
    ],
)
def test_what_is_no_receipt_is_named(
    client: TestClient[Litestar], body: bytes, status: int, code: str
) -> None:
    answer = client.post("/api/receipts", content=body, headers=by("sg"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_large_body_is_refused(client: TestClient[Litestar]) -> None:
    answer = client.post(
        "/api/receipts", content=b" " * (RECEIPT_LIMIT_BYTES + 1), headers=by("sg")
    )
    assert answer.status_code == 413


def test_an_unknown_object_is_not_found(client: TestClient[Litestar]) -> None:
    assert client.get("/api/protection/indicator--2", headers=by("sg")).status_code == 404
