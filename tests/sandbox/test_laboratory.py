"""Laboratories that answer a trial over a real hub: killed, restarted, lying."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bayanihan import cli
from bayanihan.commands.hub_client import HubClient
from bayanihan.sandbox import lead
from bayanihan.sandbox.attest import check_result
from bayanihan.sandbox.corpus import read_folder
from bayanihan.sandbox.laboratory import HubDesk, Line, said_of, work_on
from bayanihan.sandbox.offer import Standing
from bayanihan.sandbox.result import Result, read_result
from bayanihan.sandbox.tool import load_tool
from bayanihan.sandbox.trial import Order, Trial
from tests.sandbox.test_trial import small_corpus
from tests.sandbox.tools import answering, isolator_or_skip, write_tool
from tests.sim.process import ROOT, RunningHub, environment

_GUESS = "'malicious' if 'lure' in item['text'] else 'benign'"
ITEMS = 1100


@pytest.fixture
def order(tmp_path: Path) -> Order:
    isolator = isolator_or_skip("L1")
    tool = write_tool(tmp_path / "tool", answering(_GUESS, "time.sleep(0.002)"))
    corpus = small_corpus(tmp_path / "corpus", ITEMS)
    return Order(load_tool(tool), tool, read_folder(corpus), str(corpus), isolator)


@pytest.fixture
def started(own_hub: RunningHub) -> RunningHub:
    return own_hub.start()


@contextmanager
def worker(hub: RunningHub, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """`trial work` in a process of its own, until it ends or is killed."""
    words = ["trial", "work", "--isolation", "L1", "--hub", hub.url]
    process = subprocess.Popen(
        [sys.executable, "-m", "bayanihan", *words],
        env=environment(BAYANIHAN_KEY=key),
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_answers(line: Line, name: str, least: int) -> None:
    deadline = time.monotonic() + 120
    while lead.standing_of(line, name).answers < least:
        assert time.monotonic() < deadline, "the laboratory does not get on"
        time.sleep(0.05)


def lie(line: Line, standing: Standing, order: Order) -> None:
    """Answer one shard of the tool under test with the contrary of what it says."""
    desk = HubDesk(line, standing, said_of(order.isolator))
    while True:
        shard = desk.take(0)
        assert shard
        lies = {at: "b" if "lure" in desk.question(at).text else "m" for at in desk.missing(shard)}
        if desk.store(shard, [(0, at, letter, 1, None) for at, letter in lies.items()]):
            return


def test_killed_laboratories_and_hubs_lose_nothing_and_a_liar_is_found(
    order: Order, started: RunningHub, tmp_path: Path
) -> None:
    keys = {code: started.key(code, scopes=["sandbox"]) for code in ("SG", "VN", "TH", "MY")}
    with (
        Trial(order, tmp_path / "journal") as trial,
        HubClient(started.url, keys["SG"]) as led,
        HubClient(started.url, keys["TH"]) as lied,
        HubClient(started.url, keys["MY"]) as worked,
    ):
        line = Line(led, pause=lambda _: time.sleep(0.1))
        name = lead.offered(line, order, trial.desk, ["VN", "TH", "MY"], "L1", lease_s=5.0)
        lie(Line(lied), lead.standing_of(line, name), order)
        with worker(started, keys["VN"]):
            until_answers(line, name, 512 + 100)
        with worker(started, keys["VN"]) as second:
            until_answers(line, name, 512 + 300)
            started.kill()
            started.start()
            third = Line(worked, pause=lambda _: time.sleep(0.1))
            while lead.standing_of(line, name).state != "answered":
                work_on(third, lead.standing_of(line, name), order.isolator, lambda _: None)
                time.sleep(0.1)
            assert second.wait(120) == 0
        standing = lead.answered(line, name, lambda _: None)
        result = lead.concluded(trial, standing, lead.found(line, standing), lambda _: None)
    lies = sum(a != b for a, b in zip(result.verdicts, "bm" * (ITEMS // 2), strict=True))
    assert lies == 512
    assert result.faults == {}
    assert sum(each.items for each in result.laboratories) == ITEMS
    liar = next(each for each in result.laboratories if each.origin == "TH")
    assert liar.items == 512
    assert liar.differing == liar.reasked >= 5
    others = [each for each in result.laboratories if each.origin != "TH"]
    assert {each.differing for each in others} == {0}
    assert all(each.reasked >= min(5, each.items) for each in others)
    assert any("laboratory TH answered came out otherwise" in each for each in result.honesty.told)
    assert result.isolation["level"] == "L1"
    check_result(result, order.corpus)


def test_from_command_to_command(
    started: RunningHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An authority serves, a laboratory elsewhere works, and both are told what happened."""
    isolator_or_skip("L1")
    tool = write_tool(tmp_path / "tool", answering(_GUESS))
    corpus, out = small_corpus(tmp_path / "corpus"), tmp_path / "trial.json"
    leader = started.key("SG", scopes=["sandbox"])
    member = started.key("VN", scopes=["sandbox"])
    codes = []

    def run(*words: str | Path) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main(["trial", *map(str, words), "--hub", started.url, "--isolation", "L1"])
        codes.append(ended.value.code)

    serve = ["serve", tool, "--corpus", corpus, "--out", out, "--laboratory", "VN", "--key", leader]
    serving = threading.Thread(target=run, args=[*serve, "--least", "L1"])
    serving.start()
    with HubClient(started.url, member) as client:
        deadline = time.monotonic() + 60
        while [each["state"] for each in client.json("GET", "/api/trials")["trials"]] != ["open"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    run("work", "--key", member, "--memory-mib", "100")
    run("work", "--key", member)
    serving.join(60)
    assert codes == [1, 0, 0]
    told = capfd.readouterr()
    assert "more than this laboratory grants" in told.err
    assert "VN takes part: L1" in told.err
    assert re.search(r"VN, L1 by its word: 40 items, 0 of \d+ came out otherwise", told.out)
    result: Result = read_result(out)
    assert result.verdicts == "bm" * 20
    assert result.laboratories[0].environment.startswith("sha256:")
    html = (tmp_path / "report.html").read_text()
    assert "Who answered" in html
    assert any("nobody can see that from outside" in each for each in result.not_tested)
    assert not (tmp_path / "trial.json.offered").exists()
    with HubClient(started.url, leader) as client:
        assert client.json("GET", "/api/trials") == {"trials": []}
    run("work", "--key", started.key("VN", scopes=["read"]))
    assert codes[-1] == 1
    assert "lacks the scope `sandbox`" in capfd.readouterr().err
