"""Two nodes over one ledger are one hub to whoever asks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.nodes.conftest import check, node
from tests.sim.databases import Databases
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment

Pair = tuple[RunningHub, RunningHub]


def test_what_one_node_accepted_the_other_shows_at_once(pair: Pair) -> None:
    one, two = pair
    key = one.key("SG")
    for number in range(20):
        at, other = (one, two) if number % 2 else (two, one)
        said = indicator()
        assert at.push(key, said)["accepted"] == 1
        assert said["id"] in other.ids(key)
    check(one.options[1])  # beside both


def test_pages_go_on_at_another_node(pair: Pair) -> None:
    key = pair[0].key("MY")
    said = [indicator() for _ in range(30)]
    pair[0].push(key, *said)
    found: list[str] = []
    after, more, turn = "", True, 0
    while more:
        at = pair[turn % 2]
        page = at.ask("GET", "/api/objects", key, params={"after": after, "limit": 7}).json()
        found += [each["id"] for each in page["objects"]]
        after, more, turn = page["next"], page["more"], turn + 1
    assert [each for each in found if each in {one["id"] for one in said}] == [
        each["id"] for each in said
    ]
    assert len(found) == len(set(found))


def test_taxii_goes_on_at_another_node(pair: Pair) -> None:
    """By `next` and by `added_after`; what one node showed the other never lacks."""
    key = pair[0].key("LA")
    said = [indicator() for _ in range(12)]
    path = "/taxii2/region/collections/everything/objects/"
    media = {"accept": "application/taxii+json;version=2.1", "authorization": f"Bearer {key}"}

    def page(turn: int, **params: str) -> httpx.Response:
        answer = pair[turn % 2].ask("GET", path, headers=media, params={"limit": "5", **params})
        assert answer.status_code == 200, answer.text
        return answer

    pair[0].push(key, *said[:6])
    found: list[str] = []
    first, turn = page(1), 1
    answer = first
    while True:
        found += [each["id"] for each in answer.json().get("objects", [])]
        if not answer.json().get("more"):
            break
        turn += 1
        answer = page(turn, next=answer.json()["next"])
    since = answer.headers["x-taxii-date-added-last"]
    assert [each for each in found if each in {one["id"] for one in said}] == [
        one["id"] for one in said[:6]
    ]
    for number, one in enumerate(said[6:]):
        pair[number % 2].push(key, one)
        later = page(number + 1, added_after=since)
        assert [each["id"] for each in later.json()["objects"]] == [one["id"]]
        since = later.headers["x-taxii-date-added-last"]


def test_a_key_that_was_revoked_at_one_node_is_refused_at_the_other(pair: Pair) -> None:
    one, two = pair
    for _ in range(5):
        key = one.key("TH")
        assert two.ask("GET", "/api/objects", key).status_code == 200
        answer = one.ask("DELETE", f"/api/keys/{key.split('_')[1]}", one.admin)
        assert answer.status_code in (200, 204), answer.text
        assert two.ask("GET", "/api/objects", key).status_code == 401


def test_the_same_at_both_nodes_at_once_is_accepted_once(pair: Pair) -> None:
    key = pair[0].key("VN")
    for _ in range(10):
        said = indicator()
        with ThreadPoolExecutor(2) as callers:
            answers = list(callers.map(RunningHub.push, pair, (key, key), (said, said)))
        found = [answer["results"][0]["result"] for answer in answers]
        assert sorted(found) == ["accepted", "duplicate"]
        changed = {**said, "name": "another"}
        for at in pair:
            assert at.push(key, changed)["results"][0]["code"] == "conflict"


def test_a_filing_is_acknowledged_once_whichever_node_is_asked(pair: Pair) -> None:
    """The law's record is judged and then written: the two together are one step."""
    one, two = pair
    clerk = one.key("SG", scopes=["report", "read"], person="clerk")
    judge = one.key("MY", scopes=["regulate", "read"], person="judge")
    facts = {"roles": ["deployer"], "sector": "finance", "critical_infrastructure": True}
    body = {
        "system": "bank", "facts": facts, "kind": ["cyber"],
        "aware": "2026-11-01T00:00:00Z", "says": "a cloned voice", "member": ["MY"],
        "fields": {"affected": "none", "measures": "isolated", "contact": "duty officer"},
    }  # fmt: skip
    for turn in range(4):
        begun = one.ask("POST", "/api/law/incidents", clerk, json=body)
        assert begun.status_code == 201, begun.text
        path = f"/api/law/filings/{begun.json()['filings'][0]['id']}"
        filed = two.ask("POST", f"{path}/file", clerk, json={})
        assert filed.status_code == 200, filed.text

        def acknowledge(at: RunningHub, path: str = path, turn: int = turn) -> int:
            words = {"reference": f"{at.port}-{turn}"}
            return at.ask("POST", f"{path}/acknowledge", judge, json=words).status_code

        with ThreadPoolExecutor(2) as callers:
            assert sorted(callers.map(acknowledge, pair)) == [200, 409]
        told = [at.ask("GET", path, judge).json()["reference"] for at in pair]
        assert told[0] == told[1]


def listed(at: RunningHub, name: str) -> bool:
    """Whether a feed comes to hold a name; making a version may take a moment."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        if name in at.ask("GET", "/feeds/domains.txt").text:
            return True
        time.sleep(0.05)
    return False


def test_feeds_are_the_same_at_both_nodes(pair: Pair) -> None:
    one, two = pair
    for number in range(3):
        said = indicator(value=f"evil-{number}.com")
        one.push(one.admin, said, tlp="clear")
        for at in (two, one):
            assert listed(at, said["name"])


def test_a_feed_never_goes_back_for_whoever_shows_what_they_have(pair: Pair) -> None:
    """By the entity tag alone: 304, or what holds all that was seen before."""
    key, tag, seen = pair[0].key("PH"), "", list[str]()
    for number in range(8):
        said = indicator(value=f"back-{number}.com")
        pair[number % 2].push(pair[0].admin, said, tlp="green")
        for at in pair:
            headers = {"If-None-Match": tag} if tag else {}
            headers["authorization"] = f"Bearer {key}"
            answer = at.ask("GET", "/feeds/domains.txt", headers=headers)
            if answer.status_code == 200:
                lacking = [name for name in seen if name not in answer.text]
                assert lacking == []
                tag = answer.headers["etag"]
                seen += [said["name"]] if said["name"] in answer.text else []
            else:
                assert answer.status_code == 304, answer.text
    assert len(set(seen)) == 8


def test_another_signing_key_is_refused(pair: Pair, databases: Databases, tmp_path: Path) -> None:
    one, _ = pair
    done = command("up", "--data", tmp_path / "data", *one.options, "--port", "0")
    assert done.returncode == 1
    assert b"Copy signing.key" in done.stderr


def test_two_nodes_that_start_together_found_the_record_once(
    databases: Databases, tmp_path: Path
) -> None:
    address = databases.empty()
    nodes = [node(tmp_path / name, address) for name in ("one", "two")]
    key = tmp_path / "one" / "signing.key"
    first = RunningHub(tmp_path / "first").start()
    first.stop()
    for each in nodes:
        shutil.copy(first.data / "signing.key", each.data)
    try:
        for each in nodes:
            each.launch()
        for each in nodes:
            each.wait_ready()
        assert key.exists()
        founders = [each for each in nodes if (each.data / "admin.key").exists()]
        assert len(founders) == 1
        for each in nodes:
            members = each.ask("GET", "/api/members", founders[0].admin).json()
            assert len(str(members)) > 0
            assert each.ask("GET", "/api/keys", founders[0].admin).status_code == 200
    finally:
        for each in nodes:
            if each.running:
                each.kill()
    check(address)


def test_a_password_is_not_printed(tmp_path: Path) -> None:
    address = "postgresql://ana:sesame@127.0.0.1:1/none?password=sesame"
    done = command("up", "--data", tmp_path / "data", "--store", address, timeout_s=90)
    assert done.returncode == 1
    assert b"sesame" not in done.stdout + done.stderr
    assert b"127.0.0.1:1/none" in done.stderr


def test_without_its_packages_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['psycopg'] = None; from bayanihan.cli import main; main()"
    words = ["up", "--data", str(tmp_path / "data"), "--store", "postgresql://127.0.0.1:1/x"]
    command_line = [sys.executable, "-c", code, *words]
    done = subprocess.run(command_line, env=environment(), capture_output=True, check=False)
    assert done.returncode == 1
    assert b"pip install 'bayanihan[postgres]'" in done.stderr
