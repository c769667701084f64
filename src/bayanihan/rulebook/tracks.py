"""Capacity tracks: readiness and behaviour to track, entitlements, milestones, graduation.

How binding a member's own law is plays no part: Viet Nam has the only AI law in force and
stands in the middle track. A member moves up by what it did, over a period and with enough
cases to say so; it never moves down by a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import member_entries
from bayanihan.rulebook.schema import expect_keys, expect_mapping, text_in, texts_in, whole_in
from bayanihan.rulebook.view import TRACKS

_BEHAVIOUR = (
    "period_days",
    "notices_answered_share",
    "median_hours_to_acknowledge",
    "drills_passed",
)
# Fewer notices than this in the period say nothing about a share.
ENOUGH_NOTICES = 10


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the hub measured of one member over the period: counts, never a rank."""

    period_days: int
    notices: int
    answered: int
    median_hours_to_acknowledge: float | None
    drills_passed: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's track with what follows from it, and what graduation still needs."""

    member: str
    readiness: Decimal
    source: str
    by_readiness: str
    track: str
    entitlements: tuple[str, ...]
    milestones: tuple[str, ...]
    graduates: bool
    still_needed: tuple[str, ...]
    watermark: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        told["readiness"] = float(self.readiness)
        for name in ("entitlements", "milestones", "still_needed"):
            told[name] = list(told[name])
        return told


def track_of(book: Rulebook, member: str) -> str:
    """The track recorded for a member; the European Union, which has none, counts as A."""
    return "A" if member == "EU" else str(member_entries(book)[member]["track"])


def standing(book: Rulebook, member: str, behaviour: Behaviour | None = None) -> Standing:
    """Derive a member's track.

    Args:
        book: the rulebook.
        member: a member's code.
        behaviour: what was measured; None for not measured.

    Raises:
        Refused: `not-found` when the rulebook holds no tracks or no such member.
    """
    roots = book.parts.get("tracks", ())
    entries = member_entries(book)
    if not roots or member not in entries:
        raise Refused("not-found", f"No track is known for {member!r}.", where="member")
    rules, readiness = roots[0], Decimal(entries[member]["readiness"]["score"])
    base = next(t for t in TRACKS if readiness >= rules["tracks"][t]["readiness_from"])
    needed = _needed(rules["behaviour"], behaviour)
    graduates = not needed and base != "A"
    track = TRACKS[TRACKS.index(base) - 1] if graduates else base
    entry = rules["tracks"][track]
    return Standing(
        member, readiness, entries[member]["readiness"]["source"], base, track,
        tuple(entry["entitlements"]), tuple(entry["milestones"]), graduates,
        () if base == "A" else tuple(needed), rules["watermark"],
    )  # fmt: skip


def _needed(rule: Any, behaviour: Behaviour | None) -> list[str]:
    if behaviour is None:
        return ["behaviour was not measured"]
    needed = []
    if behaviour.period_days < rule["period_days"]:
        needed.append(f"{rule['period_days']} days of measurement, not {behaviour.period_days}")
    if behaviour.notices < ENOUGH_NOTICES:
        needed.append(f"at least {ENOUGH_NOTICES} notices, not {behaviour.notices}")
    elif Decimal(behaviour.answered) / behaviour.notices < rule["notices_answered_share"]:
        share = rule["notices_answered_share"]
        needed.append(
            f"{share} of notices answered, not {behaviour.answered} in {behaviour.notices}"
        )
    median = behaviour.median_hours_to_acknowledge
    if median is None or median > rule["median_hours_to_acknowledge"]:
        needed.append(f"a median of at most {rule['median_hours_to_acknowledge']} h to acknowledge")
    if behaviour.drills_passed < rule["drills_passed"]:
        needed.append(f"{rule['drills_passed']} drill passed")
    return needed


def check_tracks(book: Rulebook) -> None:
    """Check the tracks: three of them, from the highest readiness down, and the behaviour.

    Raises:
        Refused: with file and line.
    """
    for root in book.parts.get("tracks", ()):
        expect_keys(root["tracks"], "tracks", TRACKS, ())
        for track in TRACKS:
            entry = expect_mapping(root["tracks"][track], track, root["tracks"].place(track))
            expect_keys(
                entry, f"Track {track}", ("readiness_from", "entitlements", "milestones"), ()
            )
            whole_in(entry, "readiness_from")
            texts_in(entry, "entitlements")
            texts_in(entry, "milestones")
        behaviour = expect_mapping(root["behaviour"], "behaviour", root.place("behaviour"))
        expect_keys(behaviour, "behaviour", _BEHAVIOUR, ())
        for name in _BEHAVIOUR:
            if isinstance(behaviour[name], bool) or not isinstance(behaviour[name], int | Decimal):
                raise Refused("bad-value", f"{name} is a number.", where=behaviour.place(name))
        if [root["tracks"][t]["readiness_from"] for t in TRACKS][-1] != 0:
            raise Refused("bad-value", "The last track begins at 0.", where=root.place("tracks"))
        expect_keys(root, "A part of tracks",
                    ("part", "source", "watermark", "tracks", "behaviour"), ())  # fmt: skip
        text_in(root, "watermark")
