"""R: a tool that runs elsewhere, over real HTTP on loopback, recorded, its items retired."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bayanihan import cli
from bayanihan.errors import Refused
from bayanihan.sandbox.answer import NoAnswer, Question
from bayanihan.sandbox.attest import check_result
from bayanihan.sandbox.corpus import Corpus, read_folder
from bayanihan.sandbox.isolate import Bubblewrap, Limits, Stage
from bayanihan.sandbox.isolate.remote import TOLD, Remote
from bayanihan.sandbox.remote.proxy import MOST_ANSWERED_BYTES, Far, host_of
from bayanihan.sandbox.remote.retired import check_disclosable, disclosures, retire
from bayanihan.sandbox.result import read_result
from bayanihan.sandbox.shift import open_corpus
from bayanihan.sandbox.worker import Worker
from tests.sandbox.test_trial import small_corpus
from tests.sandbox.tools import EACH, isolator_or_skip, tool_of, write_tool


class Vendor(ThreadingHTTPServer):
    """A vendor's machine: answers by the item, and counts who came."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.elsewhere = ""
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Who hung up is no fault of the vendor's."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ask?v=1"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Vendor

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(body)
        item = json.loads(body)
        if item["text"] == "slow":
            time.sleep(3)
        verdict = "malicious" if "lure" in item["text"] else "benign"
        answer = json.dumps({"id": item["id"], "verdict": verdict}).encode()
        if item["text"] == "long":
            answer = b" " * MOST_ANSWERED_BYTES + answer
        self.send_response(307 if item["text"] == "go elsewhere" else 200)
        if item["text"] == "go elsewhere":
            self.send_header("location", self.server.elsewhere)
            answer = b""
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def other(vendor: Vendor) -> Iterator[Vendor]:
    """Another machine that nobody declared."""
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        vendor.elsewhere = server.url
        yield server
        server.shutdown()


def remote(vendor: Vendor, folder: Path) -> Remote:
    isolator_or_skip("L2")
    client = Bubblewrap()
    assert not client.missing()
    return Remote(client, vendor.url, folder / "record.jsonl")


def trial(*words: str | Path, code: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["trial", *map(str, words)])
    assert ended.value.code == code


def test_from_command_to_attestation(
    vendor: Vendor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    isolator_or_skip("L2")
    tool = write_tool(tmp_path / "tool", "", command=[], remote={"url": vendor.url})
    corpus, out = small_corpus(tmp_path / "corpus"), tmp_path / "trial.json"
    words: list[str | Path] = ["run", tool, "--corpus", corpus, "--out", out]
    trial(*words, code=2)
    assert f"all 40 items would be disclosed to {vendor.host}" in capfd.readouterr().err
    assert vendor.seen == []
    trial(*words, "--disclose", vendor.host, "--isolation", "L2", code=2)
    trial(*words, "--disclose", vendor.host)
    assert TOLD in capfd.readouterr().err
    result = read_result(out)
    assert result.verdicts == "bm" * 20
    assert result.isolation["level"] == "R"
    assert result.isolation["client"] == "L2"
    assert result.isolation["host"] == vendor.host
    record = (tmp_path / "trial.json.exchanges.jsonl").read_bytes()
    assert result.isolation["record"] == f"sha256:{hashlib.sha256(record).hexdigest()}"
    asked = [json.loads(line) for line in record.splitlines() if b'"asked"' in line]
    # Baselines ask nobody; five items are asked again.
    assert len(asked) == len(vendor.seen) == result.isolation["disclosed"] == 45
    assert sorted(each["asked"].encode() for each in asked) == sorted(
        each.rstrip(b"\n") for each in vendor.seen
    )
    assert all(
        each["digest"] == f"sha256:{hashlib.sha256(each['asked'].encode()).hexdigest()}"
        for each in asked
    )
    assert any(f"disclosed to {vendor.host}" in each for each in result.not_tested)
    assert TOLD in (tmp_path / "report.html").read_text()

    # What was disclosed is retired: no later trial uses it, not even one here.
    local = write_tool(tmp_path / "local", EACH)
    trial("run", local, "--corpus", corpus, "--out", tmp_path / "later.json", code=1)
    assert f"were disclosed to {vendor.host} and are retired" in capfd.readouterr().err
    # The attestation is about the items as they were asked.
    trial("signing-key", "--out", tmp_path / "sg.key")
    key, att = tmp_path / "sg.key", tmp_path / "a.att"
    trial("attest", out, "--sign-with", key, "--out", att, "--corpus", corpus)
    trial("verify", att, "--trust", f"{key}.pub")
    assert TOLD in capfd.readouterr().out
    silent = msgspec.structs.replace(result, isolation={"level": "R"})
    with pytest.raises(Refused, match="attested as one"):
        check_result(silent, read_folder(corpus))


def test_only_what_is_left_is_asked_later(tmp_path: Path) -> None:
    folder = small_corpus(tmp_path / "corpus")
    whole = read_folder(folder)
    part = Corpus(whole.card, whole.items[:10])
    for _ in range(2):
        retire(folder, part, "vendor.example:443", "probe@1", dt.datetime.now(dt.UTC))
    assert len(disclosures(folder)) == 1
    left = open_corpus(str(folder))
    assert [item.id for item in left.items] == [item.id for item in whole.items[10:]]
    assert open_corpus(str(folder), whole.root) == whole
    assert read_folder(folder) == whole
    (folder / "retired.jsonl").write_bytes(b"{}\n")
    with pytest.raises(Refused, match="damaged"):
        open_corpus(str(folder))


def test_a_client_reaches_the_declared_address_and_no_other(
    vendor: Vendor, other: Vendor, tmp_path: Path
) -> None:
    """The client is the vendor's own and tries what it can; a redirection is not followed."""
    tries = f"""
    import socket
    told = []
    for family, place in ((socket.AF_INET, ("127.0.0.1", {other.server_port})),
                          (socket.AF_UNIX, "\\0abstract")):
        try:
            socket.socket(family).connect(place)
            told.append("reached")
        except OSError:
            told.append("closed")
    line = int(os.environ["BAYANIHAN_LINE"])
    told.append(str(sorted(int(n) for n in os.listdir("/proc/self/fd") if int(n) > 2 and
                    os.path.exists("/proc/self/fd/" + n)) == [line]))
    os.write(line, b'{{"id":"1","text":"go elsewhere","url":"{other.url}"}}\\n')
    told.append(str(json.loads(os.read(line, 9999))["status"]))
    answer = {{"id": item["id"], "verdict": "benign", "reason": " ".join(told)}}
    print(json.dumps(answer), flush=True)
"""
    tool = tool_of(EACH + tries, remote={"url": vendor.url})
    with Stage(tool) as stage, Worker(remote(vendor, tmp_path), stage, Limits()) as worker:
        answer, _ = worker.ask(Question("1", "sms", "x"))
    assert answer.reason == "closed closed True 307"
    assert (len(vendor.seen), other.seen) == (1, [])


def test_answers_are_bounded_in_time_and_size(vendor: Vendor, tmp_path: Path) -> None:
    tool = tool_of("", command=[], remote={"url": vendor.url})
    limits = Limits(item_s=1)
    with Stage(tool) as stage, Worker(remote(vendor, tmp_path), stage, limits) as worker:
        with pytest.raises(NoAnswer) as long:
            worker.ask(Question("1", "sms", "long"))
        with pytest.raises(NoAnswer) as slow:
            worker.ask(Question("2", "sms", "slow"))
        assert worker.ask(Question("3", "sms", "a lure"))[0].verdict == "malicious"
        vendor.shutdown()
        vendor.server_close()
    assert long.value.fault == "not-an-answer"
    assert slow.value.fault in ("timeout", "not-an-answer")
    lines = [json.loads(each) for each in (tmp_path / "record.jsonl").read_text().splitlines()]
    assert any("too long" in each.get("failed", "") for each in lines)


def test_what_is_not_for_everybody_is_never_sent(tmp_path: Path) -> None:
    corpus = read_folder(small_corpus(tmp_path / "corpus"))
    check_disclosable(corpus, "v:1", "v:1")
    item = msgspec.structs.replace(corpus.items[3], tlp="amber+strict")
    items = (*corpus.items[:3], item, *corpus.items[4:])
    card = msgspec.structs.replace(corpus.card, tlp="green")
    for marked in (Corpus(corpus.card, items), Corpus(card, corpus.items)):
        with pytest.raises(Refused, match="never leaves for a vendor"):
            check_disclosable(marked, "v:1", "v:1")
    with pytest.raises(Refused, match="would be disclosed to v:1"):
        check_disclosable(corpus, "v:1", "v:2")
    assert host_of("https://vendor.example/x") == "vendor.example:443"


def test_a_far_side_that_is_slow_is_not_asked_twice(vendor: Vendor) -> None:
    far = Far(vendor.url, 0.2)
    assert far.post(b'{"id": "1", "text": "quick"}')[0] == 200
    with pytest.raises(TimeoutError):
        far.post(b'{"id": "2", "text": "slow"}')
    far.close()
    assert [json.loads(body)["id"] for body in vendor.seen] == ["1", "2"]
