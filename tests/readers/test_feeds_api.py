"""Feeds over HTTP: conditions, headers, rights."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from litestar import Litestar, Request
from litestar.enums import ScopeType
from litestar.response import Response
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.core import feed_delta, moment
from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import BayanihanError, as_json
from bayanihan.readers import feeds_api
from bayanihan.readers.feeds import FORMATS
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


# --- deltas, codings, folders ----------------------------------------------------------------


@pytest.mark.parametrize("feed", sorted(FORMATS))
def test_a_delta_comes_to_the_same_bytes(
    record: Record, client: TestClient[Litestar], feed: str
) -> None:
    values = "[url:value = 'http://evil-{0}.com/x'] OR [ipv4-addr:value = '45.83.64.{0}'] OR "
    values += "[domain-name:value = 'evil-{0}.com'] OR [file:hashes.MD5 = '{1}{0}'] OR "
    values += "[file:hashes.TLSH = 'T1{2}{0}'] OR [email-addr:value = 'a@evil-{0}.com']"
    first = record.push(values.format(1, "d" * 31, "A" * 69))
    before = client.get(f"/feeds/{feed}")
    record.now_us += 1_000_000  # MISP's events tell times by the second
    record.push(values.format(2, "d" * 31, "A" * 69))
    record.withdraw(first)
    answer = client.get(f"/feeds/{feed}", params={"since": before.headers["bayanihan-cursor"]})
    assert answer.headers["content-type"].startswith(feed_delta.MEDIA_TYPE)
    assert answer.headers["bayanihan-delta"] == "since"
    delta = msgspec.json.decode(answer.content, type=feed_delta.Delta)
    whole = client.get(f"/feeds/{feed}")
    assert feed_delta.apply(before.content, delta) == whole.content
    assert f'"{delta.etag}"' == whole.headers["etag"]
    assert delta.digest == answer.headers["bayanihan-digest"]
    if FORMATS[feed].types & {"domain", "url", "ipv4", "md5", "tlsh"}:
        assert delta.added
        assert delta.removed


def test_versions_that_time_made_under_one_cursor_all_come_to_the_same(
    record: Record, client: TestClient[Litestar]
) -> None:
    step_us = 10_000_000
    for number in (1, 2):
        record.push(
            named(f"n{number}-evil.com"),
            valid_from=moment.render(START_US + number * step_us),
            valid_until=moment.render(START_US + (number + 2) * step_us),
        )
    bodies = []
    for steps in range(4):
        record.now_us = START_US + steps * step_us + 5
        answer = client.get("/feeds/domains.txt")
        bodies.append(answer.content)
        cursor = answer.headers["bayanihan-cursor"]
    assert len(set(bodies)) == 4
    record.push(named("n3-evil.com"))
    answer = client.get("/feeds/domains.txt", params={"since": cursor})
    delta = msgspec.json.decode(answer.content, type=feed_delta.Delta)
    whole = client.get("/feeds/domains.txt").content
    assert [feed_delta.apply(body, delta) for body in bodies] == [whole] * 4


def test_an_unknown_cursor_gets_the_whole_and_is_told_so(
    record: Record, client: TestClient[Litestar]
) -> None:
    record.push(named("one-evil.com"))
    for since in ("nonsense", record.ledger.cursors.seal(0), "x" * 10_000):
        answer = client.get("/feeds/domains.txt", params={"since": since})
        assert answer.headers["bayanihan-delta"] == "whole"
        assert b"one-evil.com" in answer.content


def test_a_delta_shows_only_what_its_viewer_may_see(
    record: Record, client: TestClient[Litestar]
) -> None:
    record.push(named("one-evil.com"))
    record.push(named("known-evil.com"), audience=AMBER)
    sg = client.get("/feeds/domains.txt", headers={"X-Viewer": "sg"}).headers["bayanihan-cursor"]
    public = client.get("/feeds/domains.txt").headers["bayanihan-cursor"]
    hidden = record.push(named("hidden-evil.com"), audience=AMBER)
    client.get("/feeds/domains.txt", headers={"X-Viewer": "sg"})
    record.withdraw(hidden, audience=AMBER)
    record.push(named("two-evil.com"))
    mine = client.get("/feeds/domains.txt", params={"since": sg}, headers={"X-Viewer": "sg"})
    assert msgspec.json.decode(mine.content)["removed"] == ["hidden-evil.com"]
    theirs = client.get("/feeds/domains.txt", params={"since": public})
    assert b"hidden" not in theirs.content
    assert msgspec.json.decode(theirs.content)["added"] == ["two-evil.com"]


def test_a_body_is_packed_as_the_asker_likes(record: Record, client: TestClient[Litestar]) -> None:
    record.push(named(*[f"n{number}-evil.com" for number in range(200)]))
    plain = client.get("/feeds/domains.txt", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for coding in ("zstd", "gzip"):
        headers = {"Accept-Encoding": coding}
        with client.stream("GET", "/feeds/domains.txt", headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == coding
        assert answer.headers["content-length"] == str(len(raw))
        assert len(raw) < len(plain.content) / 2
        unpacked = gzip.decompress(raw) if coding == "gzip" else unzstd(raw)
        assert unpacked == plain.content
        assert answer.headers["bayanihan-digest"] == plain.headers["bayanihan-digest"]
        assert "Accept-Encoding" in answer.headers["vary"]


def unzstd(raw: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(raw)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0", "gzip"),
        ("gzip;q=x", ""),
        ("br", ""),
        ("*", ""),
    ],
)
def test_the_coding_is_one_that_the_asker_named(accepted: str, coding: str) -> None:
    assert feeds_api.coding_of(accepted, 5_000) == coding
    assert feeds_api.coding_of(accepted, 10) == ""


def test_a_feed_that_is_a_folder_serves_its_files(
    record: Record, client: TestClient[Litestar]
) -> None:
    record.push(named("one-evil.com"))
    record.push(named("play.example"), exercise=True)
    for start, value in (("", "one-evil.com"), ("exercise-", "play.example")):
        manifest = client.get(f"/feeds/{start}misp/manifest.json").json()
        (event,) = [name for name, each in manifest.items() if "feed" not in each["info"]]
        page = client.get(f"/feeds/{start}misp/{event}.json").json()
        assert page["Event"]["Attribute"][0]["value"] == value
        assert client.get(f"/feeds/{start}misp/hashes.csv").text.endswith(f",{event}\n")
        assert client.get(f"/feeds/{start}misp/nothing.json").status_code == 404
    assert client.get("/feeds/misp").status_code == 404
    assert client.get(f"/feeds/domains.txt/{event}.json").status_code == 404
