"""What a soak knows must hold: each answer that a hub gave, to be held against it at the end."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Told:
    """What the hub acknowledged, and what it broke. Shared by all threads of a soak.

    `digests` are of the bytes of each object that was accepted, by id; `erased` and
    `withdrawn` are the ids whose taking back was acknowledged; `doubtful` those whose answer
    was lost and not yet asked for again.
    """

    digests: dict[str, bytes] = field(default_factory=dict)
    member: dict[str, str] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, number: int = 1) -> None:
        """Add to a number of the closing table."""
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + number

    def broke(self, what: str) -> None:
        """Note that something did not hold."""
        with self._lock:
            self.wrong.append(what)

    def answered(
        self, member: str, objects: Mapping[str, bytes], answer: Mapping[str, Any], again: bool
    ) -> None:
        """Take in the answer to a submission; `again` says that it was sent before."""
        allowed = {"accepted", "duplicate"} if again else {"accepted"}
        for result in answer["results"]:
            if result["result"] not in allowed:
                self.broke(f"{member}: {result} is not one of {sorted(allowed)}")
        with self._lock:
            self.digests.update({one: digest_of(body) for one, body in objects.items()})
            self.member.update(dict.fromkeys(objects, member))
            self.doubtful.difference_update(objects)
        self.count("objects acknowledged", len(objects))

    def claim(self, member: str, chance: random.Random) -> str:
        """One object of a member's that stands, for the caller alone to take back; "" for none."""
        with self._lock:
            gone = self.erased | self.withdrawn | self.doubtful
            standing = [
                one for one, whose in self.member.items() if whose == member and one not in gone
            ]
            chosen = chance.choice(standing) if standing else ""
            self.doubtful.update({chosen} - {""})
            return chosen

    def take_back(self, object_id: str, how: str) -> None:
        """Note an acknowledged erasure or withdrawal."""
        with self._lock:
            (self.erased if how == "erased" else self.withdrawn).add(object_id)
            self.doubtful.discard(object_id)
        self.count(f"objects {how}")


def encoded(one: Mapping[str, Any]) -> bytes:
    """One object as the bytes that are sent and must come back."""
    return json.dumps(one, ensure_ascii=False).encode()


def digest_of(body: bytes) -> bytes:
    """What is kept of an object: a soak holds more of them than fit in memory."""
    return hashlib.blake2b(body, digest_size=16).digest()
