"""Starting, stopping and dying: nothing acknowledged is lost, and nothing is left behind."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment, free_port
from tests.sim.reader import StreamReader, until
from tests.sim.wire import Wire

STOP_WITHIN_S = 5.0


class Load:
    """Pushes one object after the other on several threads, and keeps what was acknowledged."""

    def __init__(self, hub: RunningHub, threads: int = 4) -> None:
        self.acknowledged: list[str] = []
        self._over = threading.Event()
        self._hub, self._key = hub, hub.key("SG")
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with suppress(httpx.HTTPError), self._hub.client(self._key) as client:
            while not self._over.is_set():
                objects = [indicator() for _ in range(random.randint(1, 20))]
                answer = client.post("/api/objects", json={"objects": objects})
                if answer.status_code == 200:
                    self.acknowledged += [each["id"] for each in answer.json()["results"]]

    def end(self) -> list[str]:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        return self.acknowledged


# --- starting --------------------------------------------------------------------------------


def test_the_first_start_shows_the_key_once_and_starts_clean(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        port = free_port()
        words = ["up", "--data", str(tmp_path / "data"), "--port", str(port)]
        starting = subprocess.Popen(
            [sys.executable, "-m", "bayanihan", *words],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        until(lambda: _ready(port))  # noqa: B023
        assert (
            httpx.get(f"http://127.0.0.1:{port}/api/objects", verify=False).json()["objects"] == []
        )
        starting.terminate()
        out, _ = starting.communicate(timeout=30)
        assert starting.returncode == 0
        shown.append(out.decode())
    key = (tmp_path / "data" / "admin.key").read_text().strip()
    assert shown[0].count(key) == 1
    assert key not in shown[1]
    assert "byn_" not in shown[1]


def _ready(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", verify=False).status_code == 200
    return False


def test_one_directory_is_used_by_one_hub(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    second = command("up", "--data", hub.data, "--port", str(free_port()))
    assert second.returncode == 1
    assert b"[data-locked]" in second.stderr
    assert str(hub.data).encode() in second.stderr
    assert hub.ask("GET", "/health/ready").status_code == 200


def test_a_port_in_use_is_told(hub: RunningHub, tmp_path: Path) -> None:
    second = command("up", "--data", tmp_path / "data", "--port", str(hub.port))
    assert second.returncode == 1
    assert b"[bad-setting]" in second.stderr
    assert str(hub.port).encode() in second.stderr
    assert b"Traceback" not in second.stderr


BAD_STARTS = {
    "an unknown setting": "prot = 9000",
    "no toml": "port = = 1",
    "a wrong type": 'port = "x"',
}


@pytest.mark.parametrize("name", BAD_STARTS)
def test_a_bad_setting_is_refused_at_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "hub.toml").write_text(BAD_STARTS[name])
    done = command("up", "--data", tmp_path, "--port", str(free_port()))
    assert done.returncode == 1
    assert b"[bad-setting]" in done.stderr
    assert b"hub.toml" in done.stderr
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "70000"],
        ["--port", "-1"],
        ["--host", "no.such.host.invalid"],
        ["--host", "999.1.1.1"],
    ],
    ids=" ".join,
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, words: list[str]) -> None:
    done = command("up", "--data", tmp_path / "data", *words)
    assert done.returncode in (1, 2)
    assert b"Traceback" not in done.stderr
    assert b"fault of ours" not in done.stderr


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = command("up", "--data", tmp_path / "file", "--port", str(free_port()))
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert str(tmp_path / "file").encode() in done.stderr


def test_a_record_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 500)
    done = command("up", "--data", tmp_path, "--port", str(free_port()))
    assert done.returncode == 1
    assert b"fault of ours" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_start_that_is_cut_short_is_taken_up_again(own_hub: RunningHub) -> None:
    """Killed or told to stop at any moment of its first start, the next start is whole."""
    chance = random.Random(20261122)
    for sent in (signal.SIGKILL, signal.SIGTERM) * 4:
        own_hub.launch()
        time.sleep(chance.uniform(0.0, 0.6))
        own_hub.process.send_signal(sent)
        code = own_hub.process.wait(30)
        assert code in (0, -sent), own_hub.stderr()  # or before it could listen to any signal
    hub = own_hub.start()
    assert len(hub.ask("GET", "/api/members").json()) == 11
    assert hub.ask("GET", "/api/keys", hub.admin).status_code == 200
    assert hub.stop().stderr == ""


# --- stopping --------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_is_quick_and_loses_nothing(
    own_hub: RunningHub, sent: signal.Signals
) -> None:
    hub = own_hub.start()
    load = Load(hub)
    until(lambda: len(load.acknowledged) > 200)
    stopped = hub.stop(sent)
    acknowledged = load.end()
    assert stopped.after_s < STOP_WITHIN_S
    assert stopped.code == (0 if sent is signal.SIGTERM else 130)
    assert "Traceback" not in stopped.stderr
    hub.check()
    hub.start()
    found = hub.ids(hub.key("VN"))
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_a_stop_with_200_open_streams_is_quick(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    with ExitStack() as stack:
        readers = [stack.enter_context(StreamReader(hub, after="now")) for _ in range(190)]
        for reader in readers:
            reader.wait_open()
        for _ in range(10):  # some who read nothing
            wire = stack.enter_context(Wire(hub.port, receive_bytes=4_096))
            wire.begin("GET", "/api/stream?after=now")
        hub.push(hub.admin, *[indicator(description="x" * 50_000) for _ in range(40)], tlp="clear")
        stopped = hub.stop()
        assert stopped.after_s < STOP_WITHIN_S
        assert stopped.code == 0
        assert all(reader.ended.wait(STOP_WITHIN_S) for reader in readers)
    assert "Traceback" not in stopped.stderr


def test_a_stop_waits_for_no_slow_sender(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    key = hub.key("SG")
    with Wire(hub.port) as wire:
        wire.begin("POST", "/api/objects", key, Content_Length="1000")
        wire.socket.sendall(b"{")
        stopped = hub.stop()
    assert stopped.after_s < STOP_WITHIN_S
    assert stopped.code == 0


def test_nothing_is_left_after_a_stop(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    children = Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children").read_text().split()
    hub.stop()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    with (hub.data / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", hub.port))
    assert not list(hub.data.rglob("*.partial"))


# --- dying -----------------------------------------------------------------------------------


def test_kill_9_under_load_loses_nothing_acknowledged(own_hub: RunningHub) -> None:
    chance = random.Random(7)
    hub = own_hub.start()
    acknowledged: set[str] = set()
    for _ in range(3):
        load = Load(hub)
        until(lambda: len(load.acknowledged) > 100)  # noqa: B023
        time.sleep(chance.uniform(0, 0.3))
        hub.kill()
        acknowledged |= set(load.end())
        hub.check()
        hub.start()
    found = hub.ids(hub.key("VN"))
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
    assert hub.stop().code == 0


@pytest.mark.long
def test_200_rounds_of_kill_9_end_in_a_whole_record(own_hub: RunningHub) -> None:
    chance = random.Random(200)
    acknowledged: set[str] = set()
    for _ in range(200):
        hub = own_hub.start()
        load = Load(hub, threads=2)
        time.sleep(chance.uniform(0, 0.5))
        hub.kill()
        acknowledged |= set(load.end())
    hub.check()
    hub.start()
    assert acknowledged <= set(hub.ids(hub.key("VN")))
    done = command("verify", "--data", hub.data)
    assert done.stdout.endswith(b"verify: ok\n")


# --- a full disk -----------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, so small that it fills; skipped where none can be mounted."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def pushed_until_refused(hub: RunningHub, key: str) -> tuple[list[str], httpx.Response]:
    """The ids that were taken before the first answer that is no 200, and that answer."""
    stored: list[str] = []
    for _ in range(200):
        objects = [indicator(description="x" * 20_000) for _ in range(20)]
        body = json.dumps({"objects": objects})
        answer = hub.ask("POST", "/api/objects", key, content=body)
        if answer.status_code != 200:
            return stored, answer
        stored += [one["id"] for one in objects]
    raise AssertionError("the disk never filled up")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told_and_nothing_is_half_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path, "12m") as disk:
        hub = RunningHub(disk / "data").start()
        try:
            key = hub.key("SG")
            stored, answer = pushed_until_refused(hub, key)
            assert answer.status_code == 507, answer.text
            assert answer.json()["error"]["code"] == "disk-full"
            assert hub.ids(key) == stored
            assert hub.ask("GET", "/health/live").status_code == 200
        finally:
            hub.stop()
        hub.check()


def test_a_start_loads_no_client_and_nothing_that_waits_for_its_first_use(tmp_path: Path) -> None:
    waits = "httpx holidays numpy pydantic scipy psycopg rich sklearn stix2".split()
    code = (
        "import pathlib, sys; import bayanihan.commands.up;"
        " from bayanihan.app import create_app; from bayanihan.hub import Hub;"
        " create_app(Hub(pathlib.Path(sys.argv[1])));"
        f" print([n for n in {waits} if n in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout == "[]\n"
