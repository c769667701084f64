"""What a client is told of what it submits and takes back, over real sockets: what is so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.test_taxii_exact import EVERYTHING, ROOT, Client, error_of
from tests.sim.objects import indicator, statement
from tests.sim.process import RunningHub

EXERCISES = f"{ROOT}/collections/exercise-everything"
OWN = "/taxii2/community/collections/own"
NARROW = "/taxii2/community/collections/malware"
TOML = """
[[taxii.roots]]
name = "community"
title = "The old community"

[[taxii.roots.collections]]
id = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
alias = "own"
title = "What was submitted here"
own = true
write = ["member"]

[[taxii.roots.collections]]
id = "91a7b528-80eb-42ed-a74d-c6fbd5a26117"
alias = "malware"
title = "Malware"
types = ["malware"]
write = ["member"]
"""
LATER = "2026-06-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    data: Path = tmp_path_factory.mktemp("community") / "data"
    data.mkdir(mode=0o700)
    (data / "hub.toml").write_text(TOML)
    hub = RunningHub(data).start()
    yield hub
    hub.stop()
    hub.check()


@pytest.fixture
def sg(community: RunningHub) -> Client:
    return Client(community, community.key("SG"))


def observable(sent: dict[str, Any]) -> dict[str, Any]:
    name = f"{sent['id'][-12:]}.example"
    return {"type": "domain-name", "spec_version": "2.1", "value": name} | {
        "id": f"domain-name{sent['id'].removeprefix('indicator')}"
    }


@pytest.mark.parametrize(("deleted", "left"), [(EXERCISES, EVERYTHING), (EVERYTHING, EXERCISES)])
def test_what_is_deleted_of_an_exercise_is_not_the_real_thing(
    sg: Client, deleted: str, left: str
) -> None:
    sent = indicator()
    sg.post(sent)
    sg.post({**sent, "modified": LATER}, place=EXERCISES)
    assert sg.ask("DELETE", f"{deleted}/objects/{sent['id']}/").status_code == 200
    error_of(sg.ask("GET", f"{deleted}/objects/{sent['id']}/"), 404)
    assert sg.get(f"{left}/objects/{sent['id']}/")["objects"]


def test_what_was_withdrawn_is_not_called_there(sg: Client) -> None:
    for sent, step in ((indicator(), "later `modified`"), (observable(indicator()), "indicator")):
        sg.post(sent)
        sg.ask("DELETE", f"{EVERYTHING}/objects/{sent['id']}/")
        status = sg.post(sent)
        assert (status["success_count"], status["failure_count"]) == (0, 1)
        assert "withdrew" in status["failures"][0]["message"]
        assert step in status["failures"][0]["message"]
        error_of(sg.ask("GET", f"{EVERYTHING}/objects/{sent['id']}/"), 404)


def test_what_cannot_be_modified_has_one_content(sg: Client) -> None:
    sent = statement()
    assert [sg.post(sent)["failure_count"] for _ in range(2)] == [0, 0]
    status = sg.post({**sent, "definition": {"statement": "Another word"}})
    assert (status["success_count"], status["failure_count"]) == (0, 1)
    assert "another content under this id, at" in status["failures"][0]["message"]
    assert sg.get(f"{EVERYTHING}/objects/{sent['id']}/")["objects"] == [sent]
    [version] = sg.get(f"{EVERYTHING}/objects/{sent['id']}/versions/")["versions"]
    assert version == sent["created"]


def test_what_stands_in_another_collection_is_not_called_there(sg: Client) -> None:
    sent = indicator()
    sg.post(sent)
    status = sg.post(sent, place=OWN)
    assert (status["success_count"], status["failure_count"]) == (0, 1)
    assert "not to this collection" in status["failures"][0]["message"]
    later = {**sent, "modified": LATER}
    assert sg.post(later, place=OWN)["failure_count"] == 0
    assert sg.get(f"{OWN}/objects/{sent['id']}/")["objects"] == [later]
    for place in (OWN, EVERYTHING):  # repeated where it is, it is a success
        assert sg.post(later, place=place)["failure_count"] == 0


def test_what_a_collection_does_not_ask_for_is_said_to_be_read_elsewhere(sg: Client) -> None:
    sent = indicator()
    [told] = sg.post(sent, place=NARROW)["successes"]
    assert "read elsewhere" in told["message"]
    error_of(sg.ask("GET", f"{NARROW}/objects/{sent['id']}/"), 404)
    assert sg.get(f"{EVERYTHING}/objects/{sent['id']}/")["objects"] == [sent]


@pytest.mark.parametrize("path", ["/taxii2/", f"{EVERYTHING}/objects/", f"{EVERYTHING}/manifest/"])
def test_an_accept_may_come_in_several_lines(sg: Client, path: str) -> None:
    key = ("Authorization", f"Bearer {sg.key}")
    lines = [("Accept", "text/html"), ("Accept", "application/taxii+json;version=2.1"), key]
    for headers in (lines, lines[::-1]):
        answer = sg.hub.ask("GET", path, headers=headers)
        assert answer.status_code == 200, json.dumps(answer.json())


def test_a_host_with_an_underscore_is_an_address(sg: Client) -> None:
    told = sg.get("/taxii2/", headers={"Host": "the_hub:8420"})
    assert told["default"] == f"http://the_hub:8420{ROOT}/"
