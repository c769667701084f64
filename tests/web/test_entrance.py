"""The entrance of a real hub: limits, wrong keys and a proxy, over real sockets."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from bayanihan.web.wrong_keys import TRIES_OF_KEY
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.wire import Wire

OBJECTS = "/taxii2/region/collections/everything/objects/"


def hub_with(hub: RunningHub, toml: str) -> RunningHub:
    hub.data.mkdir(mode=0o700)
    (hub.data / "hub.toml").write_text(toml)
    return hub.start()


def shaped(answer: httpx.Response) -> tuple[int, str, Any]:
    kind = answer.headers["content-type"].partition(";")[0]
    return answer.status_code, kind, answer.json() if "json" in kind else answer.text


def test_over_the_limit_is_429_in_the_shape_of_each_address(own_hub: RunningHub) -> None:
    hub = hub_with(own_hub, "[limits]\nburst_s = 1\npublic_requests_per_s = 1000\n")
    key = hub.key("SG")
    told = hub.ask("GET", "/api/keys", hub.admin).json()
    key_id = next(each["id"] for each in told if each["member"] == "SG")
    path = f"/api/keys/{key_id}/limits"
    order = {"requests_per_s": 1, "in_flight": 2, "body_bytes": 2_000}
    assert hub.ask("POST", path, hub.admin, json=order).status_code == 200
    answers = []
    with hub.client(key) as client:
        for _ in range(3):
            answers = [client.get(place) for place in ("/taxii2/", "/api/objects")]
        page = client.get("/", headers={"Accept": "text/html"})
    for answer in (*answers, page):
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert shaped(answers[0])[2]["http_status"] == "429"
    assert answers[0].headers["content-type"] == "application/taxii+json;version=2.1"
    assert shaped(answers[1])[2]["error"]["code"] == "too-many"
    assert "Too many requests" in page.text
    # Nobody else waits, and who waits is let in.
    assert hub.ask("GET", OBJECTS, hub.key("MY")).status_code == 200
    time.sleep(int(answers[1].headers["retry-after"]) + 1)
    assert hub.ask("GET", OBJECTS, key).status_code == 200
    time.sleep(1.1)
    body = json.dumps({"objects": [indicator() for _ in range(10)]})
    large = hub.ask("POST", "/api/objects", key, content=body)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too-large")
    time.sleep(1.1)
    pieces = hub.ask("POST", "/api/objects", key, content=iter([body.encode()]))
    assert (pieces.status_code, pieces.json()["error"]["code"]) == (413, "too-large")


def test_wrong_secrets_wait_and_the_right_one_opens(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key = hub.key("SG")
    wrong = key[:-4] + "0000"
    statuses = [hub.ask("GET", OBJECTS, wrong).status_code for _ in range(TRIES_OF_KEY + 5)]
    assert statuses[:TRIES_OF_KEY] == [401] * TRIES_OF_KEY
    assert 429 in statuses[TRIES_OF_KEY:]
    told = hub.ask("GET", OBJECTS, wrong)
    if told.status_code == 429:
        assert told.json()["error_code"] == "too-many"
        assert "retry-after" in told.headers
    assert hub.ask("GET", OBJECTS, key).status_code == 200
    assert hub.ask("GET", OBJECTS).status_code == 200
    assert b"bayanihan_wrong_keys 2" in hub.ask("GET", "/metrics", hub.admin).content


def test_a_certificate_opens_through_the_named_proxy_alone(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key = hub.key("SG", person="ana")
    key_id = key.split("_")[1]
    digest = hashlib.sha256(b"certificate").hexdigest()
    header = {"X-Client-Cert": digest}
    assert hub.ask("GET", "/api/keys", headers=header).status_code == 401  # nothing configured
    hub.stop()
    (hub.data / "hub.toml").write_text(
        f'[proxy]\naddresses = ["127.0.0.1"]\ncertificate_header = "X-Client-Cert"\n'
        f'[proxy.certificates]\n"{digest}" = "{key_id}"\n'
    )
    hub.start()
    place = "/taxii2/region/collections/everything/"
    assert hub.ask("GET", place).json()["can_write"] is False
    assert hub.ask("GET", place, headers=header).json()["can_write"] is True
    other = {"X-Client-Cert": hashlib.sha256(b"other").hexdigest()}
    assert hub.ask("GET", place, headers=other).status_code == 401
    assert hub.ask("GET", place, headers=[*header.items()] * 2).status_code == 401
    assert hub.ask("GET", place, key, headers=other).status_code == 401
    told = hub.ask("GET", "/taxii2/", headers={"X-Forwarded-Proto": "https"}).json()
    assert told["default"].startswith("https://")
    hub.stop()
    (hub.data / "hub.toml").write_text(
        '[proxy]\naddresses = ["192.0.2.7"]\ncertificate_header = "X-Client-Cert"\n'
        f'[proxy.certificates]\n"{digest}" = "{key_id}"\n'
    )
    hub.start()
    assert hub.ask("GET", place, headers=header).json()["can_write"] is False
    told = hub.ask("GET", "/taxii2/", headers={"X-Forwarded-Proto": "https"}).json()
    assert told["default"].startswith("http://")


def test_clients_that_never_read_are_bounded_and_slow_nobody(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key = hub.key("SG")
    many = [indicator(description="x" * 20_000) for _ in range(200)]
    hub.push(key, *many)
    assert len(hub.ask("GET", OBJECTS, key).content) > 4_000_000
    wires = [Wire(hub.port, receive_bytes=4_096) for _ in range(60)]
    try:
        for wire in wires:
            wire.begin("GET", OBJECTS, key)
        time.sleep(0.5)
        statuses = [hub.ask("GET", OBJECTS, key).status_code for _ in range(3)]
        assert 429 in statuses  # it holds more answers than it took in
        with ThreadPoolExecutor(4) as pool:
            other = hub.key("MY")
            asked = list(pool.map(lambda _: hub.ask("GET", OBJECTS, other), range(8)))
        assert {each.status_code for each in asked} == {200}
    finally:
        for wire in wires:
            wire.socket.close()
    time.sleep(0.5)
    assert hub.ask("GET", OBJECTS, key).status_code == 200
    assert hub.peak_memory_bytes() < 400_000_000


def test_past_the_framework_a_page_is_answered_alike(hub: RunningHub) -> None:
    key = hub.key("SG")
    taxii = {"Accept": "application/taxii+json;version=2.1", "Content-Type": "application/json"}
    told = hub.ask("POST", "/api/objects", key, json={"objects": [indicator()]}, headers=taxii)
    assert told.json()["accepted"] == 1
    # What HEAD asks is answered by the framework.
    short, long = (
        {name: value for name, value in answer.headers.items() if name != "date"}
        for answer in (hub.ask(method, OBJECTS, key, headers=taxii) for method in ("GET", "HEAD"))
    )
    assert short == long
    for wrong in ("?limit=0", "?next=x", "?match[type]=%FF", "?a=1"):
        answer = hub.ask("GET", f"{OBJECTS}{wrong}", key, headers=taxii)
        assert (answer.status_code, answer.json()["http_status"]) == (400, "400")
    for nowhere in (OBJECTS.replace("everything", ""), OBJECTS.replace("region", "%2F")):
        assert hub.ask("GET", nowhere, key, headers=taxii).status_code == 404
