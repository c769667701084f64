"""What `test_taxii_far` runs inside a namespace, where a hub is near at one address and far
at another: 300 ms there and back, and every hundredth packet lost.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from taxii2client.v21 import Collection, as_pages

from bench.line import FAR, ROUND_TRIP_MS
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import StreamReader, until

OBJECTS, PAGE = 200, 80
CUT_S = 0.7


@pytest.fixture(scope="module")
def far_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that listens to both; its own address is the near one."""
    data = tmp_path_factory.mktemp("far") / "data"
    hub = RunningHub(data, options=("--host", "0.0.0.0")).start()
    yield hub
    assert hub.stop().code == 0
    hub.check()


def sent_to_line(what: signal.Signals) -> None:
    os.kill(int(os.environ["LINE_PID"]), what)


def test_a_client_pages_everything_once(far_hub: RunningHub) -> None:
    sent = [indicator() for _ in range(OBJECTS)]
    key = far_hub.key("SG")
    assert far_hub.push(key, *sent)["accepted"] == OBJECTS
    shelves = "/taxii2/region/collections"
    known = far_hub.ask("GET", f"{shelves}/everything/", key).json()["id"]
    place = f"http://{FAR}:{far_hub.port}{shelves}/{known}/"
    shelf = Collection(place, user="x", password=key)
    pages = list(as_pages(shelf.get_objects, per_request=PAGE))
    assert [each for page in pages for each in page.get("objects", ())] == sent
    assert len(pages) == -(-OBJECTS // PAGE)


def test_a_stream_goes_on_after_a_cut(far_hub: RunningHub) -> None:
    """One subscriber waits the cut out; another gives up, and resumes where it broke."""
    key, reports = far_hub.key("SG"), [indicator() for _ in range(5)]
    ids = [each["id"] for each in reports]
    with (
        StreamReader(far_hub, key, "now", host=FAR).wait_open() as patient,
        StreamReader(far_hub, key, "now", host=FAR).wait_open() as hasty,
    ):
        far_hub.push(key, reports[0])
        until(lambda: patient.ids == hasty.ids == ids[:1])
        sent_to_line(signal.SIGUSR1)
        far_hub.push(key, *reports[1:4])
        time.sleep(CUT_S)
        assert patient.ids == hasty.ids == ids[:1]
        cursor = hasty.cursor
        hasty.__exit__()
        sent_to_line(signal.SIGUSR2)
        with StreamReader(far_hub, key, last_event_id=cursor, host=FAR) as resumed:
            far_hub.push(key, reports[4])
            until(lambda: resumed.ids == ids[1:] and patient.ids == ids)


def test_the_line_is_as_long_as_it_should_be(far_hub: RunningHub) -> None:
    """Else the other cases showed nothing."""
    began_s = time.monotonic()
    with socket.create_connection((FAR, far_hub.port), 30):
        assert time.monotonic() - began_s >= ROUND_TRIP_MS / 1_000
