"""The console in a real browser: it keeps itself fresh, needs no script, and asks nobody else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.site import Site, indicator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = """--no-sandbox --disable-gpu --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync""".split()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true",
        reason="no Chromium on this machine (Debian: chromium)",
    ),
]

FAULTS = Path(__file__).with_name("faults.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "CI has a Chromium"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as found:
        yield found


class Watched:
    """A page of which every request and every complaint is kept."""

    def __init__(self, browser: Browser, site: Site, **options: Any) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.site = site
        self.context = browser.new_context(base_url=site.url, **options)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert self.complaints == []
            assert self.hosts == {urlsplit(self.site.url).netloc}


def sign_in(page: Page, key: str) -> None:
    page.goto("/")
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_tiles_update_by_themselves_after_a_receipt(browser: Browser, site: Site) -> None:
    sg, vn = site.key("SG"), site.key("VN")
    site.push(sg, indicator("one-evil.com"), tlp="amber")
    with Watched(browser, site) as page:
        page.goto("/")
        expect(page.get_by_text("one-evil.com")).to_have_count(0)
        sign_in(page, sg)
        tiles = page.get_by_role("list", name="Protection, member by member")
        expect(tiles.get_by_role("listitem")).to_have_count(11)
        expect(tiles.locator(".is-protected")).to_have_count(0)
        site.answer_for(vn, "rpz.zone")
        expect(tiles.locator(".is-protected")).to_have_count(1, timeout=15_000)
        expect(tiles.locator(".is-protected .code")).to_have_text("VN")
        site.push(sg, indicator("two-evil.com"), tlp="clear")
        expect(page.get_by_role("article")).to_have_count(2, timeout=15_000)
        expect(page.get_by_role("status")).to_have_text("Updating by itself.")


def test_the_band_comes_with_the_first_entry_of_an_exercise(browser: Browser, site: Site) -> None:
    sg = site.key("SG")
    with Watched(browser, site) as page:
        page.goto("/")
        band = page.get_by_role("note")
        expect(band).to_have_count(0)
        site.push(sg, indicator("lure.exercise.example"), tlp="clear", exercise=True)
        expect(band).to_contain_text("EXERCISE", timeout=15_000)
        expect(band).to_contain_text("simulated")


def test_everything_works_without_a_script(browser: Browser, site: Site) -> None:
    sg = site.key("SG")
    site.push(sg, indicator("one-evil.com"), tlp="amber")
    site.answer_for(sg, "rpz.zone")
    with Watched(browser, site, java_script_enabled=False) as page:
        page.goto("/")
        assert (
            page.locator("noscript meta").count() == 1 or page.locator("meta[http-equiv]").count()
        )
        sign_in(page, sg)
        expect(page.locator(".tiles .is-protected")).to_have_count(1)
        page.get_by_role("link", name="names one-evil.com").click()
        expect(page.get_by_role("heading", name="Who is protected")).to_be_visible()
        page.get_by_role("link", name="Feeds", exact=True).click()
        expect(page.get_by_role("rowheader", name="rpz.zone", exact=True)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_keyboard_is_enough(browser: Browser, site: Site) -> None:
    sg = site.key("SG")
    site.push(sg, indicator("one-evil.com"), tlp="clear")
    with Watched(browser, site) as page:
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Your key")).to_be_focused()
        page.keyboard.type(sg)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        link = page.get_by_role("link", name="names one-evil.com")
        link.focus()
        site.push(sg, indicator("two-evil.com"), tlp="clear")
        expect(page.get_by_role("article")).to_have_count(2, timeout=15_000)
        expect(link).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("names one-evil.com")


def test_what_was_opened_stays_open(browser: Browser, site: Site) -> None:
    sg = site.key("SG")
    ref = site.push(sg, indicator("one-evil.com"), tlp="clear")
    with Watched(browser, site) as page:
        sign_in(page, sg)
        page.goto(f"/entries/{ref}")
        page.get_by_text("Show the object").click()
        expect(page.get_by_text('"pattern_type": "stix"')).to_be_visible()
        site.answer_for(sg, "rpz.zone")
        expect(page.locator(".members .is-protected")).to_have_count(1, timeout=15_000)
        expect(page.get_by_text('"pattern_type": "stix"')).to_be_visible()


def test_a_lure_is_published_in_three_clicks(browser: Browser, site: Site) -> None:
    """Report, Read it, Publish; without a script, and by keyboard as well."""
    lure = "Your bank account is suspended, verify at https://bad-bank.com/x1 within 24 hours"
    with Watched(browser, site, java_script_enabled=False) as page:
        sign_in(page, site.key("TH"))
        page.get_by_role("link", name="Report").click()
        expect(page.get_by_label("A text")).to_be_focused()
        page.get_by_label("A text").fill(lure)
        page.get_by_role("button", name="Read it").click()
        expect(page.get_by_role("checkbox", name="https://bad-bank.com/x1")).to_be_checked()
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_role("status")).to_contain_text("3 accepted")
    with Watched(browser, site) as page:
        sign_in(page, site.key("VN"))
        page.goto("/reports")
        # Filled in, not typed: a key pressed before the page has its keyboard is lost.
        hostile = "<b>" + lure + " \u202e " + "https://other.com/" + "y" * 400
        page.get_by_label("A text").fill(hostile)
        page.keyboard.press("Tab")
        for _ in range(4):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_label("Note").fill("seen twice")
        expect(page.get_by_role("region", name="Seen before").first).to_contain_text(
            "infrastructure"
        )
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(FAULTS) == []
        for one in page.locator("details > summary").all():
            one.click()
        assert page.evaluate(FAULTS) == []
        assert page.locator("main b, main script").count() == 0
        page.emulate_media(media="print")
        expect(page.get_by_role("button", name="Publish")).to_be_hidden()
        page.emulate_media(media="screen")
        page.get_by_role("button", name="Drop this draft").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Report what you have")
        assert page.evaluate(FAULTS) == []


def test_a_hidden_page_asks_for_nothing(browser: Browser, site: Site) -> None:
    with Watched(browser, site) as page:
        page.clock.install()
        page.goto("/")
        with page.expect_response("**/fragments/latest"):
            page.clock.run_for(2_000)
        expect(page.get_by_role("status")).to_have_text("Updating by itself.")
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.clock.run_for(60_000)
        assert asked == []
        with page.expect_request("**/fragments/latest"):
            page.evaluate(
                "Object.defineProperty(document, 'hidden', {value: false});"
                "document.dispatchEvent(new Event('visibilitychange'))"
            )


def test_hostile_text_does_nothing(browser: Browser, site: Site) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202e</bdi>" + "M" * 4_000
    ref = site.push(site.key("SG"), indicator("one-evil.com", name=name), tlp="clear")
    with Watched(browser, site, viewport={"width": 360, "height": 740}) as page:
        for path in ("/", f"/entries/{ref}"):
            page.goto(path)
            expect(page.get_by_role("status")).to_have_text("Updating by itself.")
            assert page.locator("main img, main script").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_can_be_read_by_everyone(
    browser: Browser, site: Site, width: int, scheme: str
) -> None:
    sg, la = site.key("SG"), site.key("LA")
    ref = site.push(sg, indicator("mạo-danh.com"), indicator("gov.sg"), tlp="amber")
    site.push(sg, indicator("lure.exercise.example"), tlp="clear", exercise=True)
    site.answer_for(sg, "rpz.zone")
    site.answer_for(la, "rpz.zone", "failed")
    site.answer_for(site.key("TH"), "domains.txt", "loaded")
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with Watched(browser, site, **options) as page:
        page.goto("/")
        assert page.evaluate(FAULTS) == []
        sign_in(page, sg)
        for path in ("/", f"/entries/{ref}", "/feeds", "/sign-in"):
            page.goto(path)
            for one in page.locator("details > summary").all():
                one.click()
            assert page.evaluate(FAULTS) == [], path


def test_the_rules_find_what_is_wrong(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 600})
    page = context.new_page()
    page.set_content(
        "<h1>One</h1><h3 id=a>Two</h3><p id=a style='color:#999;background:#fff'>faint</p>"
        "<a href='/'></a><img src=''><table><tr><th>x</table>"
        "<div aria-labelledby=none style='width:900px'>wide</div>"
    )
    found = " ".join(page.evaluate(FAULTS))
    context.close()
    for fault in (
        *("no lang", "no title", "no main", "unnamed <a", "no alt", "no caption", "without scope"),
        *("an id twice", "no none", "left out at Two", "contrast 2.8", "wider than the window"),
    ):
        assert fault in found
