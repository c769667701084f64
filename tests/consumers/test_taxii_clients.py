"""Clients that CERTs own, over real sockets: what they are given is what was submitted."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stix2
from cytaxii2.cytaxii2 import cytaxii2
from stix2 import TAXIICollectionSink, TAXIICollectionSource
from stix2.datastore.filters import Filter
from taxii2client import MEDIA_TYPE_TAXII_V21
from taxii2client.v21 import Collection, Server, Status, as_pages

from tests.sim.objects import indicator
from tests.sim.process import RunningHub


class Desk:
    """A CERT with a key, and its TAXII client signed in."""

    def __init__(self, hub: RunningHub, member: str) -> None:
        self.hub = hub
        self.key = hub.key(member)
        self.server = Server(f"{hub.url}/taxii2/", user="anybody", password=self.key)
        self.root = self.server.default

    def collection(self, title: str = "Everything") -> Collection:
        return next(each for each in self.root.collections if each.title == title)

    def now(self) -> str:
        """The date of the last object that this desk may see: where its polls begin."""
        last = ""
        for each in as_pages(self.collection().get_manifest, per_request=1_000):
            last = each["objects"][-1]["date_added"] if each.get("objects") else last
        return last or "1970-01-01T00:00:00Z"


@pytest.fixture
def singapore(hub: RunningHub) -> Desk:
    return Desk(hub, "SG")


@pytest.fixture
def malaysia(hub: RunningHub) -> Desk:
    return Desk(hub, "MY")


def pages(collection: Collection, per_request: int, **filters: Any) -> Iterator[dict[str, Any]]:
    for page in as_pages(collection.get_objects, per_request=per_request, **filters):
        yield from page.get("objects", ())


def test_taxii2_client_finds_its_way(singapore: Desk) -> None:
    assert singapore.server.title == "Bayanihan"
    assert [root.url for root in singapore.server.api_roots] == [
        f"{singapore.hub.url}/taxii2/region/"
    ]
    assert singapore.root.versions == ["application/taxii+json;version=2.1"]
    ids = [each.id for each in singapore.root.collections]
    assert ids == sorted(ids)
    again = Collection(
        f"{singapore.root.url}collections/{ids[0]}/", user="x", password=singapore.key
    )
    assert again.can_read


def test_taxii2_client_submits_waits_and_pages(singapore: Desk, malaysia: Desk) -> None:
    since, sent = malaysia.now(), [indicator() for _ in range(25)]
    bad = {**indicator(), "pattern": "[nonsense"}
    status = singapore.collection().add_objects({"objects": [*sent, bad]}, wait_for_completion=True)
    assert (status.status, status.total_count) == ("complete", 26)
    assert (status.success_count, status.failure_count, status.pending_count) == (25, 1, 0)
    assert [each["id"] for each in status.failures] == [bad["id"]]
    assert "pattern" in status.failures[0]["message"]
    again = Status(f"{singapore.root.url}status/{status.id}/", user="x", password=singapore.key)
    assert again.success_count == 25
    found = list(pages(malaysia.collection(), 10, added_after=since))
    assert found == sent
    assert list(pages(malaysia.collection(), 0, added_after=since)) == sent
    repeated = singapore.collection().add_objects({"objects": sent})
    assert (repeated.success_count, repeated.failure_count) == (25, 0)
    assert list(pages(malaysia.collection(), 10, added_after=since)) == sent


def test_taxii2_client_reads_versions_and_deletes(singapore: Desk, malaysia: Desk) -> None:
    first = indicator()
    second = {**first, "modified": "2026-02-01T00:00:00.000Z", "name": "again"}
    for each in (first, second):
        singapore.collection().add_objects({"objects": [each]}, wait_for_completion=True)
    shelf = malaysia.collection()
    assert shelf.get_object(first["id"])["objects"] == [second]
    assert shelf.get_object(first["id"], version="first")["objects"] == [first]
    assert shelf.get_object(first["id"], version="all")["objects"] == [first, second]
    dated = shelf.get_object(first["id"], version=first["modified"])
    assert dated["objects"] == [first]
    assert shelf.object_versions(first["id"])["versions"] == [
        *(first["modified"], second["modified"])
    ]
    manifest = shelf.get_manifest(id=first["id"], version="all")["objects"]
    assert [each["version"] for each in manifest] == [first["modified"], second["modified"]]
    with pytest.raises(requests.HTTPError) as refused:
        shelf.delete_object(first["id"])
    assert refused.value.response is not None
    assert refused.value.response.status_code == 403
    singapore.collection().delete_object(first["id"])
    with pytest.raises(requests.HTTPError) as gone:
        shelf.get_object(first["id"])
    assert gone.value.response is not None
    assert gone.value.response.status_code == 404


def test_cytaxii2_discovers_polls_and_submits(singapore: Desk) -> None:
    client = cytaxii2(f"{singapore.hub.url}/taxii2/", "anybody", singapore.key)
    assert client.discovery_request()["status_code"] == 200
    assert client.root_discovery()["response"]["title"] == "The region"
    listed = client.collection_request()["response"]["collections"]
    assert "everything" in [each["alias"] for each in listed]
    assert client.collection_data_request("everything")["response"]["can_write"]
    since, sent = singapore.now(), [indicator() for _ in range(3)]
    answer = client.inbox_request("everything", json.dumps({"objects": sent}))
    assert (answer["status_code"], answer["response"]["success_count"]) == (202, 3)
    first = client.poll_request("everything", added_after=since, limit=2)["response"]
    assert (first["objects"], first["more"]) == (sent[:2], True)
    rest = client.poll_request(
        "everything", added_after=since, limit=2, next=first["next"], object_type="indicator"
    )
    assert rest["status_code"] == 400  # it added a filter to a `next` that has none
    rest = client.poll_request("everything", added_after=since, limit=2, next=first["next"])
    assert rest["response"]["objects"] == sent[2:]
    one = client.poll_request("everything", object_id=sent[1]["id"])["response"]
    assert one["objects"] == [sent[1]]
    wrong = cytaxii2(f"{singapore.hub.url}/taxii2/", "anybody", "wrong")
    assert wrong.discovery_request()["response"]["http_status"] == "401"


def test_stix2_goes_round(singapore: Desk, malaysia: Desk) -> None:
    made = stix2.Indicator(
        name="made with the library",
        pattern="[domain-name:value = 'library.example']",
        pattern_type="stix",
        valid_from="2026-01-01T00:00:00Z",
    )
    newer = made.new_version(name="made again")
    sink = TAXIICollectionSink(singapore.collection())
    sink.add(made)
    sink.add([newer])
    source = TAXIICollectionSource(malaysia.collection(), items_per_page=3)
    assert str(source.get(made.id)) == str(newer)
    assert {str(each) for each in source.all_versions(made.id)} == {str(made), str(newer)}
    found = source.query([Filter("type", "=", "indicator"), Filter("id", "=", made.id)])
    assert [str(each) for each in found] == [str(newer)]


def test_the_loop_that_moves_added_after_beside_next(singapore: Desk, malaysia: Desk) -> None:
    """What a widely used platform's ingester does, request for request."""
    since, sent = malaysia.now(), [indicator() for _ in range(23)]
    singapore.collection().add_objects({"objects": sent}, wait_for_completion=True)
    url = f"{malaysia.root.url}collections/everything/objects/"
    state = {"added_after": since, "limit": "5"}
    seen: list[dict[str, Any]] = []
    with requests.Session() as session:
        session.headers["Accept"] = MEDIA_TYPE_TAXII_V21
        session.auth = ("x", malaysia.key)
        for _ in range(7):  # two more than there are pages
            answer = session.get(url, params=state)
            answer.raise_for_status()
            seen += answer.json().get("objects", ())
            state["next"] = answer.json().get("next", state.get("next", ""))
            state["added_after"] = answer.headers.get(
                "X-TAXII-Date-Added-Last", state["added_after"]
            )
    assert seen == sent


def test_misp_style_push_of_stix_media_type_is_taken(singapore: Desk) -> None:
    answer = requests.post(
        f"{singapore.root.url}collections/everything/objects",
        data=json.dumps({"objects": [indicator()]}),
        headers={
            "Content-Type": "application/stix+json;version=2.1",
            "Accept": MEDIA_TYPE_TAXII_V21,
            "Authorization": f"Bearer {singapore.key}",
        },
        timeout=30,
    )
    assert (answer.status_code, answer.json()["success_count"]) == (202, 1)


def test_cron_and_curl(singapore: Desk) -> None:
    sent = indicator()
    singapore.collection().add_objects({"objects": [sent]}, wait_for_completion=True)
    url = f"{singapore.root.url}collections/everything/objects/{sent['id']}/"
    done = subprocess.run(
        ["curl", "-sS", "-u", f"cron:{singapore.key}", "-D", "-", url],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    head, _, body = done.stdout.partition("\n\n")
    assert "content-type: application/taxii+json;version=2.1" in head.lower()
    assert "x-taxii-date-added-last: 20" in head.lower()
    assert json.loads(body)["objects"] == [sent]


def test_basic_and_bearer_are_the_same_key(singapore: Desk) -> None:
    word = base64.b64encode(f"{uuid.uuid4()}:{singapore.key}".encode()).decode()
    for credentials in (f"Basic {word}", f"Bearer {singapore.key}", f"bearer  {singapore.key} "):
        answer = requests.get(
            f"{singapore.root.url}collections/everything",
            headers={"Authorization": credentials},
            timeout=30,
        )
        assert (answer.status_code, answer.json()["can_write"]) == (200, True)
