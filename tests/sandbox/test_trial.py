"""Trials as a person runs them: from the command to the page, cancelled, killed, resumed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bayanihan import cli
from bayanihan.commands.whole_file import write_whole
from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Card, Corpus, Item, write_folder
from bayanihan.sandbox.desk import blind_order
from bayanihan.sandbox.journal import _TABLES, Journal
from bayanihan.sandbox.report import page
from bayanihan.sandbox.result import read_result
from bayanihan.sandbox.trial import sample
from bench.sandbox import repeated
from tests.sandbox.tools import answering, isolator_or_skip, no_more_than, write_tool

ROOT = Path(__file__).resolve().parents[2]
_GUESS = "'malicious' if 'lure' in item['text'] else 'benign'"


def small_corpus(folder: Path, items: int = 40) -> Path:
    """A corpus of so many items, half of them attacks."""
    made = tuple(
        Item(
            id=f"item-{number}",
            label="attack" if number % 2 else "legitimate",
            campaign=f"c{number % 8}",
            language="th" if number % 4 < 2 else "en",
            vector="phishing",
            age_days=number % 100,
            medium="mail",
            text=f"{'lure' if number % 2 else 'plain'} {number}",
        )
        for number in range(items)
    )
    card = Card("small", "1", "for tests", 0.1, "made up")
    write_folder(Corpus(card, made), folder)
    return folder


def trial(*arguments: str | Path, code: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["trial", *map(str, arguments)])
    assert ended.value.code == code


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Path, Path]:
    """A tool's place, and a small corpus."""
    isolator_or_skip("L1")
    return tmp_path / "tool", small_corpus(tmp_path / "corpus")


def run(scene: tuple[Path, Path], tmp_path: Path, *more: str, code: int = 0) -> dict[str, Any]:
    tool, corpus = scene
    out = tmp_path / "trial.json"
    trial("run", tool, "--corpus", corpus, "--out", out, "--isolation", "L1", *more, code=code)
    return json.loads(out.read_text()) if out.exists() else {}


def test_a_trial_from_command_to_page(
    scene: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_tool(scene[0], answering(_GUESS))
    result = run(scene, tmp_path, "--seed", "7", "--gate", "false_alarm<=1%", code=1)
    printed = capfd.readouterr()
    scores = {score["name"]: score for score in result["scores"]}
    assert scores["detection"]["value"] == 1
    assert scores["false_alarm"]["value"] == 0
    for score in scores.values():
        assert score["n"] in {20, 40}
        low, high = score["interval"]
        assert 0 <= low <= score["value"] <= high <= 1
    assert result["isolation"]["level"] == "L1"
    assert "Isolation L1" in printed.err
    assert [rival["tool"].split("@")[0] for rival in result["rivals"]] == [
        "always-allow", "always-block", "regex", "tfidf",
    ]  # fmt: skip
    assert all(len(rival["differences"]) == 2 for rival in result["rivals"])
    # Of warnings that never came nothing is known, and 0 % would be a claim.
    never_warns = result["rivals"][0]["scores"][2]
    assert (never_warns["value"], never_warns["interval"]) == (None, [0, 1])
    assert result["gates"][0]["verdict"] == "insufficient evidence"
    assert result["gates"][0]["more_needed"] == 279
    assert result["verdicts"] == "bm" * 20
    assert result["honesty"] == {
        "reasked": 5, "differing": 0, "canaries": 0, "canaries_agreed": 0, "canaries_p": 1.0,
        "told": [],
    }  # fmt: skip
    cost = result["performance"]
    assert 0 < cost["p50_us"] <= cost["p95_us"] <= cost["p99_us"] <= cost["longest_us"]
    assert cost["timed"] == 40
    assert cost["peak_memory_bytes"] > 1 << 20
    assert cost["cold_start_s"] > 0
    html = (tmp_path / "report.html").read_text()
    assert "insufficient evidence" in html
    assert "<svg" in html
    assert not (tmp_path / "trial.json.journal").exists()
    assert read_result(tmp_path / "trial.json").tool.id == "probe"


def test_what_the_tool_cannot_know_makes_order_and_sample() -> None:
    assert sorted(blind_order(500, 7)) == list(range(500))
    assert blind_order(500, 7) != blind_order(500, 8)
    assert len(sample(40, 7)) == 5
    assert len(sample(5000, 7)) == 50
    assert len(sample(3, 7)) == 3


def test_a_tool_that_keeps_state_is_told(scene: tuple[Path, Path], tmp_path: Path) -> None:
    before = "n = globals().get('n', 0) + 1"
    write_tool(scene[0], answering("'malicious' if n > 1 else 'benign'", before))
    result = run(scene, tmp_path)
    assert result["honesty"]["differing"] >= 4
    assert "keeps state" in result["honesty"]["told"][0]


# What the tool does with one item each -> the fault that is counted.
MISBEHAVIOUR = {
    "time.sleep(60)": "timeout",
    "os._exit(3)": "crashed",
    "print('x' * 100_000, flush=True)": "too-long",
    "print('[1]', flush=True)": "not-an-answer",
    "item['id'] = '0'": "wrong-id",
    "item['id'] = 5": "not-an-answer",
    "sys.stdout.buffer.write(bytes([255, 10])); sys.stdout.flush()": "not-an-answer",
    "sys.stdout.write('{}\\n')": "not-an-answer",
}


def test_a_fault_is_counted_and_the_next_item_still_asked(
    scene: tuple[Path, Path], tmp_path: Path
) -> None:
    does = {f"lure {4 * at + 1}": code for at, code in enumerate(MISBEHAVIOUR)}
    write_tool(scene[0], answering(_GUESS, f"exec({does!r}.get(item['text'], ''))"))
    result = run(scene, tmp_path, "--item-s", "0.5")
    assert result["faults"] == dict(sorted(Counter(MISBEHAVIOUR.values()).items()))
    assert result["verdicts"] == "bxbm" * 8 + "bm" * 4
    assert result["scores"][0]["hits"] == 12


def test_a_vendor_that_promises_too_much_is_told(
    scene: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_tool(scene[0], answering(), accuracy={"detection": 0.99, "false_alarm": 0.0})
    told = run(scene, tmp_path)["honesty"]["told"]
    assert told == [
        "The vendor declares detection of 99 %, and what was found excludes it: 0.0 to 16.8 %"
    ]
    assert f"NOTE: {told[0]}." in capfd.readouterr().out


def test_a_fault_on_a_legitimate_item_is_a_false_alarm(
    scene: tuple[Path, Path], tmp_path: Path
) -> None:
    write_tool(scene[0], answering(_GUESS, "item['text'] == 'plain 4' and os._exit(1)"))
    assert run(scene, tmp_path)["scores"][1]["hits"] == 1


@pytest.mark.parametrize("code", ["import nothing_like_this", "print('hello')", "raise SystemExit"])
def test_a_tool_that_does_not_start_is_refused(
    code: str, scene: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_tool(scene[0], code)
    assert run(scene, tmp_path, code=1) == {}
    told = capfd.readouterr().err
    assert "did not start" in told
    assert "[tool-failed]" in told


def test_a_tool_that_never_works_ends_the_trial(
    scene: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_tool(scene[0], answering("'x'", "sys.stderr.write('no model here\\n')"))
    run(scene, tmp_path, code=1)
    told = capfd.readouterr().err
    assert "failed 20 times in a row" in told
    assert "no model here" in told


def test_the_tools_words_are_no_markup(scene: tuple[Path, Path], tmp_path: Path) -> None:
    write_tool(scene[0], answering(_GUESS), vendor="<script>alert(1)</script>")
    run(scene, tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html.replace("http-equiv", "")
    assert page(read_result(tmp_path / "trial.json")) == html


def test_an_earlier_version_is_compared(scene: tuple[Path, Path], tmp_path: Path) -> None:
    write_tool(scene[0], answering())
    run(scene, tmp_path)
    (tmp_path / "trial.json").rename(tmp_path / "old.json")
    (scene[0] / "tool.py").write_text(answering(_GUESS))
    result = run(scene, tmp_path, "--previous", str(tmp_path / "old.json"))
    previous = result["rivals"][-1]
    assert (previous["role"], previous["tool"]) == ("previous", "probe@1")
    assert previous["differences"][0]["difference"] == 1
    assert previous["differences"][0]["p"] < 0.001
    other = small_corpus(tmp_path / "other", 20)
    trial("run", scene[0], "--corpus", other, "--out", tmp_path / "x.json", "--previous",
          tmp_path / "old.json", code=1)  # fmt: skip


def begun(scene: tuple[Path, Path], out: Path, *more: str) -> subprocess.Popen[bytes]:
    """A trial in a process of its own."""
    tool, corpus = scene
    words = ["trial", "run", tool, "--corpus", corpus, "--out", out, "--isolation", "L1", *more]
    command = [sys.executable, "-m", "bayanihan", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT)


def answered(path: Path, least: int) -> int:
    """Wait until the journal holds so many answers."""
    deadline, found = time.monotonic() + 60, 0
    while found < least:
        assert time.monotonic() < deadline, "the trial does not get on"
        time.sleep(0.02)
        if path.exists():
            with contextlib.suppress(Refused, sqlite3.Error), Journal(path) as journal:
                found = journal.done()
    return found


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT], ids=["killed", "cancelled"])
def test_what_was_answered_is_kept_and_counted_once(ending: signal.Signals, tmp_path: Path) -> None:
    isolator_or_skip("L1")
    scene = (tmp_path / "tool", small_corpus(tmp_path / "corpus", 1200))
    slow = "item['id'] == '800' and time.sleep(3)"
    write_tool(scene[0], answering(_GUESS, slow))
    out = tmp_path / "trial.json"
    journal_path = tmp_path / "trial.json.journal"
    process = begun(scene, out)
    kept = answered(journal_path, 256)
    process.send_signal(ending)
    _, told = process.communicate(timeout=60)
    assert process.returncode == (-9 if ending == signal.SIGKILL else 130), told
    assert not out.exists()
    with Journal(journal_path) as journal:
        assert journal.done() >= kept
    again = begun(scene, out)
    _, told = again.communicate(timeout=120)
    assert again.returncode == 0, told
    assert b"Going on with a trial" in told
    result = read_result(out)
    assert result.verdicts == "bm" * 600
    assert result.faults == {}


def test_another_trial_at_the_same_place_is_refused(
    scene: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_tool(scene[0], "raise SystemExit")
    run(scene, tmp_path, code=1)
    assert (tmp_path / "trial.json.journal").exists()
    (scene[0] / "tool.py").write_text(answering(_GUESS))
    run(scene, tmp_path, code=1)
    assert "with another tools" in capfd.readouterr().err
    with Journal(tmp_path / "trial.json.journal") as journal:
        journal.lock()
        run(scene, tmp_path, "--fresh", code=1)
        assert "running in another process" in capfd.readouterr().err
    assert run(scene, tmp_path, "--fresh")["verdicts"] == "bm" * 20


@pytest.mark.parametrize("pages", [1, 9, 12], ids=["at once", "at the plan", "in the middle"])
def test_a_full_disk_is_told_and_loses_nothing(
    pages: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    isolator_or_skip("L1")
    scene = (tmp_path / "tool", small_corpus(tmp_path / "corpus", 600))
    write_tool(scene[0], answering(_GUESS))
    with monkeypatch.context() as full:
        tables = f"PRAGMA max_page_count = {pages}; {_TABLES}"
        full.setattr("bayanihan.sandbox.journal._TABLES", tables)
        assert run(scene, tmp_path, code=1) == {}
    told = capfd.readouterr().err
    assert "The disk is full; what was answered before is kept" in told
    assert "[disk-full]" in told
    assert run(scene, tmp_path)["verdicts"] == "bm" * 300


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "trial.json"
    place.write_text("before")
    with no_more_than(10), pytest.raises(Refused, match="File too large"):
        write_whole(place, b"x" * 100)
    assert place.read_text() == "before"
    assert list(tmp_path.iterdir()) == [place]
    link = tmp_path / "out"
    link.symlink_to("/dev/null")
    write_whole(link, b"x")
    assert link.is_symlink()


def test_two_workers_answer_each_item_once(tmp_path: Path) -> None:
    isolator_or_skip("L1")
    scene = (tmp_path / "tool", small_corpus(tmp_path / "corpus", 1500))
    write_tool(scene[0], answering(_GUESS))
    assert run(scene, tmp_path, "--workers", "2")["verdicts"] == "bm" * 750


def test_a_lost_lease_keeps_the_first_answer(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.begin({"x": 1}, 1, 10)
        shard = journal.take("first")
        assert shard == (0, 0, 10)
        assert journal.take("second") is None
        journal.free()
        assert journal.take("second") == shard
        assert journal.store("second", shard, [(0, at, "m", 1, None) for at in range(6)])
        assert not journal.store("first", shard, [(0, at, "b", 1, None) for at in range(10)])
        assert journal.verdicts(0) == {at: "m" if at < 6 else "b" for at in range(10)}
        assert journal.store("second", shard, [])
        assert journal.take("third") is None
        assert journal.missing(*shard) == []


@pytest.mark.parametrize(
    "wrong",
    [
        ("--corpus", "nothing"),
        ("--gate", "speed>1"),
        ("--isolation", "L9"),
        ("--workers", "0"),
        ("--item-s", "0"),
        ("--out", "/nonexistent/trial.json"),
    ],
)
def test_wrong_use_is_told(
    wrong: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = {"--corpus": "scripts", "--out": str(tmp_path / "t.json"), wrong[0]: wrong[1]}
    words = [word for pair in options.items() for word in pair]
    with pytest.raises(SystemExit) as ended:
        cli.main(["trial", "run", str(ROOT / "examples/tools/regex"), *words])
    assert ended.value.code in {1, 2}
    assert "Next:" in capfd.readouterr().err


def test_init_makes_a_tool_that_runs(tmp_path: Path) -> None:
    isolator_or_skip("L1")
    scene = (tmp_path / "My Tool", small_corpus(tmp_path / "corpus"))
    trial("init", scene[0])
    assert run(scene, tmp_path)["tool"]["id"] == "mytool"
    trial("init", scene[0], code=1)


def test_as_root_the_tool_is_nobody(scene: tuple[Path, Path], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this is about root")
    write_tool(scene[0], answering("'malicious' if os.getuid() == 0 else 'benign'"))
    assert "m" not in run(scene, tmp_path)["verdicts"]


def test_an_unknown_package_is_refused(scene: tuple[Path, Path], tmp_path: Path) -> None:
    write_tool(scene[0], answering(), packages=["no-such-package-here"])
    assert run(scene, tmp_path, code=1) == {}


def test_a_damaged_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    for name in ("r.json", "absent.json"):
        with pytest.raises(Refused):
            read_result(tmp_path / name)


def test_no_code_of_the_tool_runs_outside(scene: tuple[Path, Path], tmp_path: Path) -> None:
    """Names that the harness imports itself, and code that would leave a mark if it ran."""
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w')\n"
    write_tool(scene[0], f"try:\n    {code}except OSError:\n    pass\n{answering(_GUESS)}")
    for name in ("msgspec.py", "scipy.py", "sitecustomize.py", "conftest.py", "__init__.py"):
        (scene[0] / name).write_text(code)
    assert run(scene, tmp_path)["verdicts"] == "bm" * 20
    assert not mark.exists()


@pytest.mark.long
def test_a_long_trial_that_is_killed_repeats_at_most_one_percent(tmp_path: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert repeated(tmp_path, 100_000) <= 0.01
