"""What was taken back, kept beside the ledger, so that no older backup brings it back."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import house_of
from bayanihan.errors import Refused
from bayanihan.ledger.door import Ledger
from bayanihan.ledger.engine import Store
from bayanihan.ledger.entry import Draft, Entry

logger = logging.getLogger(__name__)

ERASURES = "erasures.jsonl"
_PERSON = "restore"
_REASON = "taken back after the backup was made, and again after it was restored"
_AT_ONCE = 500
_LOOKED_AT_BYTES = 4_096
_TAKES_BACK = ("withdrawn", "erased")


class Erasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry that was taken back: where it stood, and the leaf that tells it from others.

    `withdrawn` is the leaf of the withdrawal that took it back; "" says that it was erased.
    """

    position: int
    leaf: str
    withdrawn: str = ""


class Again(msgspec.Struct, frozen=True):
    """How many entries a restore erased again, and how many withdrawals it made again."""

    erased: int = 0
    withdrawn: int = 0


def erasures_of(store: Store) -> list[Erasure]:
    """Every erased entry of a ledger."""
    return [Erasure(position, leaf.hex()) for position, leaf in store.erased()]


def read_erasures(text: bytes) -> list[Erasure]:
    """An erasure list. Raises `Refused("bad-value")`, naming the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found.append(msgspec.json.decode(line, type=Erasure))
        except msgspec.MsgspecError as error:
            raise Refused(
                "bad-value", f"The erasure list cannot be read: {error}", where=f"line {number}"
            ) from None
    return found


class ErasureList:
    """The file of what was erased or withdrawn, kept for backups made earlier.

    Args:
        folder: the data directory.
        ledger: what it has taken back begins the file, so that a crash loses none.
    """

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._path = folder / ERASURES
        self._ledger = ledger
        self._lock = threading.Lock()
        self._followed = 0
        self.follow()

    def follow(self) -> None:
        """Add what was taken back since by others, if anything was; at first, all there is."""
        store, length = self._ledger.store, self._ledger.length
        if not self._ledger.scan(self._followed, 1, _TAKES_BACK):
            self._followed = length
            return
        listed = self._listed()
        # The last may have been broken off among the lines of one withdrawal.
        last, known = listed[-1].withdrawn if listed else "", set(listed)
        withdrawn = {each.withdrawn for each in known} - {last}
        missed = [position for position, leaf in store.withdrawals() if leaf.hex() not in withdrawn]
        found = [*erasures_of(store), *self._found(missed)]
        self._append([each for each in found if each not in known])
        self._followed = length

    def _listed(self) -> list[Erasure]:
        if not self._path.exists():
            return []
        with self._lock, self._path.open("r+b") as file:
            _cut_off_half_a_line(file)
            file.seek(0)
            return read_erasures(file.read())

    def note(self, positions: Sequence[int]) -> None:
        """Add entries that were just erased, or what withdrawals just took back, durably."""
        self._append(self._found(positions))

    def _found(self, positions: Iterable[int]) -> list[Erasure]:
        found: list[Erasure] = []
        for position in positions:
            entry = self._ledger.store.entry(position)
            if entry is not None and entry.erased:
                found.append(Erasure(position, entry.header.leaf.hex()))
            elif entry is not None and entry.header.kind == "withdrawn":
                by = entry.header.leaf.hex()
                found += [
                    Erasure(earlier.position, earlier.header.leaf.hex(), by)
                    for earlier in _alike(self._ledger, entry, "object")
                    if earlier.position < position and _place(earlier) == _place(entry)
                ]
        return found

    def _append(self, erasures: Sequence[Erasure]) -> None:
        if not erasures:
            return
        lines = b"".join(msgspec.json.encode(each) + b"\n" for each in erasures)
        with self._lock, self._path.open("a+b") as file:
            self._path.chmod(0o600)
            _cut_off_half_a_line(file)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


def _cut_off_half_a_line(file: BinaryIO) -> None:
    """Take off what a crash or a full disk left of a line; what it said is added anew."""
    whole = size_bytes = file.seek(0, os.SEEK_END)
    found = -1
    while whole and found < 0:
        start = max(0, whole - _LOOKED_AT_BYTES)
        file.seek(start)
        found = file.read(whole - start).rfind(b"\n")
        whole = start + found + 1
    if whole < size_bytes:
        logger.warning("the erasure list ended within a line: it is mended")
        file.truncate(whole)
    file.seek(0, os.SEEK_END)


def take_back_again(ledger: Ledger, erasures: Iterable[Erasure]) -> Again:
    """Erase and withdraw what a list names, each with its entry, as if it were done now.

    An entry whose leaf is another is of another history: it is left alone. So is what the
    ledger has taken back itself.
    """
    listed = set(erasures)
    entries = {each.position: ledger.store.entry(each.position) for each in listed}
    named = [
        (each, entry)
        for each in sorted(listed, key=lambda each: (each.position, each.withdrawn))
        if (entry := entries[each.position]) and entry.header.leaf.hex() == each.leaf
        if not entry.erased
    ]
    erased = _erase([entry for each, entry in named if not each.withdrawn], ledger)
    drafts = {
        (entry.origin, entry.object_id, entry.header.audience, entry.header.exercise): entry
        for each, entry in named
        if each.withdrawn and entry.position not in erased and not _is_withdrawn(ledger, entry)
    }
    withdrawals = [_withdrawal(ledger, entry) for entry in drafts.values()]
    for start in range(0, len(withdrawals), _AT_ONCE):
        ledger.append(withdrawals[start : start + _AT_ONCE])
    return Again(len(erased), len(withdrawals))


def _erase(entries: list[Entry], ledger: Ledger) -> set[int]:
    positions: set[int] = set()
    entries.sort(key=_whose)
    for _, same in groupby(entries, key=_whose):
        positions.update(ledger.erase_entries(list(same), person=_PERSON, reason=_REASON))
    return positions


def _whose(entry: Entry) -> tuple[str, str]:
    return entry.origin, entry.object_id


def _place(entry: Entry) -> tuple[int, bool]:
    return entry.header.audience, entry.header.exercise


def _alike(ledger: Ledger, entry: Entry, kind: str) -> Iterator[Entry]:
    """The entries of a kind about the same object of the same origin."""
    for position in ledger.positions_of(entry.object_id):
        found = ledger.store.entry(position)
        if found and found.header.kind == kind and _whose(found) == _whose(entry):
            yield found


def _is_withdrawn(ledger: Ledger, entry: Entry) -> bool:
    return any(
        later.position > entry.position and _place(later) == _place(entry)
        for later in _alike(ledger, entry, "withdrawn")
    )


def _withdrawal(ledger: Ledger, entry: Entry) -> Draft:
    at = moment.render(ledger.now_us())
    body = {"id": entry.object_id, "origin": house_of(entry.origin), "reason": _REASON, "at": at}
    return Draft(
        "withdrawn",
        ledger.store.audiences()[entry.header.audience - 1],
        author=_PERSON,
        origin=entry.origin,
        object_id=entry.object_id,
        body=msgspec.json.encode(body),
        exercise=entry.header.exercise,
    )
