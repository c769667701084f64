"""The pages of reports over HTTP: a draft is made, changed, dropped and published by forms."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

from bayanihan.core.marking import Viewer
from bayanihan.intake.drafts import LIST_LIMIT, Draft, Drafts
from bayanihan.ledger import Change
from tests.web.site import Site, indicator

LURE = (Path(__file__).parent.parent / "vectors" / "lures" / "lure-th.eml").read_bytes()
HOSTILE = "<script>alert(1)</script> </textarea> \u202ehttps://turn.example/x now, please, at once"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site") / "data") as found:
        yield found


@pytest.fixture(scope="module")
def th(site: Site) -> Iterator[httpx.Client]:
    with site.signed_in(site.key("TH")) as client:
        yield client


@pytest.fixture(scope="module")
def vn(site: Site) -> Iterator[httpx.Client]:
    with site.signed_in(site.key("VN")) as client:
        yield client


def send(client: httpx.Client, path: str, **options: object) -> httpx.Response:
    """A form as a browser sends it: with the origin of the page that it stands on."""
    headers = {"Origin": str(client.base_url).rstrip("/"), "Accept": "text/html"}
    return client.post(path, headers=headers, **options)  # type: ignore[arg-type]


def reported(client: httpx.Client, data: bytes | str, **fields: str) -> str:
    """The address of a new draft."""
    if isinstance(data, str):
        # A browser sends a file that nobody chose as an empty part without a name.
        answer = send(client, "/reports", data={**fields, "text": data}, files={"file": ("", b"")})
    else:
        answer = send(client, "/reports", data=fields, files={"file": ("lure.eml", data)})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def shown(client: httpx.Client, place: str) -> str:
    answer = client.get(place, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def form_of(html: str) -> dict[str, list[str]]:
    """What a browser would send of the page's form if nobody changed anything."""
    found = {"revision": re.findall(r'name="revision" value="(\d+)"', html)}
    found["keep"] = re.findall(r'name="keep" value="(\d+)" checked', html)
    for name in ("vector", "tlp", "degree", "confidence"):
        inside = re.search(rf'<select id="{name}".*?</select>', html, re.DOTALL)
        assert inside
        chosen = re.search(r"<option[^>]* selected>([^<]*)", inside[0])
        found[name] = [chosen[1].removeprefix("TLP:").lower() if chosen else ""]
    return {**found, "note": [""], "group": [""], "kit": [""]}


def test_a_file_becomes_a_draft_that_says_everything(th: httpx.Client) -> None:
    text = shown(th, reported(th, LURE))
    for told in (
        "https://ธนาคาร-ปลอดภัย.example/เข้าสู่ระบบ",
        "https://xn--",
        "www.bank-real.example",
        "It is what the link shows",
        "recipient",
        "s...@v...",
        "(Thai)",
        "No case that you may see is like it",
        "The hub’s estimate",
    ):
        assert told in text, told
    assert "somchai" not in text.lower()
    assert "<script" not in text


def test_a_pasted_text_is_shown_as_text_and_never_as_markup(th: httpx.Client) -> None:
    place = reported(th, HOSTILE)
    text = shown(th, place)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "\u202e" not in text
    assert 'value="0" checked' in text
    again = send(
        th, "/reports", data={"text": HOSTILE, "vector": "telepathy"}, files={"file": ("", b"")}
    )
    assert again.status_code == 400
    assert "is no vector" in again.text
    assert "&lt;/textarea&gt;" in again.text
    assert again.text.count("</textarea>") == 1


def test_nothing_is_refused_without_a_word(th: httpx.Client) -> None:
    nothing = send(th, "/reports", data={"text": "  "}, files={"file": ("", b"")})
    assert (nothing.status_code, "Send a file, or a text" in nothing.text) == (400, True)
    both = send(th, "/reports", data={"text": "see this"}, files={"file": ("a", b"b")})
    assert (both.status_code, "not both" in both.text) == (400, True)
    assert "see this" in both.text


def test_a_draft_is_edited_and_published_on_its_page(th: httpx.Client, vn: httpx.Client) -> None:
    place = reported(th, LURE)
    form = form_of(shown(th, place))
    assert len(form["keep"]) == 5
    form |= {"keep": ["0", "2"], "restore": ["0"], "note": ["two banks\r\nsaw it"], "do": ["save"]}
    form |= {"vector": ["identity-theft"], "degree": ["assisted"], "role": ["text", "voice"]}
    assert send(th, place, data=form).status_code == 303
    text = shown(th, place)
    assert form_of(text)["keep"] == ["0", "1", "2"]
    assert form_of(text)["degree"] == ["assisted"]
    for told in ("Restored by a person", "Dropped by a person", "two banks\nsaw it", "text, voice"):
        assert told in text, told
    same = form_of(text) | {"note": ["two banks\r\nsaw it"], "role": ["text", "voice"]}
    assert send(th, place, data=same | {"do": ["save"]}).status_code == 303
    assert form_of(shown(th, place))["revision"] == same["revision"]
    assert send(th, place, data=same | {"do": ["publish"]}).status_code == 303
    text = shown(th, place)
    assert "5 accepted" in text
    assert "do" not in re.findall(r'name="(\w+)"', text)
    incident = f"/entries/incident--{place.rpartition('/')[2]}"
    assert incident in text
    assert "two banks" in shown(vn, incident)
    late = send(th, place, data=same | {"do": ["save"]})
    assert (late.status_code, "Somebody else changed" in late.text) == (409, True)


def test_a_draft_is_its_own_sides_alone(site: Site, th: httpx.Client, vn: httpx.Client) -> None:
    place = reported(th, LURE, note="only ours")
    assert place in shown(th, "/reports")
    assert place not in shown(vn, "/reports")
    assert vn.get(place).status_code == 404
    for act in ("save", "publish", "drop"):
        assert send(vn, place, data={"do": act, "revision": "1"}).status_code == 404
    with site.client() as nobody:
        for path in ("/reports", place):
            assert nobody.get(path, headers={"Accept": "text/html"}).status_code == 401
            assert send(nobody, path, data={"do": "drop"}).status_code == 401
    with site.signed_in(site.key("TH", scopes="read")) as reader:
        assert reader.get(place).status_code == 403
        assert "/reports" not in shown(reader, "/")
    elsewhere = {"Origin": "https://evil.example"}
    for path, form in (("/reports", {"text": "x"}), (place, {"do": "publish", "revision": "1"})):
        assert th.post(path, headers=elsewhere, data=form).status_code == 403
    assert send(th, place, data={"do": "drop"}).headers["Location"] == "/reports"
    assert th.get(place).status_code == 404


def test_a_constituent_sees_who_publishes(site: Site) -> None:
    with site.signed_in(site.key("TH", "bank")) as bank:
        place = reported(bank, LURE)
        text = shown(bank, place)
        assert 'value="publish"' not in text
        assert "It waits for TH" in text
        form = form_of(text) | {"do": ["publish"]}
        assert send(bank, place, data=form).status_code == 403


def test_what_nobody_may_restore_has_no_box(th: httpx.Client) -> None:
    text = shown(th, reported(th, "see https://www.google.com/ and https://page.example/x1 now"))
    boxes = re.findall(r'name="restore".*?<code><bdi>([^<]*)', text)
    assert boxes == ["page.example"]
    assert "www.google.com" in text


def test_stix_is_published_whole_and_its_parts_cannot_be_dropped(th: httpx.Client) -> None:
    one = indicator("one.example")
    place = reported(th, msgspec.json.encode(one))
    text = shown(th, place)
    assert "published as it came, whole" in text
    assert 'name="keep"' not in text
    form = form_of(text)
    assert send(th, place, data=form | {"do": ["publish"]}).status_code == 303
    assert "1 accepted" in shown(th, place)


def test_who_publish_at_once_enter_it_once(site: Site, th: httpx.Client) -> None:
    place = reported(th, LURE)
    form = form_of(shown(th, place)) | {"do": ["publish"]}
    before = site.hub.ledger.length
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(th, place, data=form).status_code, range(6)))
    assert set(answers) <= {303, 409}
    assert site.hub.ledger.length == before + 7  # an incident, five indicators, a report
    assert "<strong>Published</strong>" in shown(th, place)


def test_publishing_goes_on_where_it_was_ended(site: Site, th: httpx.Client) -> None:
    """The hub was ended after the entries were accepted and before the draft said so."""
    place = reported(th, LURE)
    drafts, viewer = Drafts(site.hub.ledger), Viewer(key="k", member="TH")
    assert send(th, place, data=form_of(shown(th, place)) | {"do": ["publish"]}).is_redirect
    entered = site.hub.ledger.length
    draft, version = drafts.get(viewer, place.rpartition("/")[2])
    draft.content["published"] = None
    drafts.put(draft, version)
    assert send(th, place, data=form_of(shown(th, place)) | {"do": ["publish"]}).is_redirect
    assert "7 known before" in shown(th, place)
    assert site.hub.ledger.length == entered


def test_the_newest_drafts_are_listed_however_many_there_are(site: Site) -> None:
    with site.signed_in(site.key("LA")) as la:
        place = reported(la, "see https://page.example/x1")
        drafts = Drafts(site.hub.ledger)
        newest, _ = drafts.get(Viewer(key="k", member="LA"), place.rpartition("/")[2])
        ids = [str(uuid.uuid4()) for _ in range(LIST_LIMIT + 50)]
        older = [
            Draft(each, "LA", newest.created_us - 1 - age, newest.content)
            for age, each in enumerate(ids)
        ]
        site.hub.ledger.state.put(
            [Change("drafts", f"LA/{each.id}", msgspec.json.encode(each)) for each in older]
        )
        text = shown(la, "/reports")
    listed = re.findall(r'href="/reports/([^"]+)"', text)
    assert listed == [newest.id, *ids][:LIST_LIMIT]
