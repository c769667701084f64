"""The same clients over a bad line: 300 ms there and back, and every hundredth packet lost.

The line is the loopback of a network namespace that ends with its process. Hub and clients
are those of the tests named below, which know nothing of the line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each packet crosses the loopback once in each direction. The queue must hold what is under way.
LINE = "tc qdisc add dev lo root netem delay 150ms loss 1% limit 100000"
WITHIN_S = 600
CLIENTS = (
    "test_taxii_clients.py::test_taxii2_client_submits_waits_and_pages",
    "test_taxii_clients.py::test_cytaxii2_discovers_polls_and_submits",
    "test_taxii_clients.py::test_the_loop_that_moves_added_after_beside_next",
    "test_taxii_clients.py::test_cron_and_curl",
    "test_taxii_beside_streams.py::test_polls_go_on_beside_idle_streams",
)


def inside(line: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a network namespace of its own, once its loopback is such a line."""
    unshared = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
    script = f'ip link set lo up && {line} && exec "$@"'
    return subprocess.run(
        [*unshared, "sh", "-c", script, "sh", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


@pytest.mark.long
def test_clients_work_over_a_bad_line() -> None:
    if not all(map(shutil.which, ("unshare", "ip", "tc"))):
        pytest.skip("unshare, ip and tc are needed")
    tried = inside(LINE, "true")
    if tried.returncode:
        pytest.skip(f"no delayed line can be had here: {tried.stderr.strip()}")
    words = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=", "-m", "not long")
    places = [f"tests/consumers/{each}" for each in CLIENTS]
    done = inside(LINE, sys.executable, "-m", "pytest", *words, *places)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert f"{len(CLIENTS)} passed" in done.stdout
