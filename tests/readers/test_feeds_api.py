"""Feeds over HTTP: conditions, headers, rights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request
from litestar.enums import ScopeType
from litestar.response import Response
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import BayanihanError, as_json
from bayanihan.readers import feeds_api
from tests.readers.record import AMBER, GREEN, SG, START_US, TH_BANK, Record, named

VIEWERS = {
    "": PUBLIC,
    "sg": SG,
    "bank": TH_BANK,
    "reporter": Viewer(key="k9", person="p", member="SG", scopes=frozenset({"report"})),
}


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
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


@pytest.fixture
def client(record: Record) -> Iterator[TestClient[Litestar]]:
    handlers = feeds_api.routes(record.press, record.ledger.rights, lambda: record.now_us)
    app = Litestar(handlers, middleware=[signing_in], exception_handlers={BayanihanError: refused})
    with TestClient(app) as found:
        yield found


def test_a_feed_comes_with_all_that_a_receipt_needs(
    record: Record, client: TestClient[Litestar]
) -> None:
    record.push(named("one-evil.com"))
    answer = client.get("/feeds/rpz.zone")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/dns")
    assert answer.headers["cache-control"] == "private"
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["bayanihan-digest"] == f"sha-256={digest}"
    assert answer.headers["bayanihan-tlp"] == "CLEAR"
    assert record.ledger.cursors.open(answer.headers["bayanihan-cursor"]) == 1
    changed = parsedate_to_datetime(answer.headers["last-modified"])
    assert int(changed.timestamp()) == START_US // 1_000_000


def test_a_known_tag_gives_304_until_something_visible_changes(
    record: Record, client: TestClient[Litestar]
) -> None:
    record.push(named("one-evil.com"))
    tag = client.get("/feeds/domains.txt").headers["etag"]
    for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = client.get("/feeds/domains.txt", headers={"If-None-Match": condition})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert "bayanihan-cursor" in answer.headers
    record.push(named("two-evil.com"), audience=GREEN)
    same = client.get("/feeds/domains.txt", headers={"If-None-Match": tag})
    assert same.status_code == 304
    record.push(named("three-evil.com"))
    fresh = client.get("/feeds/domains.txt", headers={"If-None-Match": tag})
    assert fresh.status_code == 200
    assert b"three-evil.com" in fresh.content


def test_head_is_get_without_the_body(record: Record, client: TestClient[Litestar]) -> None:
    record.push(named("one-evil.com"))
    whole, head = client.get("/feeds/rpz.zone"), client.head("/feeds/rpz.zone")
    assert head.content == b""
    for name in ("etag", "bayanihan-digest", "bayanihan-cursor", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_each_viewer_gets_their_own(record: Record, client: TestClient[Litestar]) -> None:
    record.push(named("one-evil.com"))
    record.push(named("two-evil.com"), audience=AMBER)
    assert b"two-evil" not in client.get("/feeds/domains.txt").content
    for who in ("sg", "bank"):
        answer = client.get("/feeds/domains.txt", headers={"X-Viewer": who})
        assert b"two-evil.com" in answer.content
        assert answer.headers["bayanihan-tlp"] == "AMBER"


def test_a_key_needs_the_scope(client: TestClient[Litestar]) -> None:
    for path in ("/feeds/domains.txt", "/api/feeds"):
        answer = client.get(path, headers={"X-Viewer": "reporter"})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "not-permitted"


@pytest.mark.parametrize("name", ["nothing", "exercise-", "rpz.zone.bak", "%2e%2e", "RPZ.zone"])
def test_unknown_names_are_not_found(client: TestClient[Litestar], name: str) -> None:
    assert client.get(f"/feeds/{name}").status_code == 404


def test_the_listing_is_the_viewers_own(record: Record, client: TestClient[Litestar]) -> None:
    record.push(named("one-evil.com", "gov.sg"))
    record.push(named("two-evil.com"), audience=AMBER)
    for who, items in (("", 1), ("sg", 2)):
        rows = client.get("/api/feeds", headers={"X-Viewer": who}).json()
        (row,) = [each for each in rows if each["feed"] == "rpz.zone"]
        assert (row["items"], row["held_total"], row["verified"]) == (items, 1, False)
        assert row["held"][0]["value"] == "gov.sg"
        size = len(client.get("/feeds/rpz.zone", headers={"X-Viewer": who}).content)
        assert row["size_bytes"] == size
