"""The requests of programs that are not run here, one by one, as their own sources send them.

Which sources were read, and when, is said in docs/how-to/taxii.md.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from requests.auth import HTTPBasicAuth
from taxii2client import ApiRoot
from taxii2client.v21 import Collection, Server

from tests.sim.objects import indicator
from tests.sim.process import RunningHub

MEDIA = "application/taxii+json;version=2.1"


class Side:
    """A hub, one key, and what a person would write into a program's settings."""

    def __init__(self, hub: RunningHub, member: str) -> None:
        self.key = hub.key(member)
        self.base = f"{hub.url}/taxii2"
        self.root = f"{self.base}/region/"
        listed = requests.get(f"{self.root}collections/", auth=("x", self.key), timeout=30).json()
        by_alias = {each["alias"]: each["id"] for each in listed["collections"]}
        self.collection = by_alias["everything"]
        self.objects = f"{self.root}collections/{self.collection}/objects/"

    def submit(self, *objects: dict[str, Any]) -> None:
        answer = requests.post(
            self.objects,
            json={"objects": objects},
            headers={"Content-Type": MEDIA},
            auth=("x", self.key),
            timeout=30,
        )
        assert answer.json()["success_count"] == len(objects), answer.text


@pytest.fixture
def here(hub: RunningHub) -> Side:
    return Side(hub, "SG")


@pytest.fixture
def there(hub: RunningHub) -> Side:
    return Side(hub, "MY")


def only(sent: list[dict[str, Any]], got: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was got of what was sent; other tests tell the same hub other things."""
    ids = {each["id"] for each in sent}
    return [each for each in got if each["id"] in ids]


class Ingester:
    """The built-in TAXII feed of OpenCTI: one execution is one request.

    While there is a `next` its date stays; after the last page the date moves to that of the
    last object, in milliseconds, as dates are there.
    """

    def __init__(self, side: Side, added_after: str, limit: int) -> None:
        self.side = side
        self.params: dict[str, Any] = {"added_after": added_after, "limit": limit}
        self.got: list[dict[str, Any]] = []
        word = base64.b64encode(f"anybody:{side.key}".encode()).decode()
        self.headers = {"Accept": MEDIA, "Authorization": f"Basic {word}"}

    def execute(self) -> int:
        url = f"{self.side.root}collections/{self.side.collection}/objects/"
        answer = requests.get(url, params=self.params, headers=self.headers, timeout=30)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        objects: list[dict[str, Any]] = page.get("objects", [])
        self.got += objects
        if objects and page.get("more") and page.get("next"):
            self.params["next"] = page["next"]
        elif objects:
            self.params.pop("next", None)
            last = datetime.fromisoformat(answer.headers["x-taxii-date-added-last"])
            self.params["added_after"] = f"{last:%Y-%m-%dT%H:%M:%S}.{last.microsecond // 1000:03}Z"
        return len(objects)


def test_the_feed_of_opencti_misses_nothing(here: Side, there: Side) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    feed = Ingester(there, f"{began:%Y-%m-%dT%H:%M:%S}.000Z", limit=4)
    sent: list[dict[str, Any]] = []
    for count in (9, 1, 4):
        fresh = [indicator() for _ in range(count)]
        here.submit(*fresh)
        sent += fresh
        for _ in range(30):
            if feed.execute() < 4 and "next" not in feed.params:
                break
        assert {each["id"] for each in only(sent, feed.got)} == {each["id"] for each in sent}
    # It keeps milliseconds of a date in microseconds: what shares the last one comes again.
    firsts = list({each["id"]: each for each in only(sent, feed.got)}.values())
    assert firsts == sent


def test_the_taxii2_connector_of_opencti_reads_a_collection_by_its_title(
    here: Side, there: Side
) -> None:
    began = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(seconds=1)
    sent = [indicator() for _ in range(7)]
    here.submit(*sent)
    server = Server(f"{there.base}/", auth=HTTPBasicAuth("anybody", there.key))
    root = next(each for each in server.api_roots if each.url.split("/")[-2] == "region")
    shelf = next(each for each in root.collections if each.title == "Everything")
    filters: dict[str, Any] = {"limit": 3, "added_after": began}
    got: list[dict[str, Any]] = []
    for _ in range(50):
        page = shelf.get_objects(**filters)
        got += page.get("objects", [])
        if not page.get("more"):
            break
        filters.pop("added_after", None)
        filters["next"] = page["next"]
    assert only(sent, got) == sent
    # The next run sends its new date beside the last `next`, which it never forgets. It runs
    # minutes later; the stamps of a burst may lie up to a second ahead of the clock (ADR 6).
    later = datetime.now(UTC) + timedelta(seconds=5)
    filters["added_after"] = later.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert only(sent, shelf.get_objects(**filters).get("objects", [])) == []


def test_the_taxii_post_connector_of_opencti_submits_a_bundle(here: Side, there: Side) -> None:
    one = indicator()
    bundle = {"type": "bundle", "spec_version": "2.1", "id": f"bundle--{uuid.uuid4()}"}
    answer = requests.post(
        f"{here.base}/region/collections/{here.collection}/objects/",
        headers={
            "Content-Type": "application/stix+json; version=2.1",
            "Accept": "application/taxii+json; version=2.1",
            "Authorization": f"Bearer {here.key}",
        },
        json={**bundle, "objects": [one]},
        timeout=30,
    )
    answer.raise_for_status()
    assert answer.json()["success_count"] == 1
    found = requests.get(f"{there.objects}{one['id']}/", auth=("x", there.key), timeout=30)
    assert found.json()["objects"] == [one]


def test_misp_pushes_in_envelopes_as_large_as_the_root_allows(here: Side, there: Side) -> None:
    """Its server's API key is base64 of `user:key`; base URL and API root are joined by `/`."""
    secret = base64.b64encode(f"misp:{here.key}".encode()).decode()
    auth = HTTPBasicAuth(*base64.b64decode(secret.encode()).split(b":"))
    root_url = f"{here.base}/region"
    with ApiRoot(root_url, auth=auth) as root:
        assert root.max_content_length > 1_000_000
    sent = [indicator() for _ in range(3)]
    with Collection(f"{root_url}/collections/{here.collection}", auth=auth) as shelf:
        body = b'{"objects":[' + b",".join(json.dumps(each).encode() for each in sent) + b"]}"
        status = shelf.add_objects(body, wait_for_completion=False)
    assert (status.status, status.failure_count, status.success_count) == ("complete", 0, 3)
    for each in sent:
        found = requests.get(f"{there.objects}{each['id']}/", auth=("x", there.key), timeout=30)
        assert found.json()["objects"] == [each]


def test_misp_shows_collections_and_objects(here: Side, there: Side) -> None:
    """Its pages ask with a lower-case `basic`, and say a content type where there is none."""
    here.submit(indicator())
    word = base64.b64encode(f"misp:{there.key}".encode()).decode()
    headers = {"Accept": MEDIA, "Content-type": MEDIA, "Authorization": f"basic {word}"}

    def ask(place: str, **query: Any) -> dict[str, Any]:
        answer = requests.get(
            f"{there.base}/region/{place}", headers=headers, params=query, timeout=30
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert there.collection in [each["id"] for each in ask("collections/")["collections"]]
    place = f"collections/{there.collection}/objects/"
    page, seen = ask(place, limit=50), set[str]()
    while True:
        ids = [each["id"] for each in page["objects"]]
        assert seen.isdisjoint(ids)
        seen.update(ids)
        if not page.get("more"):
            break
        page = ask(place, limit=50, next=page["next"])
    one = next(iter(seen))
    assert ask(f"{place}{one}/")["objects"][0]["id"] == one


def test_a_poller_with_a_user_name_a_date_and_pages(here: Side, there: Side) -> None:
    """What Sentinel's settings amount to: a root, a collection's id, a name, a password."""
    with requests.Session() as session:
        session.auth = ("anybody", there.key)
        session.headers["Accept"] = MEDIA
        root = session.get(there.root.rstrip("/"), timeout=30).json()
        assert MEDIA in root["versions"]
        shelf = session.get(f"{there.root}collections/{there.collection}/", timeout=30).json()
        assert shelf["can_read"] is True
        since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
        sent = [indicator() for _ in range(5)]
        here.submit(*sent)
        got: list[dict[str, Any]] = []
        for _ in range(50):  # each page by the date of the one before, and no `next`
            answer = session.get(there.objects, params={"added_after": since}, timeout=30)
            got += answer.json().get("objects", [])
            since = answer.headers.get("X-TAXII-Date-Added-Last", since)
            if not answer.json().get("more"):
                break
        assert only(sent, got) == sent
        again = session.get(there.objects, params={"added_after": since}, timeout=30)
        assert again.json() == {}
