"""A real ledger with its active set and press, for tests: each step is checked in full."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from publicsuffixlist import PublicSuffixList

from bayanihan.core import moment
from bayanihan.core.marking import Audience, Group, Viewer
from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import HASH_DIGITS
from bayanihan.ledger import Draft, Ledger, check_ledger, check_projection
from bayanihan.readers.active import Active
from bayanihan.readers.feeds import FORMATS, Judge, Press, Rulings, never_block_lines

CLEAR = Audience("clear")
GREEN = Audience("green")
RED = Audience("red", (), ("anna",))
REGION = (Group("region", 1, ("SG", "TH")),)
AMBER = Audience("amber", REGION)
STRICT = Audience("amber+strict", REGION)

SG = Viewer(key="k1", person="anna", member="SG", scopes=frozenset({"feed"}))
TH_BANK = Viewer(
    key="k2", person="boon", member="TH", constituent="bank", scopes=frozenset({"feed"})
)
OPERATOR = Viewer(key="k0", person="op", scopes=frozenset({"feed"}))

LONG_AGO_US = moment.parse("2026-01-01T00:00:00Z") or 0
DAY_US = 86_400_000_000
START_US = LONG_AGO_US + 100 * DAY_US
NEVER_BLOCK = NeverBlock(
    never_block_lines(), PublicSuffixList().is_public, ("hub.cert.example-hub.net",)
)

# One value of each type that every format which knows the type can carry.
PLAIN_VALUES = {
    "domain": "evil-one.com",
    "ipv4": "198.51.100.7",
    "ipv6": "2001:db8::1",
    "cidr4": "45.83.0.0/16",
    "cidr6": "2001:db8::/32",
    "url": "http://evil-one.com/a?b=c",
    "email": "who@evil-one.com",
    **{name: "d" * digits for name, digits in HASH_DIGITS.items()},
    "tlsh": "T1" + "A" * 70,
    "yara": 'rule member_rule { strings: $a = "evil" condition: $a }',
    "sigma": "title: member rule\nlogsource: {category: dns}\n"
    "detection: {a: {query: evil-one.com}, condition: a}\n",
    "suricata": 'alert dns any any -> any any (msg:"member rule"; dns.query; '
    'content:"evil-one.com"; sid:5; rev:1;)',
    "snort": 'alert ip any any -> 198.51.100.7 any (msg:"member rule"; sid:5; rev:1;)',
}


def new_id() -> str:
    """A fresh indicator id."""
    return f"indicator--{uuid.uuid4()}"


def named(*names: str) -> str:
    """A pattern that any of these domain names makes true."""
    return " OR ".join([f"[domain-name:value = '{name}']" for name in names])


def indicator(object_id: str, pattern: str, **more: Any) -> bytes:
    """The bytes of an indicator as they would be submitted."""
    document = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": object_id,
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }
    return json.dumps(document).encode()


def press_over(record: Record, **more: Any) -> Press:
    """A press of every format over a record, which nobody has ruled about; close it in the end."""
    return Press(
        record.active,
        FORMATS,
        judge=Judge(NEVER_BLOCK),
        policy="test",
        level_of=lambda number: record.ledger.store.audiences()[number - 1].level,
        seal=record.ledger.cursors.seal,
        secret=b"s" * 32,
        **more,
    )


class Record:
    """One hub's record in a folder. Its clock stands still until it is moved."""

    rulings: Rulings

    def __init__(self, folder: Path) -> None:
        self.now_us = START_US
        self.ledger = Ledger(folder, now_us=lambda: self.now_us, clock_us=lambda: self.now_us)
        self.active = Active(folder / "projections", self.ledger.epoch, self.ledger.length)
        self.press = Press(
            self.active,
            FORMATS,
            judge=Judge(NEVER_BLOCK),
            policy="test",
            level_of=lambda number: self.ledger.store.audiences()[number - 1].level,
            seal=self.ledger.cursors.seal,
            secret=b"s" * 32,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.press.close()
        self.active.close()
        self.ledger.close()

    def append(self, *drafts: Draft) -> int:
        """Append and fold; the last position."""
        outcomes = self.ledger.append(list(drafts))
        assert {outcome.outcome for outcome in outcomes} == {"accepted"}
        self.fold()
        return outcomes[-1].position

    def push(
        self,
        pattern: str,
        *,
        audience: Audience = CLEAR,
        object_id: str = "",
        origin: str = "SG",
        version: int = 1,
        exercise: bool = False,
        **more: Any,
    ) -> str:
        """Append one version of an indicator; its id."""
        object_id = object_id or new_id()
        body = indicator(object_id, pattern, **more)
        self.append(draft(object_id, body, audience, origin, version, exercise=exercise))
        return object_id

    def withdraw(
        self,
        object_id: str,
        *,
        audience: Audience = CLEAR,
        origin: str = "SG",
        exercise: bool = False,
    ) -> int:
        """Append a withdrawal; its position."""
        body = json.dumps({"id": object_id, "origin": origin, "reason": "wrong"}).encode()
        entry = Draft("withdrawn", audience, "anna", origin, object_id, body, exercise=exercise)
        return self.append(entry)

    def erase(self, viewer: Viewer, object_id: str) -> None:
        """Erase an object and fold the entries that say so."""
        self.ledger.erase(viewer, object_id, "asked to")
        self.fold()

    def fold(self) -> None:
        """Bring the active set to the ledger's end and check both."""
        while self.active.catch_up(self.ledger.scan, self.ledger.length):
            pass
        report = check_ledger(self.ledger.store)
        check_projection(
            self.active,
            lambda: Active(None, self.ledger.epoch, self.ledger.length),
            self.ledger.store,
            report,
        )
        assert report.faults == []

    def rights(self, viewer: Viewer) -> Sequence[int]:
        """The audiences that a viewer may see."""
        return self.ledger.rights(viewer)

    def values(self, viewer: Viewer, *, exercise: bool = False, now_us: int = 0) -> list[str]:
        """What the active set holds for a viewer."""
        snapshot = self.active.snapshot(
            self.rights(viewer), now_us or self.now_us, exercise=exercise
        )
        return [item.value for item in snapshot.items]

    def stand(self, viewer: Viewer, *, exercise: bool = False) -> int:
        """Where a viewer's set last changed."""
        return self.active.changed(self.rights(viewer), exercise=exercise)


def draft(
    object_id: str,
    body: bytes,
    audience: Audience = CLEAR,
    origin: str = "SG",
    version: int = 1,
    *,
    exercise: bool = False,
) -> Draft:
    """A draft of one version of an indicator."""
    return Draft(
        "object",
        audience,
        "anna",
        origin,
        object_id,
        body,
        version_us=version,
        exercise=exercise,
    )
