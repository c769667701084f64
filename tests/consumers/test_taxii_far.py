"""Clients and streams over a bad line: 300 ms there and back, and every hundredth packet lost.

The line is a device in a network namespace (`bench.line`). The short cases are in
`far_cases`; the long ones are the tests named below, which know nothing of the line.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.line import FAR, inside, refusal

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = (
    "test_taxii_clients.py::test_taxii2_client_submits_waits_and_pages",
    "test_taxii_clients.py::test_cytaxii2_discovers_polls_and_submits",
    "test_taxii_clients.py::test_the_loop_that_moves_added_after_beside_next",
    "test_taxii_clients.py::test_cron_and_curl",
    "test_taxii_beside_streams.py::test_polls_go_on_beside_idle_streams",
)


@pytest.fixture(scope="module")
def line() -> None:
    """Skip where no such line can be had; CI must have one."""
    why = refusal()
    if why and os.environ.get("CI"):
        pytest.fail(f"a delayed line must be had in CI: {why}")
    if why:
        pytest.skip(f"no delayed line can be had here: {why}")


def passed(*places: str, within_s: float, **variables: str) -> tuple[int, int]:
    """Run tests beside a line; how many passed, and how many packets the line lost."""
    # Plugins that nothing here needs would take half of the time.
    words = ("-q", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider", "-m", "not long")
    variables |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        inside(sys.executable, "-m", "pytest", *words, *places),
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    told = re.search(r"(\d+) passed", done.stdout), re.search(r"(\d+) lost", done.stderr)
    counts = [int(found[1]) for found in told if found]
    assert len(counts) == 2, done.stdout[-1_000:] + done.stderr[-1_000:]
    return counts[0], counts[1]


@pytest.mark.usefixtures("line")
def test_nothing_is_missed_or_repeated_over_a_bad_line() -> None:
    count, lost = passed("tests/consumers/far_cases.py", within_s=120)
    assert (count, lost > 0) == (3, True)


@pytest.mark.long
@pytest.mark.usefixtures("line")
def test_clients_work_over_a_bad_line() -> None:
    places = [f"tests/consumers/{each}" for each in CLIENTS]
    count, lost = passed(*places, within_s=900, HUB_HOST=FAR)
    assert (count, lost > 0) == (len(CLIENTS), True)
