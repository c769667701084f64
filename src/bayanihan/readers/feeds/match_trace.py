"""Whose key made a match list that leaked: the hub's operator asks, with a reason.

Each recipient's digests are of its own key, so a digest and an identifier that it may stand for
name the recipient. The hub knows the identifiers; who asks is shown none of them, only the key
and whose it is. That somebody asked is an entry in the record.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from bayanihan.core import match_list
from bayanihan.core.identifiers import IDENTIFIERS
from bayanihan.core.marking import Audience, Viewer
from bayanihan.core.observables import Observable
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.active import Active

LINES_LIMIT = 1_000
REASON_LIMIT = 300
# As many digests as are made for one question; more takes minutes.
TRIES_LIMIT = 5_000_000
# How many months are tried for a digest that stands alone.
MONTHS = 3

_OPERATION = Audience("red", persons=("match-traces",))
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EPOCH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


class Recipient(Protocol):
    """A key that a list may have been made for. See `registry.Key`."""

    @property
    def member(self) -> str:
        """The member that it belongs to; "" for the operator."""

    @property
    def constituent(self) -> str:
        """The constituent, if it is one's."""

    @property
    def person(self) -> str:
        """Who holds it."""


class Leak(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines of a match list as they turned up, or single digests, and why one asks."""

    lines: tuple[str, ...]
    reason: str = ""


class Line(msgspec.Struct, frozen=True):
    """A digest, with the month and the object that it stood beside; "" where it stood alone."""

    digest: str
    epoch: str = ""
    object_id: str = ""


class Tracer:
    """Names recipients. Safe to call from several threads.

    Args:
        ledger: where it is recorded that somebody asked.
        active: which identifiers there are.
        secret: the hub's, from which recipients' keys follow.
        recipients: every key that ever was, by id.
    """

    def __init__(
        self,
        ledger: Ledger,
        active: Active,
        secret: bytes,
        recipients: Callable[[], Mapping[str, Recipient]],
    ) -> None:
        self._ledger = ledger
        self._active = active
        self._secret = secret
        self._recipients = recipients

    def trace(self, viewer: Viewer, leak: Leak) -> dict[str, Any]:
        """Whose lists the lines are of. That it was asked is entered before it is answered.

        Raises:
            Refused: `not-permitted` for anybody but the operator; `bad-value` for what is no
                line of a list, without a reason, or where it would take too long.
        """
        require(viewer, "admin")
        if viewer.member:
            raise Refused("not-permitted", "Only the operator traces a leak", where="key")
        reason = " ".join(leak.reason.split())
        if not reason or len(reason) > REASON_LIMIT or not reason.isprintable():
            raise Refused("bad-value", "Say in a sentence why you ask", where="reason")
        lines = list(read(leak.lines))
        recipients = dict(self._recipients())
        found = self._found(lines, sorted(recipients))
        named = [
            {
                "key": key_id,
                "member": recipients[key_id].member or "HUB",
                "constituent": recipients[key_id].constituent,
                "person": recipients[key_id].person,
                "lines": count,
            }
            for key_id, count in sorted(found.items(), key=lambda each: (-each[1], each[0]))
        ]
        position = self._note(viewer, reason, leak, [str(each["key"]) for each in named])
        return {
            "recipients": named,
            "lines": len(lines),
            "unknown": len(lines) - found.total(),
            "entered": self._ledger.cursors.seal(position),
        }

    def _note(self, viewer: Viewer, reason: str, leak: Leak, named: Sequence[str]) -> int:
        body = {
            "reason": reason,
            "lines": len(leak.lines),
            "sha256": hashlib.sha256("\n".join(leak.lines).encode()).hexdigest(),
            "named": named,
        }
        draft = Draft(
            "decision",
            _OPERATION,
            author=viewer.person,
            origin=viewer.origin,
            object_id="decision--match-trace",
            body=msgspec.json.encode(body),
        )
        (outcome,) = self._ledger.append([draft])
        return outcome.position

    def _found(self, lines: Sequence[Line], key_ids: Sequence[str]) -> Counter[str]:
        """How many lines are of which recipient's list."""
        found: Counter[str] = Counter()
        alone = [line for line in lines if not (line.epoch and line.object_id)]
        order = list(key_ids)
        for line in lines:
            if line in alone:
                continue
            candidates = self._active.identifiers_of(line.object_id)
            if not candidates:  # erased since, or named otherwise now
                alone.append(line)
                continue
            key_id = self._whose(line, candidates, order)
            if key_id:
                found[key_id] += 1
                # The next lines are likely of the same list.
                order.remove(key_id)
                order.insert(0, key_id)
        return found + self._search(alone, order)

    def _whose(
        self, line: Line, candidates: Sequence[Observable], order: Iterable[str]
    ) -> str | None:
        for key_id in order:
            key = match_list.key_of(self._secret, key_id, line.epoch)
            if any(match_list.digest(key, each) == line.digest for each in candidates):
                return key_id
        return None

    def _search(self, lines: Sequence[Line], order: Sequence[str]) -> Counter[str]:
        """Whose digests these are, tried against every identifier that there is."""
        found: Counter[str] = Counter()
        if not lines:
            return found
        every = self._active.every_identifier()
        wanted: dict[str, set[str]] = {}
        for line in lines:
            for epoch in [line.epoch] if line.epoch else self._epochs():
                wanted.setdefault(epoch, set()).add(line.digest)
        if len(every) * len(order) * len(wanted) > TRIES_LIMIT:
            message = "Single digests would have to be tried against too much"
            step = "Give whole lines of the list: each names its month and its object."
            raise Refused("bad-value", message, where="lines", next_step=step)
        for epoch, digests in wanted.items():
            for key_id in order:
                key = match_list.key_of(self._secret, key_id, epoch)
                hits = digests.intersection([match_list.digest(key, each) for each in every])
                digests -= hits
                if hits:
                    found[key_id] += sum(line.digest in hits for line in lines)
        return found

    def _epochs(self) -> list[str]:
        """The last months, the present one first."""
        year, month = map(int, match_list.epochs(self._ledger.now_us())[0].split("-"))
        months = [year * 12 + month - 1 - back for back in range(MONTHS)]
        return [f"{each // 12:04d}-{each % 12 + 1:02d}" for each in months]


def read(texts: Iterable[str]) -> Iterator[Line]:
    """The lines of a list, comments left out. Raises `Refused("bad-value")`."""
    count = 0
    for number, text in enumerate(texts, 1):
        fields = text.split()
        if not fields or fields[0].startswith("#"):
            continue
        count += 1
        line = _line(fields)
        if line is None:
            message = "This is no line of a match list and no digest"
            raise Refused("bad-value", message, where=f"line {number}")
        if count > LINES_LIMIT:
            message = f"{LINES_LIMIT} lines at most; a few name the recipient as well"
            raise Refused("bad-value", message, where="lines")
        yield line
    if not count:
        raise Refused("bad-value", "Give lines of a match list, or digests", where="lines")


def _line(fields: Sequence[str]) -> Line | None:
    if len(fields) == 1 and _DIGEST.fullmatch(fields[0]):
        return Line(fields[0])
    whole = len(fields) == 6 and _EPOCH.fullmatch(fields[0]) and fields[1] in IDENTIFIERS
    if whole and _DIGEST.fullmatch(fields[2]):
        return Line(fields[2], fields[0], fields[5])
    return None
