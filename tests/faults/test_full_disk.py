"""A hub whose disk is full: it says so over HTTP, keeps what it said, and goes on after."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from tests.sim.objects import indicator
from tests.sim.process import RunningHub


def limit_files(hub: RunningHub, size_bytes: int) -> None:
    """Let the hub's process write no file beyond a size: to it, the disk is full there."""
    resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def large() -> dict[str, Any]:
    return indicator(description="x" * 100_000)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's prlimit")
def test_a_hub_that_cannot_write_says_so_and_goes_on_after(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    sg = hub.key("SG")
    limit_files(hub, 8 * 1024 * 1024)
    acknowledged: list[str] = []
    refusal: dict[str, Any] = {}
    with hub.client(sg) as client:
        while not refusal:
            objects = [large() for _ in range(5)]
            answer = client.post("/api/objects", json={"objects": objects})
            if answer.status_code == 200:
                assert answer.json()["accepted"] == 5
                acknowledged += [one["id"] for one in objects]
                assert len(acknowledged) < 1_000, "the disk never filled"
            else:
                refusal = answer.json()["error"]
        assert (answer.status_code, refusal["code"]) == (507, "disk-full")
        assert int(answer.headers["retry-after"]) > 0
        assert refusal["next_step"]
        assert hub.ids(sg) == acknowledged, "nothing is half stored, and reading goes on"
        limit_files(hub, resource.RLIM_INFINITY)
        answer = client.post("/api/objects", json={"objects": objects})
        assert answer.json()["accepted"] == 5
    hub.check()
    assert hub.stop().code == 0
    hub.start()
    assert hub.ids(sg) == acknowledged + [one["id"] for one in objects]
