"""The command, run as a process: what it prints, how it ends, and what being killed leaves."""

from __future__ import annotations

import hashlib
import random
import shlex
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.process import WAIT_S, AgentProcess
from tests.sim.hub import SimulatedHub, zone

PYTHON = shlex.quote(sys.executable)


@pytest.fixture
def agent(tmp_path: Path, hub: SimulatedHub) -> AgentProcess:
    return AgentProcess(tmp_path, hub.address)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has to come."""
    for _ in range(WAIT_S * 100):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def test_once_prints_one_line(agent: AgentProcess, hub: SimulatedHub) -> None:
    hub.publish(zone(1, "a.example", "b.example"))
    code, output, errors = agent.once()
    assert (code, errors) == (0, "")
    assert output == f"rpz.zone: placed; {agent.out} holds 2 items, fetched; receipt accepted\n"
    code, output, errors = agent.once()
    assert (code, output.startswith("rpz.zone: current;")) == (0, True)
    key = agent.folder / "home/.local/state/bayanihan/agent/agent.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(hub.publics) == 1


def test_once_ends_with_1_when_refused(agent: AgentProcess, hub: SimulatedHub) -> None:
    code, output, errors = agent.once()
    assert (code, output) == (1, "")
    assert "[not-found]" in errors
    hub.publish(zone(1))
    code, output, errors = agent.once("--check", "false")
    assert (code, output, agent.out.exists()) == (1, "", False)
    assert "[check-failed]" in errors
    hub.refusal = (403, "pending")
    code, output, errors = agent.once()
    assert (code, agent.out.exists()) == (1, True)
    assert "receipt not sent yet" in output
    assert "[pending]" in errors


@pytest.mark.parametrize(
    "options",
    [
        ["--check", "no-such-command-here {}"],
        ["--reload", "echo 'open"],
        ["--every", "0"],
        ["--hub", "not an address"],
        ["--hub", "ftp://127.0.0.1/"],
        ["--unknown"],
    ],
)
def test_wrong_use_ends_with_2(agent: AgentProcess, options: list[str]) -> None:
    code, _, errors = agent.once(*options)
    assert code == 2
    assert "Traceback" not in errors
    assert options[0] in errors


@pytest.mark.parametrize("key", ["byn _bad", " ", "byn_\u00e9", ""])
def test_a_key_that_cannot_be_read_takes_nothing_away(
    agent: AgentProcess, hub: SimulatedHub, key: str
) -> None:
    hub.publish(zone(1, "amber.example"))
    assert agent.once()[0] == 0
    hub.publish(zone(2))
    agent.environment["BAYANIHAN_KEY"] = key
    code, output, errors = agent.once()
    assert (code, output, "[not-signed-in]" in errors) == (1, "", True)
    assert agent.out.read_bytes() == zone(1, "amber.example")
    agent.environment["BAYANIHAN_KEY"] = ""
    code, output, errors = agent.once("--public")
    assert (code, output, "[not-signed-in]" in errors) == (1, "", True)
    assert agent.out.read_bytes() == zone(1, "amber.example")


def test_what_is_public_is_followed_when_asked_for(agent: AgentProcess, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    code, _, errors = agent.once("--public")
    assert (code, "[wrong-use]" in errors) == (2, True)
    agent.environment["BAYANIHAN_KEY"] = ""
    for word in ("placed", "current"):
        code, output, errors = agent.once("--public")
        assert (code, errors, output.startswith(f"rpz.zone: {word};")) == (0, "", True)
    assert (agent.out.read_bytes(), hub.authorization) == (zone(1), "")


def test_a_name_that_is_no_feed_is_wrong_use(agent: AgentProcess) -> None:
    code, _, errors = agent.once(feed="../etc/passwd")
    assert (code, "[wrong-use]" in errors) == (2, True)


def test_a_place_that_cannot_be_is_named(agent: AgentProcess) -> None:
    agent.out.mkdir()
    code, _, errors = agent.once()
    assert (code, "[wrong-use]" in errors) == (2, True)
    agent.out = agent.folder / "nowhere" / "rpz.zone"
    code, _, errors = agent.once()
    assert (code, "[cannot-write]" in errors) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quietly(
    agent: AgentProcess, hub: SimulatedHub, number: signal.Signals
) -> None:
    hub.publish(zone(1))
    process = agent.start("--every", "600")
    until(lambda: hub.states == ["fetched"])
    process.send_signal(number)
    output, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")
    assert output.count("\n") <= 1


def test_a_signal_ends_a_command_that_hangs(agent: AgentProcess, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    mark = agent.folder / "started"
    code = f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(600)"
    process = agent.start("--check", f"{PYTHON} -c {shlex.quote(code)}")
    until(mark.exists)
    process.terminate()
    _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors, agent.out.exists()) == (0, "", False)
    assert not (agent.folder / ".rpz.zone.incoming").exists()


def test_two_agents_do_not_share_a_file(agent: AgentProcess, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    process = agent.start("--every", "600")
    try:
        until(lambda: hub.states == ["fetched"])
        code, _, errors = agent.once()
        assert code == 1
        assert "Another agent looks after this file" in errors
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


def test_a_full_disk_keeps_the_last_good_file(agent: AgentProcess, hub: SimulatedHub) -> None:
    hub.publish(zone(1, "a.example"))
    agent.once()
    hub.publish(zone(2, *(f"n{number}.example" for number in range(5_000))))
    code, _, errors = agent.once(small_disk=True)
    assert code == 1
    assert "[disk-full]" in errors
    assert agent.out.read_bytes() == zone(1, "a.example")
    assert not (agent.folder / ".rpz.zone.incoming").exists()
    assert agent.once()[0] == 0


def test_it_follows_what_is_published(agent: AgentProcess, hub: SimulatedHub) -> None:
    process = agent.start("--every", "0.1")
    try:
        for number in range(1, 4):
            digest = hub.publish(zone(number, f"n{number}.example"))
            until(lambda: digest in {receipt.digest for receipt in hub.receipts})  # noqa: B023
            assert agent.out.read_bytes() == zone(number, f"n{number}.example")
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_any_moment_the_file_is_whole(
    agent: AgentProcess, hub: SimulatedHub, rounds: int
) -> None:
    """The feed changes all the time, and each version is checked and loaded for a while."""
    stop = threading.Event()

    def publish() -> None:
        number = 0
        while not stop.wait(0.01):
            number += 1
            hub.publish(zone(number, *(f"n{number}-{n}.example" for n in range(2_000))))

    chance = random.Random(rounds)
    publisher = threading.Thread(target=publish)
    publisher.start()
    options = ("--every", "0.1", "--check", "sleep 0.02", "--reload", "sleep 0.02")
    seen: set[str] = set()
    try:
        for _ in range(rounds):
            before = len(hub.fetched)
            process = agent.start(*options)
            until(lambda: len(hub.fetched) > before)  # noqa: B023
            time.sleep(0.3 * chance.random())
            process.kill()
            process.communicate(timeout=WAIT_S)
            if agent.out.exists():
                digest = hashlib.sha256(agent.out.read_bytes()).hexdigest()
                assert digest in hub.served
                seen.add(digest)
    finally:
        stop.set()
        publisher.join()
    assert len(seen) > 1
    code, _, errors = agent.once(*options)
    assert (code, errors) == (0, "")
    assert hashlib.sha256(agent.out.read_bytes()).hexdigest() == hub.receipts[-1].digest
    kept = {path.name for path in agent.folder.iterdir()}
    names = {"rpz.zone", ".rpz.zone.lock", ".rpz.zone.record", ".rpz.zone.last-good", "home"}
    assert kept <= names
