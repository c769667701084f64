"""`push`: every kind of file in, every refusal listed, nothing lost on the way."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.sim.command import run
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, environment

SHARED = Path(__file__).resolve().parents[2] / "../shared"


def envelope(*objects: Any) -> bytes:
    return json.dumps({"objects": objects}).encode()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def test_push_takes_each_kind_of_file(
    at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    objects = [indicator() for _ in range(6)]
    (tmp_path / "one.json").write_bytes(json.dumps(objects[0]).encode())
    (tmp_path / "two.json.gz").write_bytes(gzip.compress(envelope(objects[1])))
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": [objects[2]]}
    members = {"a/b.json": json.dumps(bundle).encode(), "c.json": envelope(objects[3])}
    archive(tmp_path / "three.tar.gz", {**members, "README": b"not for the hub"})
    (tmp_path / "four.txt").write_bytes(b"\xef\xbb\xbf" + envelope(objects[4]))
    files = ["one.json", "two.json.gz", "three.tar.gz", "four.txt"]
    code, out, err = run(capfd, "push", "--json", *files)
    answer = json.loads(out)
    assert (code, answer["accepted"], answer["refused"]) == (0, 5, 0)
    assert {each["id"] for each in answer["results"]} == {one["id"] for one in objects[:5]}
    assert all({"id", "result", "code", "path", "reason"} <= set(e) for e in answer["results"])
    assert "skipped 1 members of three.tar.gz" in err
    done = command(
        "push", "-", stdin=envelope(objects[5]), env={"BAYANIHAN_HUB": at.url,
        "BAYANIHAN_DATA": str(at.data)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"1 accepted, 0 duplicate, 0 refused\n")


def test_what_was_refused_is_listed_and_the_rest_is_kept(
    at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good, bad = indicator(), indicator(valid_from="\x1b[2J\nrefused yesterday")
    (tmp_path / "mixed.json").write_bytes(envelope(bad, good))
    (tmp_path / "half.json").write_bytes(envelope(good)[:-9])
    (tmp_path / "half.json.gz").write_bytes(gzip.compress(envelope(good))[:-9])
    (tmp_path / "half.tar.gz").write_bytes(b"\x1f\x8b nothing")
    (tmp_path / "folder.json").mkdir()
    odd = tmp_path / os.fsdecode(b"odd\n\x1b[1m\xff.json")
    odd.write_bytes(b"{")
    files: list[str | Path] = [
        "mixed.json",
        "half.json",
        "half.json.gz",
        "half.tar.gz",
        "folder.json",
        odd,
        "no.json",
    ]
    code, out, err = run(capfd, "push", *files)
    assert code == 1
    *lines, last = out.splitlines()
    assert last == "1 accepted, 0 duplicate, 7 refused"
    assert len(lines) == 7
    assert all(line.startswith("refused ") for line in lines)
    assert "\x1b" not in out + err
    assert good["id"] in at.ids(at.admin)
    code, out, _ = run(capfd, "push", "--json", *files)
    answer = json.loads(out)
    assert (code, answer["refused"], answer["duplicate"]) == (1, 7, 1)
    assert all(each["reason"] for each in answer["results"] if each["result"] == "refused")


def test_push_marks_what_comes_unmarked(
    at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one = indicator()
    (tmp_path / "one.json").write_bytes(envelope(one))
    code, _, err = run(capfd, "push", "--tlp", "beige", "one.json")
    assert (code, "beige" in err) == (1, True)
    assert run(capfd, "push", "--tlp", "clear", "one.json")[0] == 0
    assert one["id"] in at.ids()


def test_push_withdraws(at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = indicator()
    (tmp_path / "one.json").write_bytes(envelope(one))
    run(capfd, "push", "--tlp", "clear", "one.json")
    code, _, err = run(capfd, "push", "--withdraw", one["id"])
    assert (code, err) == (0, f"withdrawn {one['id']}\n")
    for wrong in ("indicator--x", "../keys/x", "a?b#c", "%2e%2e"):
        assert run(capfd, "push", "--withdraw", wrong)[0] == 1


def test_what_was_accepted_is_told_when_the_hub_goes_away(
    own_hub: RunningHub, told: None, tmp_path: Path
) -> None:
    """A push of two files, the hub stopped between them by the first one's reader."""
    hub = own_hub.start()
    os.mkfifo(tmp_path / "second.json")
    (tmp_path / "first.json").write_bytes(envelope(indicator()))
    pushing = subprocess.Popen(
        [sys.executable, "-m", "bayanihan", "push", "--json", "first.json", "second.json"],
        env=environment(BAYANIHAN_HUB=hub.url, BAYANIHAN_DATA=str(hub.data)),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with (tmp_path / "second.json").open("wb") as second:  # opens when the first was sent
        hub.stop()
        second.write(envelope(indicator()))
    out, err = pushing.communicate(timeout=60)
    assert pushing.returncode == 1
    assert json.loads(out)["accepted"] == 1
    assert b"[hub-unreachable]" in err


@pytest.mark.skipif(not (SHARED / "data/stix").is_dir(), reason="the public files are not here")
@pytest.mark.long
def test_public_intelligence_is_pushed_with_every_refusal_explained(
    own_hub: RunningHub, told: None
) -> None:
    hub = own_hub.start()
    stix = SHARED / "data/stix"
    files = [*sorted((stix / "atlas").glob("*.json*")), stix / "unit42-playbooks-stix20.tar.gz"]
    env = {"BAYANIHAN_HUB": hub.url, "BAYANIHAN_DATA": str(hub.data)}
    done = command("push", "--json", "--tlp", "clear", *files, env=env, timeout_s=300)
    answer = json.loads(done.stdout)
    assert answer["accepted"] > 20_000
    assert answer["refused"] < 1_000
    refused = [each for each in answer["results"] if each["result"] == "refused"]
    assert len(refused) == answer["refused"]
    assert all(each["code"] and each["path"] and each["reason"] for each in refused)
    again = command("push", "--json", "--tlp", "clear", *files, env=env, timeout_s=300)
    assert json.loads(again.stdout)["accepted"] == 0
    pulled = command("pull", env=env, timeout_s=300).stdout.splitlines()
    assert len(pulled) == answer["accepted"]


def test_a_fault_is_placed_as_the_file_counts(
    at: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Markings go first and large files go in parts; whoever mends the file knows neither."""
    bad = indicator(valid_from="yesterday")
    statement = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "definition_type": "statement",
        "definition": {"statement": "for everyone"},
    }
    (tmp_path / "several.json").write_bytes(envelope(indicator(), bad, statement))
    (tmp_path / "bare.json").write_bytes(json.dumps(bad).encode())
    code, out, _ = run(capfd, "push", "--json", "several.json", "bare.json")
    refused = [each for each in json.loads(out)["results"] if each["result"] == "refused"]
    assert code == 1
    assert [each["path"] for each in refused] == ["$.objects[1].valid_from", "$.valid_from"]
