"""What every isolator must hold, tried from the inside by tools that want out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from bayanihan.errors import Refused
from bayanihan.sandbox.answer import NoAnswer, Question
from bayanihan.sandbox.isolate import LEVELS, Isolator, Limits, Stage, isolator_of
from bayanihan.sandbox.worker import Worker
from tests.sandbox.tools import EACH, answering, isolator_or_skip, tool_of

# Runs what the item says and tells what came of it.
_OBEDIENT = (
    EACH.replace(
        "for line in",
        """def forks(number):
    made = 0
    for _ in range(number):
        try:
            if os.fork() == 0:
                time.sleep(2)
                os._exit(0)
        except OSError:
            break
        made += 1
    return made

for line in""",
    )
    + """
    try:
        told = str(eval(item["text"]))
    except BaseException as error:
        told = type(error).__name__
    print(json.dumps({"id": item["id"], "verdict": "benign", "reason": told}), flush=True)
"""
)
_LIMITS = Limits(item_s=3, memory_bytes=256 << 20, processes=24, file_bytes=4 << 20)
Inside = Callable[..., list[str]]
_IMPORT = "__import__('{}')"


@pytest.fixture(scope="module", params=["L2", "L1"])
def isolator(request: pytest.FixtureRequest) -> Isolator:
    return isolator_or_skip(request.param)


@pytest.fixture(scope="module")
def inside(isolator: Isolator) -> Iterator[Inside]:
    """Tells what became of expressions inside; all tests of a level share one worker."""
    with Stage(tool_of(_OBEDIENT)) as stage, Worker(isolator, stage, _LIMITS) as worker:

        def tried(*expressions: str) -> list[str]:
            return [
                worker.ask(Question(str(number), "mail", text))[0].reason
                for number, text in enumerate(expressions)
            ]

        yield tried


def test_a_tool_answers(isolator: Isolator) -> None:
    with Stage(tool_of(answering())) as stage, Worker(isolator, stage, _LIMITS) as worker:
        answer, took_us = worker.ask(Question("7", "mail", "hello"))
    assert (answer.id, answer.verdict) == ("7", "benign")
    assert took_us >= 0
    assert worker.cold_starts_s


def test_the_network_is_closed(inside: Inside) -> None:
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK")
    kinds = ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW")
    made = [
        f"(lambda s: s.socket(s.{family}, s.{kind}))({_IMPORT.format('socket')})"
        for family in families
        for kind in kinds
    ]
    assert set(inside(*made)) == {"PermissionError"}


def test_nothing_outside_can_be_read_or_written(inside: Inside, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for tools")
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    told = inside(
        f"open({str(secret)!r}).read()",
        "open('/etc/passwd').read()",
        "open('/etc/shadow').read()",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        "open('/usr/bin/new', 'w')",
        "open('tool.py', 'a')",
        "os.listdir('/root')",
        f"os.symlink({str(secret)!r}, os.environ['TMPDIR'] + '/way') "
        "or open(os.environ['TMPDIR'] + '/way').read()",
        f"open('/proc/{os.getpid()}/environ').read()",
        "open('/proc/1/root' + os.environ.get('X', '/etc/shadow')).read()",
    )
    assert set(told) <= {"PermissionError", "FileNotFoundError", "OSError"}
    assert not (tmp_path / "new").exists()


def test_scratch_can_be_written_within_bounds(inside: Inside) -> None:
    written = "open(os.environ['TMPDIR'] + '/a', 'w').write('x' * {})"
    told = inside(written.format(1000), written.format(5 << 20))
    assert told[0] == "1000"
    assert told[1] == "OSError"


_FILL = """
    wrote = 0
    for at in range(400):
        for place in (os.environ["TMPDIR"], "/dev/shm", "/var/tmp", "."):
            try:
                with open(f"{place}/{at}", "wb") as out:
                    out.write(bytes(1 << 20))
                wrote += 1
            except OSError:
                pass
        time.sleep(0.002)
    item["told"] = wrote
"""
_TELL = """
    answer = {"id": item["id"], "verdict": "benign", "reason": str(item["told"])}
    print(json.dumps(answer), flush=True)
"""


def test_many_files_fill_no_disk(isolator: Isolator) -> None:
    """400 MiB in small files: refused by the bounded scratch, or noticed and ended."""
    limits = msgspec.structs.replace(_LIMITS, scratch_bytes=16 << 20, item_s=30)
    tool, question = tool_of(EACH + _FILL + _TELL), Question("1", "sms", "x")
    with Stage(tool) as stage, Worker(isolator, stage, limits) as worker:
        if isolator.bounds_scratch:
            assert int(worker.ask(question)[0].reason) <= 32
        else:
            with pytest.raises(NoAnswer, match="more to its scratch folder than it may"):
                worker.ask(question)
        assert not stage.scratch_over(0)


def test_the_answer_key_is_not_there(isolator: Isolator, tmp_path: Path) -> None:
    """Labels lie in a corpus's folder and in the journal; a tool sees no name of either."""
    for name in ("items.jsonl", "trial.json.journal"):
        (tmp_path / name).write_text('{"label":"attack"}')
    tmp_path.chmod(0o755)
    look = f"""
    seen = []
    for place in ({str(tmp_path)!r}, os.getcwd(), "/", os.environ["TMPDIR"], "/proc/self/fd"):
        try:
            seen += os.listdir(place)
        except OSError:
            pass
    item["told"] = [each for each in seen if "item" in each or "journal" in each] + sorted(item)
"""
    with (
        Stage(tool_of(EACH + look + _TELL)) as stage,
        Worker(isolator, stage, _LIMITS) as worker,
    ):
        answer, _ = worker.ask(Question("1", "sms", "x"))
    assert answer.reason == "['id', 'medium', 'text']"


def test_it_runs_without_rights(inside: Inside) -> None:
    told = inside(
        "os.getuid()",
        "[line for line in open('/proc/self/status') if line.startswith('CapEff')]",
        "os.setuid(0)",
        "sorted(os.environ)",
    )
    assert told[0] != "0"
    assert "1" not in told[1].replace("CapEff", "")
    assert told[2] in {"PermissionError", "OSError"}  # not mapped, or not allowed
    assert not [name for name in json.loads(told[3].replace("'", '"')) if "KEY" in name]


def test_it_cannot_make_namespaces(inside: Inside) -> None:
    ctypes = _IMPORT.format("ctypes")
    call = f"(lambda c: (c.CDLL(None, use_errno=True).syscall({{}}), c.get_errno()))({ctypes})"
    unshare = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
    # A user namespace, a network namespace; both are refused with EPERM.
    told = inside(call.format(f"{unshare}, 0x10000000"), call.format(f"{unshare}, 0x40000000"))
    assert told == ["(-1, 1)", "(-1, 1)"]


def test_it_cannot_signal_us(inside: Inside) -> None:
    told = inside(f"os.kill({os.getpid()}, 0)", f"os.kill({os.getppid()}, 9)")
    assert set(told) <= {"PermissionError", "ProcessLookupError"}


def test_memory_and_processes_are_bounded(inside: Inside) -> None:
    told = inside("len(bytearray(1 << 30))", "forks(200)")
    assert told[0] == "MemoryError"
    assert int(told[1]) < 40


def test_all_its_processes_end_with_it(isolator: Isolator) -> None:
    with Stage(tool_of(_OBEDIENT)) as stage:
        worker = Worker(isolator, stage, _LIMITS)
        worker.start()
        worker.ask(Question("1", "mail", "forks(1)"))
        # An orphan that keeps the pipes open.
        orphan = "os.fork() == 0 and (os.fork() and os._exit(0) or time.sleep(60))"
        worker.ask(Question("2", "mail", orphan))
        # A session of its own would take it out of reach where it has no namespace of its own.
        if isolator.level == "L1":
            assert worker.ask(Question("3", "mail", "os.setsid()"))[0].reason == "PermissionError"
        worker.stop()
        mark = str(stage.folder).encode()
        left = [p for p in Path("/proc").iterdir() if p.name.isdigit() and mark in command_of(p)]
    assert left == []


def command_of(place: Path) -> bytes:
    try:
        return (place / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_level_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Refused, match="L2 cannot be had here: the program bwrap"):
        isolator_of("L2")
    with pytest.raises(Refused, match="no level"):
        isolator_of("L3")
    assert list(LEVELS) == ["L2", "L1", "L0"]
