"""`/health/ready`: said when the feeds hold everything, and not before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx

from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import until
from tests.web.site import Site, eventually


def answered(hub: RunningHub) -> bool:
    try:
        return hub.ask("GET", "/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_it_is_ready_once_the_feeds_are(own_hub: RunningHub) -> None:
    """With nothing folded yet: whoever is told `ready` finds everything in the feed."""
    hub = own_hub.start()
    names = [f"n{number}-evil.com" for number in range(2_000)]
    for at in range(0, len(names), 1_000):
        objects = [indicator(value=name) for name in names[at : at + 1_000]]
        hub.push(hub.admin, *objects, tlp="clear")
    assert hub.stop().code == 0
    shutil.rmtree(hub.data / "projections")
    hub.launch()
    until(lambda: answered(hub))
    before: list[dict[str, Any]] = []
    with hub.client() as client:
        while (answer := client.get("/health/ready")).status_code == 503:
            before.append(answer.json()["error"])
        feed = client.get("/feeds/domains.txt").text.splitlines()
    assert answer.status_code == 200
    assert set(names) <= set(feed)
    assert all(each["code"] == "starting" for each in before)


def test_it_is_not_ready_while_the_feeds_stand_behind(tmp_path: Path) -> None:
    with Site(tmp_path / "data") as site, site.client() as client:
        assert eventually(lambda: client.get("/health/ready").status_code == 200)
        site.hub.folding.stop()
        one = indicator(value="late-evil.com")
        site.send("POST", "/api/objects", json=one, params={"tlp": "clear"})
        # As it is at a start, where what was committed before is not folded yet.
        site.hub._length_at_start = site.hub.ledger.length
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "starting")
        assert client.get("/health/live").status_code == 200
        site.hub.active.catch_up(site.hub.ledger.scan, site.hub.ledger.length)
        assert client.get("/health/ready").status_code == 200
        assert "late-evil.com" in client.get("/feeds/domains.txt").text
