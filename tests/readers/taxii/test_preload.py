"""A collection that begins with a file: loaded once, through the ordinary way in."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment, free_port

TOML = """
[[taxii.roots]]
name = "community"
title = "A community"
[[taxii.roots.collections]]
id = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
alias = "old"
title = "What they had"
own = true
tlp = "green"
preload = "old.json"
"""
PLACE = "/taxii2/community/collections/old/objects/"


def ordered(data: Path, objects: list[Any]) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    (data / "hub.toml").write_text(TOML)
    (data / "old.json").write_text(json.dumps({"type": "bundle", "objects": objects}))


def test_a_file_is_loaded_once_and_its_errors_are_listed(own_hub: RunningHub) -> None:
    good, bad = [indicator() for _ in range(3)], {**indicator(), "pattern": "[nonsense"}
    ordered(own_hub.data, [*good, bad])
    hub = own_hub.start()
    key = hub.key("SG")
    assert hub.ask("GET", PLACE, key).json()["objects"] == good
    length = hub.ask("GET", "/metrics", hub.admin).text
    hub.stop()
    hub.start()
    again = hub.ask("GET", "/metrics", hub.admin).text
    entries = [line for line in length.splitlines() if line.startswith("bayanihan_entries ")]
    assert entries == [line for line in again.splitlines() if line.startswith(entries[0][:18])]
    hub.stop()
    ordered(hub.data, [*good, another := indicator()])
    hub.start()
    assert hub.ask("GET", PLACE, key).json()["objects"] == [*good, another]


def test_what_became_of_the_file_is_printed(tmp_path: Path) -> None:

    bad = {**indicator(), "pattern": "[nonsense\x1b"}
    ordered(tmp_path / "data", [indicator(), bad])
    words = ["up", "--data", str(tmp_path / "data"), "--port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-m", "bayanihan", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line.rstrip("\n"))
            if "listens" in line:
                break
        process.send_signal(signal.SIGTERM)
    assert "old: 1 accepted, 1 refused" in told
    assert any(line.startswith(f"refused {bad['id']}: ") for line in told)


@pytest.mark.parametrize("fault", ["missing", "no json", "no objects"])
def test_a_file_that_cannot_be_used_is_refused_at_start(tmp_path: Path, fault: str) -> None:
    ordered(tmp_path, [])
    (tmp_path / "old.json").write_text({"no json": "{", "no objects": "[]"}.get(fault, ""))
    if fault == "missing":
        (tmp_path / "old.json").unlink()
    done = command("up", "--data", tmp_path, "--port", str(free_port()))
    assert done.returncode == 1
    assert b"[bad-setting]" in done.stderr
    assert b"old.json" in done.stderr
    assert b"preload" in done.stderr


def test_a_file_whose_terms_cannot_be_is_refused_at_start(tmp_path: Path) -> None:
    ordered(tmp_path, [indicator()])
    toml = (tmp_path / "hub.toml").read_text()
    (tmp_path / "hub.toml").write_text(f'{toml}\ngroup = "nobody-there"\n')
    done = command("up", "--data", tmp_path, "--port", str(free_port()))
    assert done.returncode == 1
    assert b"nobody-there" in done.stderr
    assert b"hub.toml: taxii.roots.community.old.preload" in done.stderr
    assert b"bayanihan member group" in done.stderr
