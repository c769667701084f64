"""Offices and persons of a member that others pose as, with the keys they sign denials with."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from bayanihan.registry.changes import MemberLeft, OfficeEnded, OfficeSet


class OfficeKey(msgspec.Struct, frozen=True):
    """A key of an office: in force from position `since`, replaced at `until` (0: not yet).

    What it signed is judged by positions, for these are in one order; the times are for
    people. `taken_back_us` is when the office ended, or its member left: then nothing that it
    signed counts.
    """

    public: bytes
    since: int
    since_us: int
    until: int = 0
    until_us: int = 0
    taken_back_us: int = 0


class Known(msgspec.Struct, frozen=True):
    """One office: its title in words, and its keys, the newest last."""

    title: str
    keys: tuple[OfficeKey, ...]

    @property
    def current(self) -> OfficeKey | None:
        """The key that it signs with now."""
        last = self.keys[-1]
        return None if last.until or last.taken_back_us else last


class Offices:
    """All offices, by member and name. Read from any thread; changed by the registry alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Known] = {}

    def apply(self, position: int, change: OfficeSet | OfficeEnded | MemberLeft) -> None:
        """Take a change in that was entered at a position."""
        if isinstance(change, OfficeSet):
            self._set(position, change)
            return
        ended = [
            place
            for place in self._known
            if place[0] == change.code
            if isinstance(change, MemberLeft) or place[1] == change.office
        ]
        for place in ended:
            known = self._known[place]
            keys = tuple(
                key if key.taken_back_us else replace(key, taken_back_us=change.at_us)
                for key in known.keys
            )
            self._known[place] = Known(known.title, keys)

    def _set(self, position: int, change: OfficeSet) -> None:
        place = (change.code, change.office)
        before = self._known[place].keys if place in self._known else ()
        ended = tuple(
            key if key.until else replace(key, until=position, until_us=change.at_us)
            for key in before
        )
        key = OfficeKey(bytes.fromhex(change.public), position, change.at_us)
        self._known[place] = Known(change.title, (*ended, key))

    def get(self, code: str, office: str) -> Known | None:
        """An office, or None."""
        return self._known.get((code, office))

    def of(self, code: str) -> dict[str, Known]:
        """A member's offices by name."""
        return {name: known for (owner, name), known in self._known.items() if owner == code}
