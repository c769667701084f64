"""Sessions: begun with a key, ended in four ways, and of no use anywhere but on pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger
from bayanihan.web.session import (
    COOKIE,
    LIFETIME_S,
    Sessions,
    check_origin,
    cookie_of,
    token_in,
)
from tests.web.site import Site, indicator

SG = Viewer(key="sg1", person="p", member="SG", scopes=frozenset({"read"}))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as found:
        yield found


def whoever(client: httpx.Client) -> str:
    text = client.get("/", headers={"Accept": "text/html"}).text
    return "public" if "You see what is public" in text else "signed in"


def test_the_cookie_is_for_this_site_and_no_script(site: Site) -> None:
    with site.client() as client:
        answer = client.post(
            "/sign-in", data={"key": f" {site.admin}\n"}, headers={"Origin": site.url}
        )
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LIFETIME_S}"} <= set(
            cookie.split("; ")
        )
        assert "Secure" not in cookie
        assert whoever(client) == "signed in"
    assert "; Secure" in cookie_of("t", secure=True)


def test_what_is_stored_opens_nothing(site: Site) -> None:
    with site.signed_in(site.admin) as client:
        token = client.cookies[COOKIE]
    stored = site.hub.ledger.state.list("session")
    assert len(stored) == 1
    assert token not in stored[0].key + stored[0].value.decode()
    with site.client() as client:
        client.cookies.set(COOKIE, stored[0].key)
        assert whoever(client) == "public"


def test_signing_out_ends_it_for_every_copy_of_the_cookie(site: Site) -> None:
    with site.signed_in(site.admin) as client, site.client() as copy:
        copy.cookies.set(COOKIE, client.cookies[COOKIE])
        answer = client.post("/sign-out", headers={"Origin": site.url})
        assert answer.status_code == 303
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert whoever(copy) == "public"


def test_it_ends_with_its_key(site: Site) -> None:
    key = site.key("SG")
    site.push(key, indicator("one-evil.com"), tlp="amber")
    with site.signed_in(key) as client:
        assert "one-evil.com" in client.get("/").text
        site.send("DELETE", f"/api/keys/{key.split('_')[1]}")
        assert whoever(client) == "public"
        assert "one-evil.com" not in client.get("/").text


def test_signing_in_again_ends_the_session_before(site: Site) -> None:
    with site.signed_in(site.key("SG")) as client, site.client() as copy:
        copy.cookies.set(COOKIE, client.cookies[COOKIE])
        client.post("/sign-in", data={"key": site.key("TH")}, headers={"Origin": site.url})
        assert whoever(copy) == "public"
        assert "<strong>TH" in client.get("/").text


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_form_of_another_site_does_nothing(
    site: Site, path: str, headers: dict[str, str]
) -> None:
    with site.signed_in(site.admin) as client:
        answer = client.post(path, data={"key": site.admin}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert whoever(client) == "signed in"


def test_a_wrong_key_is_told_and_begins_nothing(site: Site) -> None:
    with site.client() as client:
        for key in ("", "nonsense", "byn_aaaaaaaaaa_wrong", "byn_" + "x" * 300):
            answer = client.post("/sign-in", data={"key": key}, headers={"Origin": site.url})
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
            assert 'role="alert"' in answer.text
        data = {"key": "x" * 10_000}
        assert client.post("/sign-in", data=data, headers={"Origin": site.url}).status_code == 413


def test_it_opens_pages_and_no_other_door(site: Site) -> None:
    site.push(site.key("SG"), indicator("one-evil.com"), tlp="green")
    with site.signed_in(site.admin) as client:
        assert client.get("/api/keys").status_code == 401
        assert "one-evil.com" not in client.get("/api/objects").text
        assert "one-evil.com" not in client.get("/feeds/domains.txt").text


@pytest.mark.parametrize("scope", ["regulate", "report"])
def test_without_read_pages_of_reports_show_what_the_public_sees(site: Site, scope: str) -> None:
    secret = site.push(site.key("SG"), indicator("hidden-evil.com"), tlp="amber")
    with site.signed_in(site.key("SG", scopes=scope)) as office:
        assert "Signed in" in office.get("/law").text
        for path in ("/", "/fragments/latest", "/feeds"):
            answer = office.get(path)
            assert (answer.status_code, "hidden-evil" in answer.text) == (200, False), path
        for path in (f"/entries/{secret}", f"/fragments/entries/{secret}"):
            assert office.get(path).status_code == 404


async def test_it_ends_after_twelve_hours_and_is_swept_away(tmp_path: Path) -> None:
    now_us = [1_000_000_000_000_000]
    ledger = Ledger(tmp_path, now_us=lambda: now_us[0])
    try:
        counter = iter(range(1_000))
        sessions = Sessions(
            ledger, lambda _: SG, lambda _: SG, lambda size: next(counter).to_bytes(size, "big")
        )
        token = await sessions.open("key")
        now_us[0] += LIFETIME_S * 1_000_000 - 1
        assert sessions.viewer(token) == SG
        now_us[0] += 1
        assert sessions.viewer(token) == PUBLIC
        for _ in range(40):
            await sessions.open("key")
        alive = {document.key for document in ledger.state.list("session", limit=100)}
        assert len(alive) == 40
    finally:
        ledger.close()


@pytest.mark.parametrize("cookies", ["", "byn_session", "a=b; c", "byn_session=; x=y", "\x00;="])
def test_odd_cookies_are_nobody(cookies: str) -> None:
    assert token_in(cookies) == ""


def test_an_origin_is_compared_with_its_port() -> None:
    check_origin("https://hub.example:8443", "hub.example:8443")
    check_origin("http://HUB.example", "hub.example")
    for origin in ("http://hub.example:1", "http://hub.example.evil", "hub.example", "", None):
        with pytest.raises(Refused) as caught:
            check_origin(origin, "hub.example")
        assert caught.value.code == "not-permitted"
