"""The interface to the letter, over real sockets: addresses, media types, errors, answers."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bayanihan.core.ai import EXTENSION_ID
from bayanihan.core.marking import TLP_2_IDS
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.wire import Wire

MEDIA = "application/taxii+json;version=2.1"
ROOT = "/taxii2/region"
EVERYTHING = f"{ROOT}/collections/everything"
NOBODY = f"indicator--{uuid.UUID(int=7)}"


class Client:
    """One key's requests to one hub."""

    def __init__(self, hub: RunningHub, key: str) -> None:
        self.hub = hub
        self.key = key

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Accept": MEDIA, **options.pop("headers", {})}
        answer = self.hub.ask(method, path, self.key, headers=headers, **options)
        assert answer.headers["content-type"] == MEDIA
        return answer

    def get(self, path: str, **options: Any) -> dict[str, Any]:
        answer = self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, *objects: dict[str, Any], place: str = EVERYTHING) -> dict[str, Any]:
        answer = self.ask(
            *("POST", f"{place}/objects/"),
            content=json.dumps({"objects": objects}),
            headers={"Content-Type": MEDIA},
        )
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ids(self, place: str, **params: str) -> list[str]:
        """Every object of a collection, by id, page by page."""
        found, onward = list[str](), {"limit": "50", **params}
        while True:
            page = self.get(f"{place}/objects/", params=onward)
            found += [each["id"] for each in page.get("objects", ())]
            if not page.get("more"):
                return found
            onward = {"next": page["next"]}


@pytest.fixture
def sg(hub: RunningHub) -> Client:
    return Client(hub, hub.key("SG"))


@pytest.fixture
def my(hub: RunningHub) -> Client:
    return Client(hub, hub.key("MY"))


@pytest.fixture
def public(hub: RunningHub) -> Client:
    return Client(hub, "")


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA
    error: dict[str, Any] = answer.json()
    assert error["title"]
    assert error["http_status"] == str(status)
    return error


# addresses and media types


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "path",
    [
        "/taxii2",
        ROOT,
        f"{ROOT}/collections",
        EVERYTHING,
        f"{EVERYTHING}/manifest",
        f"{EVERYTHING}/objects",
    ],
)
def test_every_address_has_both_forms_and_no_redirect(my: Client, path: str, slash: str) -> None:
    assert my.ask("GET", path + slash, follow_redirects=False).status_code == 200


@pytest.mark.parametrize("slash", ["", "/"])
def test_objects_versions_and_statuses_have_both_forms(sg: Client, slash: str) -> None:
    sent = indicator()
    status = sg.post(sent)
    place = f"{EVERYTHING}/objects/{sent['id']}"
    assert sg.get(f"{ROOT}/status/{status['id']}{slash}") == status
    assert sg.get(place + slash)["objects"] == [sent]
    assert sg.get(f"{place}/versions{slash}")["versions"] == [sent["modified"]]
    assert sg.ask("DELETE", place + slash).status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "application/taxii+json", "application/taxii+json; version=2.1", f"text/x,{MEDIA}"],
)
def test_one_media_type_answers_all(my: Client, accept: str) -> None:
    answer = my.ask("GET", f"{EVERYTHING}/objects/", headers={"Accept": accept})
    assert answer.status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "text/html", f"{MEDIA[:-3]}2.0"])
@pytest.mark.parametrize("path", ["/taxii2/", f"{ROOT}/collections/", f"{EVERYTHING}/objects/"])
def test_who_takes_something_else_gets_406(my: Client, path: str, accept: str) -> None:
    error_of(my.ask("GET", path, headers={"Accept": accept}), 406)


# errors


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/taxii2/nowhere/"),
        ("GET", f"{ROOT}/nowhere/"),
        ("GET", f"{ROOT}/collections/nowhere/"),
        ("GET", f"{ROOT}/collections/nowhere/objects/"),
        ("GET", f"{ROOT}/status/00000000-0000-4000-8000-000000000007/"),
        ("GET", f"{EVERYTHING}/objects/{NOBODY}/"),
        ("GET", f"{EVERYTHING}/objects/{NOBODY}/versions/"),
        ("GET", f"{EVERYTHING}/objects/%00%ff/"),
        ("DELETE", f"{EVERYTHING}/objects/{NOBODY}/"),
        ("GET", f"{EVERYTHING}/objects/{NOBODY}/versions/more/"),
    ],
)
def test_what_is_not_there_is_404(my: Client, method: str, path: str) -> None:
    error_of(my.ask(method, path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/taxii2/"),
        ("PUT", ROOT),
        ("DELETE", EVERYTHING),
        ("POST", f"{EVERYTHING}/manifest/"),
        ("PATCH", f"{EVERYTHING}/objects/{NOBODY}/"),
    ],
)
def test_another_method_is_405(my: Client, method: str, path: str) -> None:
    answer = my.ask(method, path)
    error_of(answer, 405)
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{EVERYTHING}/objects/"),
        ("DELETE", f"{EVERYTHING}/objects/{NOBODY}/"),
        ("GET", f"{ROOT}/status/00000000-0000-4000-8000-000000000007/"),
    ],
)
def test_what_needs_a_key_is_401(public: Client, method: str, path: str) -> None:
    answer = public.ask(method, path)
    error_of(answer, 401)
    assert "Basic" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/taxii2/", f"{EVERYTHING}/objects/", "/taxii2/nowhere/"])
def test_a_wrong_key_is_401_everywhere(hub: RunningHub, path: str) -> None:
    for authorization in ("Bearer byn_a_b", "Basic !!", "Digest x", "Bearer", "Basic eA=="):
        answer = hub.ask("GET", path, headers={"Authorization": authorization})
        error_of(answer, 401)
        assert "Basic" in answer.headers["www-authenticate"]


def test_a_key_without_the_scope_is_403(hub: RunningHub) -> None:
    reads, writes = hub.key("SG", scopes=["read"]), hub.key("SG", scopes=["report"])
    answer = Client(hub, reads).ask(
        *("POST", f"{EVERYTHING}/objects/"), headers={"Content-Type": MEDIA}, content=b"{}"
    )
    error_of(answer, 403)
    error_of(Client(hub, writes).ask("GET", f"{EVERYTHING}/objects/"), 403)
    error_of(Client(hub, writes).ask("DELETE", f"{EVERYTHING}/objects/{NOBODY}/"), 403)
    for key, expected in ((reads, (True, False)), (writes, (False, True))):
        told = Client(hub, key).get(f"{EVERYTHING}/")
        assert (told["can_read"], told["can_write"]) == expected


def test_a_saved_question_takes_no_submissions(sg: Client) -> None:
    place = f"{ROOT}/collections/vector-phishing"
    assert not sg.get(f"{place}/")["can_write"]
    answer = sg.ask("POST", f"{place}/objects/", headers={"Content-Type": MEDIA}, content=b"{}")
    error_of(answer, 403)


BAD_BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b"{}", 422),
    (b"[]", 422),
    (b'"x"', 422),
    (b'{"objects": 1}', 422),
    (b'{"objects": []}', 400),
    (json.dumps({"objects": [{}] * 10_001}).encode(), 413),
    (b" " * (16 * 1024 * 1024) + b"{}", 413),
    (b'{"objects":' * 3_000, 422),
]


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_body_that_is_no_envelope_is_refused(sg: Client, body: bytes, status: int) -> None:
    place = f"{EVERYTHING}/objects/"
    error_of(sg.ask("POST", place, headers={"Content-Type": MEDIA}, content=body), status)


@pytest.mark.parametrize("kind", ["", "application/json", f"{MEDIA[:-3]}2.0", "text/plain"])
def test_another_content_type_is_415(sg: Client, kind: str) -> None:
    headers = {"Content-Type": kind}
    error_of(sg.ask("POST", f"{EVERYTHING}/objects/", headers=headers, content=b"{}"), 415)


BROKEN = (
    b"GET {place} HTTP/9.9\r\nHost: hub\r\n\r\n",
    b"GET {place} HTTP/1.1\r\nHost: hub\r\nno colon here\r\n\r\n",
    b"GET {place} HTTP/1.1\r\nHost: hub\r\nContent-Length: many\r\n\r\n",
    b"GET {place}?a=\x01 HTTP/1.1\r\nHost: hub\r\n\r\n",
    b"FETCH {place} HTTP/1.1\r\nHost: hub\r\n\r\n",
    b"POST {place} HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
)


def until_closed(hub: RunningHub, sent: bytes) -> tuple[bytes, bytes]:
    """The head and the body of the one answer to some bytes."""
    with Wire(hub.port) as wire:
        wire.socket.sendall(sent)
        head, _, body = wire.all().partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_no_http_gets_the_error_of_its_address(hub: RunningHub, broken: bytes) -> None:
    taxii, elsewhere = (
        until_closed(hub, broken.replace(b"{place}", place))
        for place in (f"{EVERYTHING}/objects/".encode(), b"/api/objects")
    )
    assert (taxii[0].split()[1], elsewhere[0].split()[1]) == (b"400", b"400")
    assert f"content-type: {MEDIA}".encode() in taxii[0]
    assert json.loads(taxii[1])["http_status"] == "400"
    assert b"content-type: application/json" in elsewhere[0]
    assert json.loads(elsewhere[1])["error"]["code"] == "not-http"


def test_a_whole_request_is_answered_though_what_follows_is_broken(hub: RunningHub) -> None:
    whole = b"GET /health/live HTTP/1.1\r\nHost: hub\r\n\r\n"
    head, body = until_closed(hub, whole + b"\x00\x00\x00\r\n\r\n")
    assert head.split()[1] == b"200"
    assert b"HTTP/1.1" not in body


def test_a_gzip_bomb_is_413(sg: Client) -> None:
    bomb = gzip.compress(b" " * (200 * 1024 * 1024))
    headers = {"Content-Type": MEDIA, "Content-Encoding": "gzip"}
    error_of(sg.ask("POST", f"{EVERYTHING}/objects/", headers=headers, content=bomb), 413)


def test_a_body_is_refused_while_it_arrives(hub: RunningHub, sg: Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b" " * (1 << 20)

    with Wire(hub.port) as wire:
        wire.begin(
            *("POST", f"{EVERYTHING}/objects/", sg.key),
            **{"Content-Type": MEDIA, "Transfer-Encoding": "chunked"},
        )
        poured = wire.pour(endless())
        status, error = wire.answer()
    assert (status, error["http_status"]) == (413, "413")
    assert poured < 200 * (1 << 20)


# submitting


def test_the_status_tells_each_object_apart(sg: Client, my: Client) -> None:
    good, bad = indicator(), {**indicator(), "valid_from": "yesterday"}
    status = sg.post(good, bad, good)
    assert status["status"] == "complete"
    assert (status["total_count"], status["success_count"]) == (3, 2)
    assert (status["failure_count"], status["pending_count"]) == (1, 0)
    assert [each["id"] for each in status["successes"]] == [good["id"]] * 2
    assert status["successes"][0]["version"] == good["modified"]
    [failure] = status["failures"]
    assert (failure["id"], failure["version"]) == (bad["id"], bad["modified"])
    assert "$.objects[1].valid_from" in failure["message"]
    assert sg.get(f"{ROOT}/status/{status['id']}/") == status
    error_of(my.ask("GET", f"{ROOT}/status/{status['id']}/"), 404)


def test_a_conflict_is_a_failure_and_a_repetition_is_not(sg: Client) -> None:
    first = indicator()
    sg.post(first)
    assert sg.post(first)["failure_count"] == 0
    changed = sg.post({**first, "name": "other"})
    assert changed["failure_count"] == 1
    assert "conflict" in changed["failures"][0]["message"]


def test_what_was_acknowledged_is_read_at_once(sg: Client, my: Client) -> None:
    for _ in range(20):
        sent = indicator()
        since = sg.post(sent)["request_timestamp"]
        place = f"{ROOT}/collections/for-network"
        assert sent["id"] in my.ids(place, **{"match[type]": "indicator"})
        assert my.get(f"{EVERYTHING}/objects/", params={"match[id]": sent["id"]})["objects"]
        assert since > "2026"


def test_exercises_and_the_real_thing_never_meet(sg: Client, my: Client) -> None:
    drill, real = indicator(), indicator()
    exercises = f"{ROOT}/collections/exercise-everything"
    sg.post(drill, place=exercises)
    sg.post(real)
    for alias in [each["alias"] for each in my.get(f"{ROOT}/collections/")["collections"]]:
        found = my.ids(f"{ROOT}/collections/{alias}")
        assert (drill["id"] in found) == (alias == "exercise-everything")
        assert (real["id"] in found) == (alias in ("everything", "for-network"))


def test_a_vector_is_a_collection(sg: Client, my: Client) -> None:
    extension = {"extension_type": "property-extension", "vector": "phishing"}
    sent = indicator(extensions={EXTENSION_ID: extension})
    sg.post(sent)
    assert sent["id"] in my.ids(f"{ROOT}/collections/vector-phishing")
    assert sent["id"] not in my.ids(f"{ROOT}/collections/vector-malware")


# reading


def test_headers_manifest_and_page_say_the_same(sg: Client) -> None:
    sent = [indicator() for _ in range(5)]
    sg.post(*sent)
    ids = ",".join(each["id"] for each in sent)
    answer = sg.ask("GET", f"{EVERYTHING}/objects/", params={"match[id]": ids})
    manifest = sg.ask("GET", f"{EVERYTHING}/manifest/", params={"match[id]": ids})
    records = manifest.json()["objects"]
    assert answer.json()["objects"] == sent
    assert [each["id"] for each in records] == [each["id"] for each in sent]
    dates = [each["date_added"] for each in records]
    assert dates == sorted(set(dates))
    for each in (answer, manifest):
        assert each.headers["x-taxii-date-added-first"] == dates[0]
        assert each.headers["x-taxii-date-added-last"] == dates[-1]
    for record in records:
        assert record["media_type"] == "application/stix+json;version=2.1"
        assert record["version"] == "2026-01-01T00:00:00.000Z"
    for at, date in enumerate(dates):
        params = {"match[id]": ids, "added_after": date}
        after = sg.get(f"{EVERYTHING}/objects/", params=params)
        assert after.get("objects", []) == sent[at + 1 :]


def test_an_empty_answer_is_an_empty_object(sg: Client) -> None:
    answer = sg.ask("GET", f"{EVERYTHING}/objects/", params={"added_after": "2999-01-01T00:00:00Z"})
    assert answer.json() == {}
    assert "x-taxii-date-added-last" not in answer.headers
    assert sg.get(f"{EVERYTHING}/objects/", params={"match[spec_version]": "2.0"}) == {}


def test_a_token_is_replayed_as_often_as_the_line_fails(sg: Client) -> None:
    sg.post(*[indicator() for _ in range(4)])
    first = sg.get(f"{EVERYTHING}/objects/", params={"limit": "2"})
    again = [
        sg.ask("GET", f"{EVERYTHING}/objects/", params={"limit": "2", "next": first["next"]})
        for _ in range(3)
    ]
    assert len({each.text for each in again}) == 1
    assert again[0].json()["objects"] != first["objects"]


def test_forged_and_foreign_tokens_are_refused(sg: Client, my: Client) -> None:
    sg.post(indicator(), indicator())
    token = sg.get(f"{EVERYTHING}/objects/", params={"limit": "1"})["next"]
    assert my.get(f"{EVERYTHING}/objects/", params={"next": token, "limit": "1"})
    other = f"{ROOT}/collections/for-network"
    for place, forged in (
        (EVERYTHING, "1"),
        (EVERYTHING, token[:-1]),
        (EVERYTHING, "A" + token[1:]),
        (EVERYTHING, token.partition(".")[0]),
        (EVERYTHING, f".{token.partition('.')[2]}"),
        (other, token),
    ):
        error_of(sg.ask("GET", f"{place}/objects/", params={"next": forged}), 400)
    wider = {"next": token, "match[type]": "report"}
    error_of(sg.ask("GET", f"{EVERYTHING}/objects/", params=wider), 400)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", "a=1"),
        ("/objects", "match[name]=x"),
        ("/objects", "limit=0"),
        ("/objects", "added_after=x"),
        ("/objects", "limit=1&limit=2"),
        ("/manifest", "match[version]=newest"),
        (f"/objects/{NOBODY}", "match[id]=x"),
        (f"/objects/{NOBODY}/versions", "match[version]=all"),
        ("/objects", "limit=%ff"),
    ],
)
def test_every_wrong_parameter_is_400(sg: Client, path: str, query: str) -> None:
    error_of(sg.ask("GET", f"{EVERYTHING}{path}/?{query}"), 400)


def test_only_the_origin_takes_an_object_back(sg: Client, my: Client) -> None:
    sent = indicator()
    sg.post(sent)
    newer = {**sent, "modified": "2026-03-01T00:00:00.000Z"}
    sg.post(newer)
    place = f"{EVERYTHING}/objects/{sent['id']}/"
    error_of(my.ask("DELETE", place), 403)
    error_of(sg.ask("DELETE", place, params={"match[version]": "first"}), 400)
    error_of(sg.ask("DELETE", place, params={"match[version]": "1999-01-01T00:00:00Z"}), 404)
    assert sg.ask("DELETE", place, params={"match[version]": "all"}).status_code == 200
    for client in (sg, my):
        error_of(client.ask("GET", place), 404)
        assert sent["id"] not in client.ids(EVERYTHING)
        assert sent["id"] not in client.ids(f"{ROOT}/collections/for-network")
    error_of(sg.ask("DELETE", place), 404)
    revoked = {**sent, "modified": "2026-04-01T00:00:00.000Z", "revoked": True}
    sg.post(revoked)
    assert my.get(place)["objects"] == [revoked]


# who sees what


def test_nothing_leaves_that_its_marking_forbids(hub: RunningHub) -> None:
    hub.constituent("TH", bank := f"b{uuid.uuid4().hex[:8]}")
    author = Client(hub, hub.key("SG", person="anna"))
    readers = {
        "public": Client(hub, ""),
        "operator": Client(hub, hub.admin),
        "colleague": Client(hub, hub.key("SG", person="ben")),
        "member": Client(hub, hub.key("TH")),
        "constituent": Client(hub, hub.key("TH", constituent=bank)),
    }
    allowed = {
        "clear": set(readers),
        "green": set(readers) - {"public"},
        "amber": {"colleague", "member", "constituent"},
        "amber+strict": {"colleague", "member"},
        "red": set[str](),
    }
    for level, those in allowed.items():
        sent = indicator(object_marking_refs=[TLP_2_IDS[level]])
        author.post(sent)
        place = f"{EVERYTHING}/objects/{sent['id']}"
        assert author.get(f"{place}/")["objects"] == [sent]
        for name, reader in readers.items():
            sees = name in those
            statuses = {
                reader.ask("GET", f"{place}/").status_code,
                reader.ask("GET", f"{place}/versions/").status_code,
            }
            assert statuses == {200 if sees else 404}, (level, name)
            params = {"match[id]": sent["id"]}
            for exit_ in ("objects", "manifest"):
                page = reader.get(f"{EVERYTHING}/{exit_}/", params=params)
                assert bool(page) == sees, (level, name, exit_)
            assert (sent["id"] in reader.ids(EVERYTHING)) == sees
            if name not in ("public", "operator", "colleague") and not sees:
                error_of(reader.ask("DELETE", f"{place}/"), 404)
