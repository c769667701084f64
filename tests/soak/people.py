"""Who uses the hub during a soak: reporters, readers and followers, each on its own thread."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import httpx

from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import StreamReader
from tests.soak.told import Told, encoded

PAUSE_S = 0.2
WAITING_CODES = {"overloaded", "disk-full", "stopping", "starting", "store-away", "rate-limited"}


class Person(threading.Thread):
    """Somebody who asks the hub again and again, until told to stop.

    Args:
        hub: whom they ask; it may be away.
        member: whose they are.
        key: with what.
        told: where answers are noted.
        seed: of their choices.
    """

    def __init__(self, hub: RunningHub, member: str, key: str, told: Told, seed: int) -> None:
        super().__init__(daemon=True)
        self.hub, self.member, self.key, self.told = hub, member, key, told
        self.chance = random.Random(f"{type(self).__name__} {member} {seed}")
        self.stopping = threading.Event()

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.turn()
                self.stopping.wait(self.chance.random() * PAUSE_S)
        except Exception as error:
            self.told.broke(f"{type(self).__name__} of {self.member}: {error!r}")

    def turn(self) -> None:
        """Do one thing."""

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """One request; None when its answer was lost, or the hub asks to wait."""
        try:
            answer = self.hub.ask(method, path, self.key, timeout=20.0, **options)
        except httpx.TransportError:
            self.told.count("answers lost")
            self.stopping.wait(0.1)
            return None
        if answer.status_code >= 429:
            code = answer.json()["error"]["code"]
            if code not in WAITING_CODES or "retry-after" not in answer.headers:
                self.told.broke(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            self.told.count(f"answers {code}")
            self.stopping.wait(0.1)
            return None
        return answer


class Reporter(Person):
    """Reports, singly and in envelopes; sends again what got no answer; takes back."""

    def turn(self) -> None:
        what = self.chance.random()
        if what < 0.85:
            self.report(1 if what < 0.55 else self.chance.randint(2, 60))
        elif what < 0.9:
            self.send_rubbish()
        else:
            self.take_back("erased" if what < 0.95 else "withdrawn")

    def report(self, size: int) -> None:
        bodies = {one["id"]: encoded(one) for one in (indicator() for _ in range(size))}
        envelope = b'{"objects":[%b]}' % b",".join(bodies.values())
        again = False
        while True:
            answer = self.ask("POST", "/api/objects", content=envelope)
            if answer is not None:
                break
            if self.stopping.is_set():
                return  # nobody was told anything of these
            again = True
        if answer.status_code == 200:
            self.told.answered(self.member, bodies, answer.json(), again)
        else:
            self.told.broke(f"a good report: {answer.status_code} {answer.text[:300]}")

    def send_rubbish(self) -> None:
        rubbish = self.chance.choice([b"", b"{", b"\xff", b"[" * 2_000, b'{"objects":[{}]}'])
        answer = self.ask("POST", "/api/objects", content=rubbish)
        if answer is not None and b"accepted" in answer.content and answer.json()["accepted"]:
            self.told.broke(f"rubbish was accepted: {rubbish!r}")

    def take_back(self, how: str) -> None:
        one = self.told.claim(self.member, self.chance)
        method, path = ("POST", "/erase") if how == "erased" else ("DELETE", "")
        done = {200}
        while one and not self.stopping.is_set():
            answer = self.ask(method, f"/api/objects/{one}{path}", params={"reason": "soak"})
            if answer is None:
                done = {200, 404}  # 404: it was done, and the answer was lost
                continue
            if answer.status_code in done:
                self.told.take_back(one, how)
            else:
                self.told.broke(f"{one} not {how}: {answer.status_code} {answer.text[:300]}")
            return


class Poller(Person):
    """Pages through all that the member may see, with one cursor from the beginning on."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.seen: Counter[str] = Counter()
        self.after = ""

    def turn(self) -> None:
        params: dict[str, str | int] = {"after": self.after, "limit": 200}
        answer = self.ask("GET", "/api/objects", params=params)
        if answer is None:
            return
        page = answer.json()
        self.seen.update(one["id"] for one in page["objects"])
        self.after = page["next"] or self.after
        self.told.count("pages read")


class Follower(Person):
    """Follows the stream, and goes on where it broke off."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.seen: Counter[str] = Counter()
        self.cursor = ""

    def turn(self) -> None:
        try:
            reader = StreamReader(self.hub, self.key, self.cursor)
        except OSError:
            self.stopping.wait(0.1)
            return
        with reader:
            while not reader.ended.is_set() and not self.stopping.is_set():
                reader.ended.wait(0.2)
        # All that came whole counts, and the next stream begins behind the last of it.
        self._take(reader)

    def _take(self, reader: StreamReader) -> None:
        if reader.reset:
            self.told.broke(f"{self.member}'s stream was reset though nothing was restored")
        self.seen.update(event["id"] for _, event in reader.events if event["kind"] == "object")
        if reader.events:
            self.cursor = reader.cursor
            self.told.count("stream events", len(reader.events))
