"""What isolation costs, and what a killed trial repeats: `python -m bench sandbox`.

Prints each figure with its limit and ends with 1 when one is missed. All but the start-up are
ratios within this one run.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import repeat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bayanihan.sandbox.answer import NoAnswer, Question
from bayanihan.sandbox.attest import decode_envelope, sign, statement_of
from bayanihan.sandbox.corpus import Card, Corpus, Item, write_folder
from bayanihan.sandbox.isolate import Isolator, Limits, Stage, isolator_of, strongest
from bayanihan.sandbox.isolate.process import descendants
from bayanihan.sandbox.journal import Journal
from bayanihan.sandbox.manifest import read_manifest
from bayanihan.sandbox.pace import ALONE, MOST_AHEAD
from bayanihan.sandbox.result import read_result
from bayanihan.sandbox.shift import BATCH_ITEMS
from bayanihan.sandbox.tool import Tool, ToolFile, digest_of, load_tool
from bayanihan.sandbox.trust import Authority, Trust, verify
from bayanihan.sandbox.worker import Worker

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, STARTS, VERIFICATIONS = 5, 20, 200
LEAST_PER_S, MOST_RATIO, MOST_START_S = 25_000, 1.2, 0.010
LEAST_SPEED_UP, MOST_REPEATED, MOST_VERIFY_S = 1.8, 0.01, 0.005

# What a tool does that works for an item, some 0.2 ms; and how many fewer it is asked.
WORK, WORK_ITEMS_SHARE = "sum(range(10_000))", 20
PAIRS = 3

# The least a tool can do: find the id and answer.
_TRIVIAL = """import sys
out = sys.stdout.buffer
out.write(b'{"ready":1}\\n')
out.flush()
for line in sys.stdin.buffer:
    %s
    out.write(b'{"id":"' + line.split(b'"', 4)[3] + b'","verdict":"benign"}\\n')
    out.flush()
"""


def trivial(each: str = "pass") -> Tool:
    """A tool that answers everything at once; `each` runs for every item."""
    manifest = {
        "id": "trivial", "version": "1", "vendor": "bench", "vectors": ["phishing"],
        "languages": [], "command": ["python", "tool.py"],
    }  # fmt: skip
    data = json.dumps(manifest).encode()
    files = {
        "tool.json": ToolFile(data, False),
        "tool.py": ToolFile((_TRIVIAL % each).encode(), False),
    }
    return Tool(read_manifest(data), files, digest_of(files))


def rate_of(worker: Worker, items: int, ahead: int = MOST_AHEAD) -> float:
    """Items a second, in batches as a trial asks a quick tool: some alone, the rest ahead.

    Args:
        worker: is asked.
        items: how many.
        ahead: how many are on their way; 1 asks each alone.
    """
    question = Question("1", "sms", "Your parcel is held, pay today: https://x.example/1")
    begun, left = time.perf_counter(), items
    while left:
        batch = min(left, BATCH_ITEMS)
        alone = batch if ahead == 1 else min(batch, ALONE)
        for _ in range(alone):
            worker.ask(question)
        for answer in worker.ask_ahead(repeat(question, batch - alone), ahead):
            if isinstance(answer, NoAnswer):
                raise answer
        left -= batch
    return items / (time.perf_counter() - begun)


def rates(isolator: Isolator, items: int) -> tuple[float, float]:
    """Items a second isolated and not, medians of alternating rounds."""
    found: tuple[list[float], list[float]] = ([], [])
    with (
        Stage(trivial()) as stage,
        Worker(isolator, stage, Limits()) as kept,
        Worker(isolator_of("L0"), stage, Limits()) as plain,
    ):
        for worker in (kept, plain):
            rate_of(worker, items // 10)
        for _ in range(ROUNDS):
            for worker, figures in zip((kept, plain), found, strict=True):
                figures.append(rate_of(worker, items))
    return statistics.median(found[0]), statistics.median(found[1])


def one_by_one_per_s(isolator: Isolator, items: int) -> float:
    """Items a second where each waits for the answer before it: what a slow tool's overhead is."""
    with Stage(trivial()) as stage, Worker(isolator, stage, Limits()) as worker:
        rate_of(worker, items // 10, ahead=1)
        return rate_of(worker, items, ahead=1)


def start_up_s(isolator: Isolator) -> float:
    """What a start costs more than a plain one, in seconds; medians of alternating starts."""
    found: dict[str, list[float]] = {isolator.level: [], "L0": []}
    with Stage(trivial()) as stage:
        for _ in range(STARTS):
            for one in (isolator, isolator_of("L0")):
                worker = Worker(one, stage, Limits())
                worker.start()
                found[one.level] += worker.cold_starts_s
                worker.stop()
    return statistics.median(found[isolator.level]) - statistics.median(found["L0"])


def cost_us(isolator: Isolator, items: int) -> tuple[float, float]:
    """Processor time of one item in the harness and in the tool, in microseconds."""
    with Stage(trivial()) as stage, Worker(isolator, stage, Limits()) as worker:
        rate_of(worker, items // 10)
        before = time.process_time(), _processor_s(worker.pid)
        rate_of(worker, items)
        after = time.process_time(), _processor_s(worker.pid)
    ours, tools = (late - early for late, early in zip(after, before, strict=True))
    return ours / items * 1e6, tools / items * 1e6


def _processor_s(pid: int) -> float:
    """Processor time of a process and all below it so far, in seconds."""
    ticks = 0
    for each in descendants(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _alone(level: str, items: int, each: str, gate: multiprocessing.synchronize.Barrier) -> None:
    with Stage(trivial(each)) as stage, Worker(isolator_of(level), stage, Limits()) as worker:
        worker.start()
        gate.wait(60)
        rate_of(worker, items)
        gate.wait(600)


def together_per_s(level: str, workers: int, items: int, each: str = "pass") -> float:
    """Items a second of so many workers, each a process and a tool that does `each` for an item."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(workers + 1)
    running = [
        context.Process(target=_alone, args=(level, items, each, gate)) for _ in range(workers)
    ]
    for process in running:
        process.start()
    gate.wait(60)
    begun = time.perf_counter()
    gate.wait(600)
    took_s = time.perf_counter() - begun
    for process in running:
        process.join()
    return workers * items / took_s


def speed_up_of(level: str, items: int, each: str = "pass") -> float:
    """How much more two workers do than one; medians of alternating rounds."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(PAIRS):
        for workers, figures in found.items():
            figures.append(together_per_s(level, workers, items, each))
    return statistics.median(found[2]) / statistics.median(found[1])


def repeated(folder: Path, items: int) -> float:
    """The share of items that a killed and resumed trial asked twice.

    The tool runs unconfined, so that it can count what it was asked in a file.
    """
    tool, corpus, out = folder / "tool", folder / "corpus", folder / "trial.json"
    asked = folder / "asked"
    for name, file in trivial(f"open({str(asked)!r}, 'ab', 0).write(b'.')").files.items():
        tool.mkdir(exist_ok=True)
        (tool / name).write_bytes(file.data)
    write_folder(_numbers(items), corpus)
    words = [sys.executable, "-m", "bayanihan", "trial", "run", str(tool), "--corpus", str(corpus),
             "--out", str(out), "--isolation", "L0"]  # fmt: skip
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not asked.exists() or asked.stat().st_size < items // 2:
        if first.poll() is not None:
            raise RuntimeError("the trial ended before it could be killed")
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    with Journal(out.with_name("trial.json.journal")) as journal:
        kept = len(journal.verdicts(0))
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    verdicts = read_result(out).verdicts
    if verdicts != "b" * items:
        raise RuntimeError("a verdict was lost")
    # The sample that is asked again in fresh sandboxes is asked on purpose.
    on_purpose = min(200, max(5, round(items * 0.01)))
    twice = asked.stat().st_size - items - on_purpose
    print(f"  killed after {kept:,} kept answers; {twice:,} of {items:,} items asked twice")
    return twice / items


def _numbers(items: int) -> Corpus:
    made = tuple(
        Item(f"n{at}", "attack" if at % 2 else "legitimate", f"c{at % 50}", "en", "phishing", 1,
             "sms", f"message {at}")
        for at in range(items)
    )  # fmt: skip
    return Corpus(Card("numbers", "1", "for the bench", 0.5, "none"), made)


def verify_s(folder: Path) -> float:
    """The median time to verify an attestation about a shipped corpus."""
    out = folder / "regex.json"
    subprocess.run(
        [sys.executable, "-m", "bayanihan", "trial", "run", "examples/tools/regex", "--corpus",
         "mail-en-th", "--out", str(out)],
        check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    key = Ed25519PrivateKey.generate()
    now = dt.datetime.now(dt.UTC)
    data = sign(statement_of(read_result(out), now, 30), key)
    trust = Trust([(Authority("bench"), key.public_key())])
    took = []
    for _ in range(VERIFICATIONS):
        begun = time.perf_counter()
        verify(decode_envelope(data, "bench"), trust, now)
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def sandbox(items: int, resumed: int) -> int:
    """Measure all; 1 when a limit is missed.

    Args:
        items: in each round of the throughput.
        resumed: items of the trial that is killed.
    """
    isolator, passed_over = strongest()
    print(f"Python {platform.python_version()}, {platform.machine()}, isolation {isolator.level}")
    for why in passed_over:
        print(f"  not had: {why}")
    load_tool(ROOT / "examples" / "tools" / "regex")
    kept, plain = rates(isolator, items)
    print(f"  asked one by one: {one_by_one_per_s(isolator, items // 10):,.0f} items/s")
    more_s = start_up_s(isolator)
    ours_us, tools_us = cost_us(isolator, items)
    cores = os.cpu_count() or 1
    print(
        f"  processor time an item: harness {ours_us:.1f} us, tool {tools_us:.1f} us; "
        f"{cores} cores can do {cores * 1e6 / (ours_us + tools_us):,.0f} items/s at the most, "
        f"{cores * 1e6 / (ours_us + tools_us) / kept:.2f} x one worker"
    )
    speed_up = speed_up_of(isolator.level, max(items // WORK_ITEMS_SHARE, BATCH_ITEMS), WORK)
    trivially = speed_up_of(isolator.level, items)
    print(f"  two workers, the trivial tool: {trivially:.2f} x one, which uses two cores itself")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        twice = repeated(Path(name), resumed)
        took_s = verify_s(Path(name))
    rows = [
        ("one isolated worker", f"{kept:,.0f} items/s", f">= {LEAST_PER_S:,}", kept >= LEAST_PER_S),
        ("cost against no isolation", f"{plain / kept:.2f} x", f"<= {MOST_RATIO}",
         plain / kept <= MOST_RATIO),
        ("start-up over a plain one", f"{more_s * 1e3:.1f} ms", f"<= {MOST_START_S * 1e3:.0f} ms",
         more_s <= MOST_START_S),
        ("two workers, a tool that works", f"{speed_up:.2f} x", f">= {LEAST_SPEED_UP}",
         speed_up >= LEAST_SPEED_UP),
        ("asked twice after kill -9", f"{twice:.2%}", f"<= {MOST_REPEATED:.0%}",
         twice <= MOST_REPEATED),
        ("verify", f"{took_s * 1e3:.2f} ms", f"<= {MOST_VERIFY_S * 1e3:.0f} ms",
         took_s <= MOST_VERIFY_S),
    ]  # fmt: skip
    for what, figure, limit, held in rows:
        print(f"  {what:<32}{figure:>18}   {limit:<10} {'held' if held else 'MISSED'}")
    return int(not all(row[3] for row in rows))
