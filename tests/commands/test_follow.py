"""`pull` and `follow`: everything once, over restarts and readers who go away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.command import run
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment
from tests.sim.reader import until


def test_pull_fetches_everything_once_and_goes_on(
    at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    objects = [indicator(description="\u2028 two\nlines") for _ in range(5)]
    at.push_bytes(at.admin, json.dumps(objects[0], indent=2).encode())
    at.push(at.admin, *objects[1:])
    code, _, err = run(capfd, "pull", "--out", "all.jsonl", "--state", "cursor")
    assert code == 0
    lines = (tmp_path / "all.jsonl").read_bytes().split(b"\n")
    found = [json.loads(line) for line in lines if line]
    assert f"objects: {len(found)}" in err
    assert [each for each in found if each in objects] == objects
    assert len({json.dumps(each) for each in found}) == len(found)
    later = indicator()
    at.push(at.admin, later)
    code, out, _ = run(capfd, "pull", "--state", "cursor")
    assert [json.loads(line) for line in out.splitlines()] == [later]
    code, out, _ = run(capfd, "pull", "--limit", "2")
    assert (code, len(out.splitlines())) == (0, 2)


def test_a_cursor_that_is_none_is_told(
    at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bent").write_text("A" * 43)
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    assert run(capfd, "pull", "--state", "bent")[0] == 1
    code, _, err = run(capfd, "pull", "--state", "binary")
    assert (code, "[cannot-read]" in err) == (1, True)
    code, _, err = run(capfd, "pull", "--out", "no/such/folder")
    assert (code, "no/such/folder" in err) == (1, True)


def test_follow_resumes_over_a_restart_without_a_gap_or_a_repeat(
    own_hub: RunningHub, told: None, tmp_path: Path
) -> None:
    hub = own_hub.start()
    out, state = tmp_path / "events.jsonl", tmp_path / "cursor"
    objects = [indicator() for _ in range(40)]
    hub.push(hub.admin, indicator())  # before "now"
    with out.open("wb") as file:
        following = subprocess.Popen(
            [sys.executable, "-m", "bayanihan", "follow", "--state", str(state)],
            env=environment(BAYANIHAN_HUB=hub.url, BAYANIHAN_DATA=str(hub.data)),
            stdout=file,
            stderr=subprocess.PIPE,
        )
    try:
        until(state.exists)
        hub.stop()  # before it saw anything
        hub.start()
        hub.push(hub.admin, *objects[:10])
        until(lambda: len(seen(out)) == 10)
        hub.kill()
        hub.start()
        hub.push(hub.admin, *objects[10:20])
        until(lambda: len(seen(out)) == 20)
    finally:
        following.terminate()
        _, err = following.communicate(timeout=30)
    hub.push(hub.admin, *objects[20:])
    done = command(
        *("follow", "--state", state, "--limit", "20"),
        env={"BAYANIHAN_HUB": hub.url, "BAYANIHAN_DATA": str(hub.data)},
    )
    assert done.returncode == 0
    found = seen(out) + [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert found == [one["id"] for one in objects]
    assert b"Traceback" not in err
    hub.stop()


def seen(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().split(b"\n")[:-1]]


def test_a_reader_of_the_output_who_goes_away_is_no_fault(hub: RunningHub, told: None) -> None:
    hub.push(hub.admin, *[indicator(description="x" * 2_000) for _ in range(200)])
    for words in (["pull"], ["follow", "--after", ""]):
        writing = subprocess.Popen(
            [sys.executable, "-m", "bayanihan", *words],
            env=environment(BAYANIHAN_HUB=hub.url, BAYANIHAN_DATA=str(hub.data)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert writing.stdout is not None
        assert writing.stderr is not None
        assert writing.stdout.readline()
        writing.stdout.close()
        err = writing.stderr.read()
        writing.stderr.close()
        assert writing.wait(30) == 1
        assert b"Traceback" not in err
        assert b"BrokenPipe" not in err
