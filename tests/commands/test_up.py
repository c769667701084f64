"""`bayanihan up` as a process: its first start, its end, and being killed at any moment."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment, free_port
from tests.sim.reader import StreamReader, until

STOPS_WITHIN_S = 5
BATCH = 20


@dataclass
class Sender:
    """Pushes until the hub is gone; keeps what was acknowledged apart from what was not."""

    hub: RunningHub
    key: str
    acknowledged: list[list[str]] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    def run(self) -> None:
        with self.hub.client(self.key) as client:
            while True:
                objects = [indicator() for _ in range(BATCH)]
                ids = [one["id"] for one in objects]
                try:
                    answer = client.post("/api/objects", json={"objects": objects})
                except httpx.TransportError:
                    self.unanswered = ids
                    return
                if answer.status_code != 200:
                    assert answer.json()["error"]["code"] == "stopping"
                    return
                assert answer.json()["accepted"] == BATCH
                self.acknowledged.append(ids)


class Load:
    """Several senders at work, from the moment the first answers came."""

    def __init__(self, hub: RunningHub, key: str, count: int) -> None:
        self.senders = [Sender(hub, key) for _ in range(count)]
        self._threads = [threading.Thread(target=sender.run) for sender in self.senders]
        for thread in self._threads:
            thread.start()
        until(lambda: all(len(sender.acknowledged) > 2 for sender in self.senders))

    def check(self, found: set[str]) -> None:
        """What was acknowledged is there; of what was not, all or nothing."""
        for thread in self._threads:
            thread.join()
        for sender in self.senders:
            assert {one for batch in sender.acknowledged for one in batch} <= found
            assert len(found & set(sender.unanswered)) in (0, BATCH)


# --- the first start -------------------------------------------------------------------------


def lines_until_ready(hub: RunningHub) -> Iterator[str]:
    """What a start prints; the hub is ended once it is ready."""
    hub.port = free_port()
    words = ("up", "--data", str(hub.data), "--port", str(hub.port))
    with subprocess.Popen(
        [sys.executable, "-m", "bayanihan", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        until(lambda: ready(hub) == 200)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        yield from process.stdout


def ready(hub: RunningHub) -> int:
    try:
        return hub.ask("GET", "/health/ready").status_code
    except httpx.TransportError:
        return 0


def test_the_first_start_shows_the_operators_key_once(own_hub: RunningHub) -> None:
    first = list(lines_until_ready(own_hub))
    path = own_hub.data / "admin.key"
    assert own_hub.admin in first[0]
    assert str(path) in first[1]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == own_hub.admin + "\n"
    assert list(lines_until_ready(own_hub)) == []


def test_a_second_hub_on_one_directory_is_refused(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    done = command("up", "--data", hub.data, "--port", str(free_port()))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Another hub is using this data directory (")
    assert b"[data-locked]" in done.stderr
    assert str(hub.data).encode() in done.stderr
    other = command("up", "--data", hub.data.with_name("other"), "--port", str(hub.port))
    assert other.returncode == 1
    assert b"[bad-setting]" in other.stderr
    assert hub.ask("GET", "/health/ready").status_code == 200


@pytest.mark.parametrize("text", ["colour = 1", "port = 'x'", "port = ", "[retain_days]\nx = 1"])
def test_settings_that_cannot_be_are_refused_at_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "hub.toml").write_text(text)
    done = command("up", "--data", tmp_path, "--port", str(free_port()))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"[bad-setting]" in done.stderr
    assert b"hub.toml" in done.stderr
    assert text.startswith("colour") == (b"colour" in done.stderr)
    assert not (tmp_path / "ledger.db").exists()


def test_it_is_ready_once_the_feeds_are(own_hub: RunningHub) -> None:
    """With nothing folded yet: whoever is told `ready` finds everything in the feed."""
    hub = own_hub.start()
    names = [f"n{number}-evil.com" for number in range(3_000)]
    for at in range(0, len(names), 1_000):
        hub.push(
            hub.admin, *[indicator(value=name) for name in names[at : at + 1_000]], tlp="clear"
        )
    assert hub.stop().code == 0
    shutil.rmtree(hub.data / "projections")
    hub.launch()
    answers: list[dict[str, Any]] = []
    until(lambda: ready(hub) in (200, 503))
    with hub.client() as client:
        while (answer := client.get("/health/ready")).status_code == 503:
            answers.append(answer.json()["error"])
        feed = client.get("/feeds/domains.txt").text.splitlines()
    assert set(names) <= set(feed)
    assert all(each["code"] == "starting" for each in answers)


# --- the end ---------------------------------------------------------------------------------


def test_sigterm_ends_it_soon_and_loses_nothing(own_hub: RunningHub) -> None:
    """Under load, with streams open that nobody closes."""
    hub = own_hub.start()
    sg = hub.key("SG")
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(StreamReader(hub, sg, "now")).wait_open()
        load = Load(hub, sg, 3)
        stopped = hub.stop()
    assert (stopped.code, stopped.stderr) == (0, "")
    assert stopped.after_s < STOPS_WITHIN_S
    hub.check()
    hub.start()
    load.check(set(hub.ids(sg)))


def test_kill_at_any_moment_loses_nothing_acknowledged(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    sg = hub.key("SG")
    chance = random.Random(3)
    for _ in range(3):
        load = Load(hub, sg, 3)
        threading.Event().wait(chance.random() * 0.3)
        hub.kill()
        hub.check()
        hub.start()
        load.check(set(hub.ids(sg)))
    hub.check()
