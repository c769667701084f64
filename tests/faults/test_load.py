"""Bad input among many senders at once: each gets the answer it would get alone."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from typing import Any

from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.wire import Wire

SENDERS, ROUNDS = 8, 6
BAD: dict[str, bytes] = {
    "not-json": b'{"objects":[{"type":"indic',
    "bad-text": b"\xff\xfe\xfd",
    "too-deep": b'{"objects":[' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
    "duplicate-key": b'{"objects":[],"objects":[{}]}',
    "not-an-envelope": b"[]",
    "empty": b"",
}


class Sender:
    """One of many: valid objects, bad ones beside them, conflicts, and half requests."""

    def __init__(self, hub: RunningHub, member: str) -> None:
        self.hub = hub
        self.key = hub.key(member)
        self.accepted: list[str] = []
        self.wrong: list[Any] = []

    def run(self) -> None:
        with self.hub.client(self.key) as client:
            for _ in range(ROUNDS):
                self._round(client)

    def _round(self, client: Any) -> None:
        good = [indicator() for _ in range(20)]
        bad = indicator(valid_from="yesterday")
        conflict = {**good[0], "name": "another"}
        body = json.dumps({"objects": [*good, bad, conflict, good[1]]}).encode()
        headers = {"Content-Encoding": "gzip"}
        answer = client.post("/api/objects", content=gzip.compress(body), headers=headers).json()
        self._expect(Counter(each["result"] for each in answer["results"]), GOOD)
        self._expect([each["code"] for each in answer["results"][-3:-1]], ["bad-value", "conflict"])
        self.accepted += [one["id"] for one in good]
        for code, content in BAD.items():
            refused = client.post("/api/objects", content=content)
            self._expect(refused.json()["error"]["code"], code)
        with Wire(self.hub.port) as wire:
            wire.begin("POST", "/api/objects", self.key, Content_Length="1000000")
            wire.socket.sendall(b'{"objects":[')

    def _expect(self, found: Any, expected: Any) -> None:
        if found != expected:
            self.wrong.append((found, expected))


GOOD = Counter(accepted=20, refused=2, duplicate=1)


def test_bad_input_among_many_senders_sinks_nobody(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    senders = [Sender(hub, member) for member in ("SG", "VN", "TH", "MY")[: SENDERS // 2] * 2]
    threads = [threading.Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sender.wrong for sender in senders] == [[]] * SENDERS
    for sender in senders:
        assert len(sender.accepted) == 20 * ROUNDS
    found = Counter(hub.ids(senders[0].key))
    assert found == Counter(one for sender in senders for one in sender.accepted)
    assert hub.stop().stderr == ""
