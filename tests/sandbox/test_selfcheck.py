"""The self-check stops everything where there is isolation, and says so where there is none."""

from __future__ import annotations

import json

import pytest

from bayanihan import cli
from bayanihan.sandbox.selfcheck import selfcheck
from tests.sandbox.tools import isolator_or_skip

NAMES = {
    "fork-bomb", "memory-bomb", "endless-loop", "long-line", "big-file", "tcp", "udp",
    "unix-socket", "abstract-socket", "nested-namespace", "symlink-escape", "proc-escape",
    "write-outside", "stdin-stall", "ignored-sigterm", "state-kept",
}  # fmt: skip


def test_every_attempt_is_stopped_in_namespaces(capfd: pytest.CaptureFixture[str]) -> None:
    isolator_or_skip("L2")
    with pytest.raises(SystemExit) as ended:
        cli.main(["trial", "selfcheck", "--json", "--isolation", "L2"])
    told = json.loads(capfd.readouterr().out)
    assert (ended.value.code, told["level"]) == (0, "L2")
    assert {check["name"] for check in told["checks"]} == NAMES
    assert all(check["stopped"] and check["by"] for check in told["checks"])


def test_every_attempt_is_stopped_without_namespaces() -> None:
    checks = selfcheck(isolator_or_skip("L1"))
    assert [check.name for check in checks if not check.stopped] == []


def test_without_isolation_the_attempts_succeed_and_it_says_so(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The attempts are real: what stops them is the isolation, not their clumsiness."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["trial", "selfcheck", "--isolation", "L0"])
    told = capfd.readouterr()
    assert ended.value.code == 1
    assert "NO ISOLATION" in told.err
    gave = {line.split()[0] for line in told.out.splitlines() if "NOT STOPPED" in line}
    expected = "fork-bomb memory-bomb big-file tcp udp unix-socket abstract-socket"
    expected += " symlink-escape proc-escape write-outside"
    assert gave >= set(expected.split())
