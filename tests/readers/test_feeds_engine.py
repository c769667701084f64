"""The zone in the real name server: it loads, and it blocks what it says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bayanihan.core.marking import PUBLIC
from bayanihan.core.observables import Observable
from bayanihan.readers.feeds import FORMATS, Heading, Item, render
from bayanihan.readers.feeds.rpz import CANARY, ZONE_OCTETS
from tests.readers.record import START_US, Record, draft, indicator, named, new_id

pytestmark = pytest.mark.consumer
HEADING = Heading("rpz.zone", False, "clear", "cursor", "version", START_US, 1, 0, 0)


def program(name: str) -> str:
    """The path of a program of BIND, or a skip where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} must be installed where CI=true")
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path / "hub") as found:
        yield found


def load(path: Path, zone: str = "rpz.example") -> None:
    """Let the checker load a zone as strictly as it can."""
    command = [program("named-checkzone"), "-k", "ignore", zone, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def place(folder: Path, body: bytes) -> Path:
    path = folder / "rpz.zone"
    path.write_bytes(body)
    return path


def test_it_loads_as_it_is(record: Record, tmp_path: Path) -> None:
    names = ["evil-one.com", "_dmarc.evil-two.com", "xn--ngn-hng-dwao.com", "x.y.evil-one.com"]
    names += [f"n{number}.bulk-evil.net" for number in range(1_000)]
    record.append(
        *[draft(each, indicator(each, named(name))) for name in names for each in [new_id()]]
    )
    record.push(named("play.example"), exercise=True)
    for feed, items in (("rpz.zone", len(names)), ("exercise-rpz.zone", 1)):
        found = record.press.version(feed, record.rights(PUBLIC), record.now_us)
        assert found.items == items
        load(place(tmp_path, found.body))


def test_an_empty_one_loads(record: Record, tmp_path: Path) -> None:
    load(place(tmp_path, record.press.version("rpz.zone", (), 0).body))


def test_what_the_format_lets_through_loads_under_the_longest_zone(tmp_path: Path) -> None:
    format_ = FORMATS["rpz.zone"]
    candidates = [
        *("a." * 93 + "co", "b." * 94 + "co", "24.0.0.10.rpz-ip", "x.rpz-drop", CANARY),
        *(f"x.{CANARY}", f"x.y.{CANARY}", "in.cname", "ns.a.in", "1.2.3.txt", "_x._y.com"),
        *("a--b.com", "0.0.0.0.in-addr.arpa", "ttl.com", "60.in", "x" * 63 + ".com"),
    ]
    found = [Observable("domain", name) for name in candidates]
    inside = [each for each in found if format_.refusal(each) is None]
    assert 0 < len(inside) < len(found)
    zone = f"{'z' * (ZONE_OCTETS - 4)}.z"
    items = [Item(each.type, each.value) for each in inside]
    path = place(tmp_path, render(format_, items, HEADING))
    load(path, zone)
    load(path)


CONF = """
options {{
    directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion yes; dnssec-validation no; pid-file none; session-keyfile none; notify no;
    response-policy {{ zone "rpz.example"; }} qname-wait-recurse no;
}};
controls {{ }};
zone "rpz.example" {{ type master; file "rpz.zone"; }};
zone "evil-one.com" {{ type master; file "live.zone"; }};
zone "innocent.com" {{ type master; file "live.zone"; }};
"""
LIVE = """$TTL 60
@ SOA localhost. hostmaster.localhost. 1 60 60 432000 60
@ NS localhost.
@ A 192.0.2.1
* A 192.0.2.1
y A 192.0.2.1
w.y A 192.0.2.1
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port(record: Record, tmp_path: Path) -> Iterator[int]:
    """A name server that has loaded the zone, on a port of the loop-back interface."""
    named_path = program("named")
    record.push(named("evil-one.com", "x.y.evil-one.com"))
    found = record.press.version("rpz.zone", record.rights(PUBLIC), record.now_us)
    place(tmp_path, found.body)
    (tmp_path / "live.zone").write_text(LIVE, encoding="ascii")
    chosen = free_port()
    config = tmp_path / "named.conf"
    config.write_text(CONF.format(folder=tmp_path, port=chosen), encoding="ascii")
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([named_path, "-g", "-c", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(100):
            if "NXDOMAIN" in ask(chosen, "evil-one.com") or server.poll() is not None:
                break
            time.sleep(0.1)
        assert server.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
        yield chosen
    finally:
        server.terminate()
        server.wait(timeout=20)


def ask(port: int, name: str, kind: str = "A") -> str:
    command = [program("dig"), "@127.0.0.1", "-p", str(port), "+time=1", "+tries=1", name, kind]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_engine_blocks_what_the_zone_says(record: Record, port: int) -> None:
    # The third and fourth lie between two listed names, where a wildcard alone does not reach.
    for name in ("evil-one.com", "q.evil-one.com", "y.evil-one.com", "w.y.evil-one.com"):
        assert "status: NXDOMAIN" in ask(port, name), name
    for name in ("x.y.evil-one.com", "z.x.y.evil-one.com"):
        assert "status: NXDOMAIN" in ask(port, name), name
    for name in ("innocent.com", "evil-one.com.innocent.com"):
        assert "status: NOERROR" in ask(port, name), name
    found = record.press.version("rpz.zone", record.rights(PUBLIC), record.now_us)
    assert f'"{found.etag}"' in ask(port, CANARY, "TXT")
