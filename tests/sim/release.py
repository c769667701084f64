"""Writes the data directory of a release into one file, for later releases to open.

Run it once, with the code that is about to be released:

    python -m tests.sim.release tests/vectors

Its hub lives for a few seconds on the loop-back interface; no secret in it opens anything else.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bayanihan import __version__
from bayanihan.core import moment
from bayanihan.core.marking import TLP_2_IDS
from bayanihan.core.receipt import Receipt, sign
from bayanihan.core.signing import SigningKey
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

EXPECTED = "expected.json"
VIEWERS = ("public", "operator", "sg", "vn", "bank")
# Made anew by whichever release opens the rest, or a lock of the one that wrote.
LEFT_OUT = ("index", "projections", "lock")


def feed_lines(hub: RunningHub, feed: str, key: str) -> list[str]:
    """What a feed says, without its head."""
    lines = hub.ask("GET", f"/feeds/{feed}", key).text.splitlines()
    return [line for line in lines if line and not line.startswith(("#", ";"))]


def seen(hub: RunningHub, keys: dict[str, str], but: list[str]) -> dict[str, Any]:
    """What each viewer reads: the ids of objects, and the list of names to block.

    `but` are ids of exercises and of what was taken back: whether these are read beside the
    rest is a question of the interface and not of the data.
    """
    return {
        name: {
            "ids": [each for each in hub.ids(keys[name]) if each not in but],
            "domains": feed_lines(hub, "domains.txt", keys[name]),
        }
        for name in VIEWERS
    }


def protection(hub: RunningHub, keys: dict[str, str], object_id: str) -> dict[str, str]:
    """Each member's state without what time alone changes: who once was, stays or is stale."""
    rows = hub.ask("GET", f"/api/protection/{object_id}", keys["operator"]).json()["members"]
    return {row["member"]: row["state"].replace("stale", "protected") for row in rows}


def fill(hub: RunningHub) -> dict[str, Any]:
    """Put a little of everything into an empty hub; what a later release must find in it."""
    hub.constituent("SG", "harbour-bank")
    hub.group("mekong", "KH", "LA", "TH", "VN")
    keys = {
        "public": "",
        "operator": hub.admin,
        "sg": hub.key("SG", person="ana"),
        "vn": hub.key("VN", person="linh"),
        "bank": hub.key("SG", constituent="harbour-bank"),
    }
    sg, vn = keys["sg"], keys["vn"]
    kept = indicator(value="kept-evil.com", name="giữ lại · เก็บไว้ · 保留")
    levels = [
        indicator(value=f"{level.replace('+', '-')}-evil.com", object_marking_refs=[ref])
        for level, ref in TLP_2_IDS.items()
    ]
    withdrawn, erased = indicator(value="withdrawn-evil.com"), indicator(value="erased-evil.com")
    hub.push(sg, kept, withdrawn, erased, tlp="clear")
    hub.push(sg, *levels)
    drill = indicator(value="drill.exercise.example")
    hub.push(sg, drill, tlp="clear", exercise=True)
    hub.push(vn, indicator(value="river-evil.com"), group="mekong")
    hub.push(vn, indicator(object_marking_refs=[TLP_2_IDS["red"]]), to="SG/ana")
    hub.push(sg, {**kept, "modified": "2026-01-02T00:00:00.000Z"}, tlp="clear")
    hub.push(sg, kept, tlp="green")
    hub.ask("DELETE", f"/api/objects/{withdrawn['id']}", sg, params={"reason": "false alarm"})
    hub.ask("POST", f"/api/objects/{erased['id']}/erase", sg, params={"reason": "a name in it"})
    _settle(hub, "withdrawn-evil.com", "erased-evil.com")
    _receipt(hub, vn)
    return {
        "keys": keys,
        "kept": kept["id"],
        "erased": "erased-evil.com",
        "but": (but := [drill["id"], withdrawn["id"]]),
        "seen": seen(hub, keys, but),
        "protection": protection(hub, keys, kept["id"]),
        "cursor": hub.ask("GET", "/api/objects", sg, params={"limit": 1_000}).json()["next"],
        "verifier_key": hub.ask("GET", "/api/hub").json()["verifier_key"],
    }


def _settle(hub: RunningHub, *gone: str) -> None:
    """Wait until the feeds hold what was kept and nothing of what was taken back."""
    until_s = time.monotonic() + 20
    while True:
        lines = feed_lines(hub, "domains.txt", hub.admin)
        if "kept-evil.com" in lines and not set(gone) & set(lines):
            return
        assert time.monotonic() < until_s, lines
        time.sleep(0.05)


def _receipt(hub: RunningHub, key: str) -> None:
    feed = hub.ask("GET", "/feeds/domains.txt", key)
    receipt = Receipt(
        feed="domains.txt",
        cursor=feed.headers["bayanihan-cursor"],
        digest=feed.headers["bayanihan-digest"].removeprefix("sha-256="),
        state="probed",
        at=moment.render(time.time_ns() // 1_000),
    )
    answer = hub.ask("POST", "/api/receipts", key, json=sign(receipt, SigningKey(b"r" * 32)))
    assert answer.status_code == 200, answer.text


def pack(data: Path, expected: dict[str, Any], out: Path) -> None:
    """A data directory and what is expected of it, in one file that names nobody's machine."""
    files = {EXPECTED: json.dumps(expected, indent=1, ensure_ascii=False).encode()}
    for path in sorted(data.rglob("*")):
        place = path.relative_to(data)
        if path.is_file() and place.parts[0] not in LEFT_OUT:
            files[f"data/{place.as_posix()}"] = path.read_bytes()
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            archive.addfile(info, io.BytesIO(content))


def main(folder: Path) -> None:
    """Write `data-VERSION.tar.gz`."""
    with TemporaryDirectory() as work:
        hub = RunningHub(Path(work) / "data").start()
        expected = fill(hub)
        time.sleep(2)  # the head over all of it is signed within a second
        expected["checkpoint"] = hub.ask("GET", "/api/checkpoint", hub.admin).text
        assert hub.stop().code == 0
        hub.check()
        pack(hub.data, expected, folder / f"data-{__version__}.tar.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
