"""Commands run without a shell, end in time, and leave nothing behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bayanihan.agent.engine import OUTPUT_LIMIT_BYTES, Command, command
from bayanihan.errors import Refused
from tests.agent.conftest import python


def test_the_braces_become_the_file() -> None:
    ran = python("import sys; print(sys.argv[1:])", "{}", "-f={}", "plain").run("a b;$(id)", {})
    assert ran.good
    assert ran.output.strip() == "['a b;$(id)', '-f=a b;$(id)', 'plain']"


def test_no_shell_reads_the_line(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    ran = command(f"echo '{{}}' ; touch {mark}", "--check").run("x", {})
    assert ran.output.split() == ["x", ";", "touch", str(mark)]
    assert not mark.exists()


def test_variables_are_given_and_the_key_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAYANIHAN_KEY", "secret")
    look = "import os; print(os.environ.get('BAYANIHAN_FILE'), os.environ.get('BAYANIHAN_KEY'))"
    assert python(look).run("", {"BAYANIHAN_FILE": "f"}).output.split() == ["f", "None"]


def test_the_last_line_tells_why() -> None:
    ran = python("import sys; print('first', flush=True); sys.exit('why it failed')").run("", {})
    assert (ran.good, ran.code) == (False, 1)
    assert ran.told() == "exit 1: why it failed"


def test_silence_is_told_as_the_exit_code() -> None:
    assert python("raise SystemExit(3)").run("", {}).told() == "exit 3"


def test_what_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    ran = python(code).run("", {}, timeout_s=2.0)
    assert (ran.good, ran.code is None or ran.code < 0) == (False, True)
    for pid in map(int, pids.read_text().split()):
        assert ended(pid)


def ended(pid: int) -> bool:
    """Whether a process ends; one that is only waiting to be collected counts."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_daemon_that_keeps_the_pipe_does_not_hold_it_up(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "print('started')\n"
    )
    ran = python(code).run("", {}, timeout_s=500.0)
    pid = int(pid_file.read_text())
    try:
        assert (ran.good, ran.output.strip()) == (True, "started")
        os.kill(pid, 0)
    finally:
        os.kill(pid, 9)


def test_output_is_bounded() -> None:
    ran = python("import sys; sys.stdout.write('x' * 5_000_000 + 'end')").run("", {})
    assert len(ran.output) <= OUTPUT_LIMIT_BYTES
    assert ran.output.endswith("end")


def test_a_closed_output_is_no_end() -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(0.2); os._exit(4)"
    assert python(code).run("", {}).code == 4


def test_a_command_that_went_missing_fails() -> None:
    ran = Command(("/no/such/command",)).run("", {})
    assert (ran.good, ran.code) == (False, 127)


@pytest.mark.parametrize("line", ["", "   ", "echo 'open", "no-such-command-here {}"])
def test_a_line_that_cannot_run_is_wrong_use(line: str) -> None:
    with pytest.raises(Refused) as caught:
        command(line, "--check")
    assert (caught.value.code, caught.value.where) == ("wrong-use", "--check")


def test_bytes_that_are_no_text_do_no_harm() -> None:
    ran = python("import sys; sys.stdout.buffer.write(bytes(range(256)))").run("", {})
    assert ran.good


def test_the_interpreter_is_there() -> None:
    assert command(f"{sys.executable} -c ''", "--check").run("", {}).good
