"""The console over HTTP: who sees what, what is said of exercises, and what text may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.site import Site, eventually, indicator

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as found:
        yield found


@pytest.fixture
def public(site: Site) -> Iterator[httpx.Client]:
    with site.client() as found:
        yield found


def page(client: httpx.Client, path: str = "/") -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return answer.text


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_an_empty_hub_says_what_to_do(public: httpx.Client) -> None:
    text = page(public)
    assert "There is nothing here yet" in text
    assert 'action="/sign-in"' in text
    assert "EXERCISE" not in text


def test_the_public_sees_what_is_clear_and_how_many_are_protected(
    site: Site, public: httpx.Client
) -> None:
    sg = site.key("SG")
    site.push(sg, indicator("one-evil.com"), tlp="clear")
    site.push(sg, indicator("two-hidden.com"), tlp="green")
    site.answer_for(sg, "rpz.zone")
    text = page(public)
    assert "one-evil.com" in text
    assert "two-hidden.com" not in text
    assert "1 of 11 members protected" in words(text)
    assert 'class="tile' not in text.partition('class="legend"')[0]
    assert "median" not in text


def test_a_member_sees_its_groups_all_eleven_and_the_median(site: Site) -> None:
    sg, vn = site.key("SG"), site.key("VN")
    site.push(sg, indicator("one-evil.com"), tlp="amber+strict")
    site.answer_for(vn, "rpz.zone")
    with site.signed_in(vn) as client:
        text = page(client)
    codes = re.findall(r'class="code">(\w\w)<', text)
    assert codes == "BN ID KH LA MM MY PH SG TH TL VN".split()
    assert text.count('class="tile is-protected"') == 1 + text.count('<dt><span class="tile is-pro')
    assert "(n = 1)" in words(text)
    assert "TLP:AMBER+STRICT" in text


def test_a_constituent_sees_its_own_member_and_a_count(site: Site) -> None:
    bank = site.key("MY", "bank")
    site.push(site.key("SG"), indicator("one-evil.com"), tlp="amber")
    site.push(site.key("SG"), indicator("two-hidden.com"), tlp="amber+strict")
    site.answer_for(bank, "domains.txt")
    with site.signed_in(bank) as client:
        text = page(client)
    assert re.findall(r'class="code">(\w\w)<', text) == ["MY"]
    assert "1 of 11 members protected" in words(text)
    assert "two-hidden.com" not in text


def test_red_is_for_the_author_and_those_named(site: Site) -> None:
    sg, th = site.key("SG"), site.key("TH")
    site.push(sg, indicator("one-evil.com"), tlp="red")
    with site.signed_in(sg) as own, site.signed_in(th) as other, site.signed_in(site.admin) as hub:
        assert "one-evil.com" in page(own)
        assert "enters no feed" in page(own)
        assert "members protected" not in page(own)
        assert "one-evil.com" not in page(other)
        assert "one-evil.com" not in page(hub)


def test_an_entry_that_one_may_not_see_is_one_that_does_not_exist(
    site: Site, public: httpx.Client
) -> None:
    hidden = site.push(site.key("SG"), indicator("one-evil.com"), tlp="green")
    absent = hidden[:-4] + "0000"
    answers = [public.get(f"/entries/{each}", headers=BROWSER) for each in (hidden, absent)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(hidden, absent) == answers[1].text
    assert public.get(f"/fragments/entries/{hidden}").status_code == 404


def test_every_row_and_page_with_an_exercise_says_so(site: Site, public: httpx.Client) -> None:
    sg = site.key("SG")
    drill = site.push(sg, indicator("lure.exercise.example"), tlp="clear", exercise=True)
    real = site.push(sg, indicator("one-evil.com"), tlp="clear")
    text = page(public)
    rows = dict(
        zip((real, drill), re.findall(r"<article.*?</article>", text, re.DOTALL), strict=True)
    )
    assert "EXERCISE" in rows[drill]
    assert "EXERCISE" not in rows[real]
    assert 'class="drill"' in text
    assert 'class="drill"' in page(public, f"/entries/{drill}")
    assert "EXERCISE" not in page(public, f"/entries/{real}")
    feeds = page(public, "/feeds")
    assert feeds.index("rpz.zone") < feeds.index("Exercise feeds") < feeds.index("exercise-rpz")
    assert 'class="drill"' in feeds


def test_hostile_text_is_text(site: Site, public: httpx.Client) -> None:
    name = "<script>alert(1)</script>\u202e'\"&<img src=x onerror=y>" + "W" * 5_000
    hostile = indicator("one-evil.com", name=name, description=f"{name}\u0000\u2028</pre>")
    ref = site.push(site.key("SG"), hostile, tlp="clear")
    for path in ("/", f"/entries/{ref}", "/fragments/latest", f"/fragments/entries/{ref}"):
        text = page(public, path)
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text
        assert "\u202e" not in text
        assert "\u27e8U+202E\u27e9" in text
        assert "\u0000" not in text


def test_an_object_of_another_shape_is_shown_all_the_same(site: Site, public: httpx.Client) -> None:
    odd = {
        "type": "x-odd-thing",
        "spec_version": "2.1",
        "id": "x-odd-thing--6a3f0ce8-1a5b-4d52-8a63-1a0a2a4f9b11",
        "created": "2026-11-22T08:00:00.000Z",
        "modified": "2026-11-22T08:00:00.000Z",
        "name": ["not", {"a": "text"}],
    }
    seen = indicator("one-evil.com", name="what was seen")
    sighting = {
        "type": "sighting",
        "spec_version": "2.1",
        "id": "sighting--6a3f0ce8-1a5b-4d52-8a63-1a0a2a4f9b11",
        "created": "2026-11-22T08:00:00.000Z",
        "modified": "2026-11-22T08:00:00.000Z",
        "sighting_of_ref": seen["id"],
    }
    site.push(site.key("SG"), odd, seen, sighting, tlp="clear")
    text = page(public)
    assert "X odd thing" in text
    assert "Sighting of \u201cwhat was seen\u201d" in text
    assert page(public, f"/entries/{odd['id']}")


def test_a_sighting_does_not_name_what_its_reader_may_not_see(
    site: Site, public: httpx.Client
) -> None:
    sg, seen = site.key("SG"), indicator("one-evil.com", name="a hidden name")
    site.push(sg, seen, tlp="green")
    sighting = {
        "type": "sighting",
        "spec_version": "2.1",
        "id": "sighting--6a3f0ce8-1a5b-4d52-8a63-1a0a2a4f9b11",
        "created": "2026-11-22T08:00:00.000Z",
        "modified": "2026-11-22T08:00:00.000Z",
        "sighting_of_ref": seen["id"],
    }
    site.push(sg, sighting, tlp="clear")
    text = page(public)
    assert "a hidden name" not in text
    assert seen["id"] in text


def test_held_and_withdrawn_are_told_with_the_reason(site: Site, public: httpx.Client) -> None:
    sg = site.key("SG")
    held = site.push(sg, indicator("gov.sg"), tlp="clear")
    taken = site.push(sg, indicator("one-evil.com"), tlp="clear")
    site.send("DELETE", f"/api/objects/{taken}", sg, params={"reason": "wrong"})
    site.settle()
    text = words(page(public))
    assert "held:" in text
    assert "Withdrawn by its author" in text
    assert "held:" in words(page(public, f"/entries/{held}"))
    assert "members protected" not in text


def test_a_name_is_shown_as_engines_and_as_people_read_it(site: Site, public: httpx.Client) -> None:
    ref = site.push(site.key("VN"), indicator("xác-minh-giả.com"), tlp="clear")
    for path in ("/", f"/entries/{ref}"):
        text = page(public, path)
        assert "xác-minh-giả.com" in text
        assert "xn--" in text


def test_older_entries_are_a_page_further(site: Site, public: httpx.Client) -> None:
    sg = site.key("SG")
    site.push(sg, *[indicator(f"evil-{n}.com") for n in range(30)], tlp="clear")
    site.push(sg, *[indicator(f"hidden-{n}.com") for n in range(30)], tlp="green")
    text = page(public)
    assert text.count("<article") == 25
    (older,) = re.findall(r'href="(/\?before=[^"]+)"', text)
    rest = page(public, older)
    assert rest.count("<article") == 5
    assert "before=" not in rest.partition('<div class="list"')[2]
    assert "hidden-" not in text + rest
    assert public.get("/?before=nonsense", headers=BROWSER).status_code == 400


def test_the_list_comes_again_only_when_it_changed(site: Site, public: httpx.Client) -> None:
    sg = site.key("SG")
    site.push(sg, indicator("one-evil.com"), tlp="clear")
    first = public.get("/fragments/latest")
    known = {"If-None-Match": first.headers["etag"]}
    assert public.get("/fragments/latest", headers=known).status_code == 304
    with site.signed_in(sg) as client:
        assert client.get("/fragments/latest", headers=known).status_code == 200


def test_who_may_see_the_same_shares_a_page_and_nobody_else_does(site: Site) -> None:
    sg, same, bank = site.key("SG"), site.key("SG"), site.key("SG", "bank")
    site.push(sg, indicator("one-evil.com"), tlp="amber")
    site.push(sg, indicator("two-mine.com"), tlp="red")
    with site.signed_in(sg) as author, site.signed_in(same) as other, site.signed_in(bank) as third:
        pages = [client.get("/fragments/latest").text for client in (author, other, third)]
        assert ["two-mine.com" in text for text in pages] == [True, False, False]
        assert [len(re.findall(r'class="code">', text)) for text in pages] == [11, 11, 1]
        site.answer_for(sg, "rpz.zone")
        assert eventually(lambda: "is-protected" in tiles(other.get("/fragments/latest").text))
    keys = [site.hub.registry.sign_in(key) for key in (sg, same, bank)]
    assert not [key.key for key in keys if key.key in "".join(pages)]


def test_each_person_who_sees_red_in_a_list_is_noted(site: Site) -> None:
    """Two persons with the same rights, at the same moment, are two who read it."""
    orders = [{"member": "TH", "person": name, "scopes": ["read"]} for name in ("ana", "boon")]
    made = [site.send("POST", "/api/keys", json=order) for order in orders]
    names = [one["person"] for one in made]
    site.push(site.key("SG"), indicator("one-mine.com"), tlp="red", to=names)
    for one in made:
        with site.signed_in(one["key"]) as client:
            assert "one-mine.com" in client.get("/fragments/latest").text
    site.hub.ledger.state.put([])  # behind the notes in the writer's queue
    found = [document.key for document in site.hub.ledger.state.list("red-read", limit=10)]
    assert [key.partition("/")[2] for key in found] == names


def tiles(html: str) -> str:
    return html.partition('class="legend"')[0]


def test_errors_are_pages_for_people_and_json_for_programs(
    site: Site, public: httpx.Client
) -> None:
    answer = public.get("/entries/nothing<b>", headers=BROWSER)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no such entry" in answer.text
    assert "Check the name, or your right to see it." in answer.text
    assert "<b>" not in answer.text
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        assert public.get("/entries/nothing", headers=headers).json()["error"]["code"]
    answer = public.get("/api/keys", headers=BROWSER)
    assert answer.status_code == 401
    assert "Basic" not in answer.headers["www-authenticate"]
    assert "Basic" in public.get("/api/keys").headers["www-authenticate"]
    assert "any user name" in public.get("/api/keys").json()["error"]["next_step"]


def test_who_must_sign_in_is_led_there(site: Site, public: httpx.Client) -> None:
    answer = public.get("/reports", headers=BROWSER)
    assert "<h1>This needs a key with the scope <code>report</code></h1>" in answer.text
    assert '<a href="/sign-in">Sign in</a> with such a key' in answer.text
    assert "Authorization" not in answer.text
    assert '<a href="/sign-in">Sign in</a> to see more' in public.get("/x", headers=BROWSER).text
    key = site.key("SG", scopes="read")
    with site.client() as client:
        client.post("/sign-in", data={"key": key}, headers={"Origin": site.url})
        assert "Sign in" not in client.get("/x", headers=BROWSER).text


def test_a_key_without_read_sees_no_page(site: Site) -> None:
    agent = site.key("SG", scopes="feed receipt")
    with site.client(agent) as client:
        assert client.get("/", headers=BROWSER).status_code == 403
    with site.client() as client:
        answer = client.post("/sign-in", data={"key": agent}, headers={"Origin": site.url})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_others_are_not_told_which_constituent_reported(site: Site) -> None:
    bank = site.key("MY", "lake-bank")
    site.push(bank, indicator("one-evil.com"), tlp="clear")
    for key, named in (
        (site.key("MY"), True),
        (site.key("VN"), False),
        (site.key("MY", "b"), False),
    ):
        with site.signed_in(key) as client:
            assert ("lake-bank" in page(client)) == named


def test_a_shared_list_tells_at_once_what_was_taken_back(site: Site, public: httpx.Client) -> None:
    """A list is kept for a second for all who see the same; an erasure does not wait for it."""
    sg = site.key("SG")
    taken = site.push(sg, indicator("taken-evil.com"), tlp="clear")
    erased = site.push(sg, indicator("erased-evil.com"), tlp="clear")
    assert "erased-evil.com" in page(public)
    site.send("DELETE", f"/api/objects/{taken}", sg, params={"reason": "wrong"})
    site.settle()
    assert "Withdrawn by its author" in words(page(public))
    site.send("POST", f"/api/objects/{erased}/erase", sg, json={"reason": "asked to"})
    assert "erased-evil.com" not in page(public)
