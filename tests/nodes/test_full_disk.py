"""A database whose disk is full: it says so, keeps what it acknowledged, and goes on after."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bayanihan.errors import Unavailable
from bayanihan.ledger import Ledger, store_at
from bayanihan.ledger.contract.scene import SG, draft
from tests.nodes.cluster import DURABLE, NAMES, Cluster, ask_for_standbys
from tests.nodes.conftest import check
from tests.sim.postgres import Server

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.getuid() != 0, reason="a small disk is mounted: needs root"),
    pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount"),
]
SMALL = {"max_wal_size": "32MB", "min_wal_size": "32MB", "fsync": "off", "wal_recycle": "off"}


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    """A disk of that size under a folder that exists."""
    kept = path.stat()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)
    try:
        os.chown(path, kept.st_uid, kept.st_gid)
        path.chmod(0o700)
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def filled(path: Path) -> Path:
    """A file that takes what room is left."""
    file = path / "filler"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as target:
        while True:
            target.write(bytes(64 * 1024))
    return file


def refused(ledger: Ledger, numbers: Iterator[int], acknowledged: list[str]) -> Unavailable:
    """Append until it is refused; what was acknowledged before is noted."""
    while len(acknowledged) < 2_000:
        name = f"note--{next(numbers)}"
        try:
            ledger.append([draft(name, os.urandom(50_000))])
        except Unavailable as refusal:
            return refusal
        acknowledged.append(name)
    raise AssertionError("the disk never filled")


def test_a_standby_whose_disk_is_full_stops_nothing_and_follows_again(tmp_path: Path) -> None:
    """With another standby that has room; in the end the full one alone will do."""
    servers = [Server(settings=DURABLE).make().start(), *(Server(settings=DURABLE) for _ in "12")]
    primary, roomy, tight = servers
    cluster = Cluster(servers)
    with contextlib.ExitStack() as closing:
        for server in servers:
            closing.callback(server.stop)
        roomy.follow(primary, NAMES[0]).start()
        tight.follow(primary, NAMES[1])
        log = tight.data / "pg_wal"
        aside = tight.folder / "aside"
        log.rename(aside)
        log.mkdir()
        os.chown(log, aside.stat().st_uid, aside.stat().st_gid)
        closing.enter_context(small_disk(log, "80m"))
        closing.callback(tight.stop)  # before its disk goes
        shutil.copytree(aside, log, dirs_exist_ok=True)
        subprocess.run(["chown", "-R", "--reference", aside, log], check=True)
        tight.start()
        cluster.wait_streaming(2)
        ask_for_standbys(primary)
        ledger = closing.enter_context(
            contextlib.closing(Ledger(tmp_path, store=store_at(cluster.address)))
        )
        filler = filled(log)
        names = [f"note--{number}" for number in range(900)]
        for name in names:  # three of the log's files
            ledger.append([draft(name, os.urandom(50_000))])
        assert "No space left" in (tight.folder / "log").read_text(), "its disk never was full"
        filler.unlink()
        tight.stop()
        tight.start()
        cluster.wait_streaming(2)
        roomy.kill()
        ledger.append([draft("note--last")])
        found = [entry.object_id for entry, _ in ledger.scan(0, 5_000)]
        assert found == [*names, "note--last"]
        assert ledger.alarm is None
        check(primary.address())


@pytest.mark.parametrize("what", ["data", "log"])
def test_a_full_disk_is_said_and_survived(what: str, tmp_path: Path) -> None:
    """Of the data: the server says so. Of its log: it stops, until there is room again."""
    server = Server(settings=SMALL).make()
    place = server.data if what == "log" else server.data / "base"
    aside = server.folder / "aside"
    place.rename(aside)
    place.mkdir()
    os.chown(place, aside.stat().st_uid, aside.stat().st_gid)
    with small_disk(place, "130m"), contextlib.ExitStack() as closing:
        closing.callback(server.stop)
        shutil.copytree(aside, place, dirs_exist_ok=True)
        subprocess.run(["chown", "-R", "--reference", aside, place], check=True)
        server.start()
        address = server.database("small")
        ledger = closing.enter_context(
            contextlib.closing(Ledger(tmp_path, store=store_at(address)))
        )
        numbers, acknowledged = count(), list[str]()
        ledger.append([draft("note--first")])
        filler = filled(place)
        refusal = refused(ledger, numbers, acknowledged)
        assert refusal.code in ({"disk-full"} if what == "data" else {"disk-full", "store-away"})
        assert refusal.retry_after_s
        filler.unlink()
        server.stop()
        server.start()
        ledger.append([draft("note--last")])
        found = {item.entry.object_id for item in ledger.read(SG, 0, 5_000).items}
        assert {"note--first", *acknowledged, "note--last"} <= found
        assert ledger.alarm is None
        check(address)
