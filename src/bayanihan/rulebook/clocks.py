"""Incident clocks: from one incident, what is owed to whom by when, in each member.

A row of `clocks.yaml` belongs to a member, roles and a kind of incident. It runs, or it is a
gap (no such law), or what is known does not suffice (unknown hours, an unconfirmed start, a
fact that was not given). Nothing is guessed: a gap and an unknown are answers too.

Hours and calendar days count from the moment of awareness, to the second (the cautious
reading); working days count whole days of the member's own calendar, which the caller passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.schema import day_in, expect_keys, expect_mapping, text_in, texts_in
from bayanihan.rulebook.truth import UNKNOWN, YES, at

PARTS = ("first", "supplement", "final")
STATES = ("runs", "not-yet", "undetermined", "unknown", "gap", "not-concerned")

# (member code, day) -> is it a working day there?
WorkingDay = Callable[[str, date], bool]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, as a person reports it once.

    Attributes:
        kinds: what it is, of the kinds in `clocks.yaml`; it may be several.
        aware: the moment of awareness, with time zone.
        says: what happened, for the drafts.
    """

    id: str
    kinds: tuple[str, ...]
    aware: datetime
    says: str = ""


@dataclass(frozen=True, slots=True)
class Deadline:
    """One filing owed: `first`, `supplement` or `final`, its limit in words and as a moment."""

    part: str
    limit: str
    due: datetime | None

    def as_json(self) -> dict[str, str | None]:
        """Moments as ISO texts in UTC."""
        return {"part": self.part, "limit": self.limit, "due": moment_text(self.due)}


@dataclass(frozen=True, slots=True)
class Clock:
    """What one member's rule says about one incident."""

    clock: str
    member: str
    kind: str
    state: str
    trigger: str
    addressee: str
    deadlines: tuple[Deadline, ...]
    note: str
    missing: tuple[str, ...]
    sources: tuple[str, ...]
    quality: str

    def as_json(self) -> dict[str, Any]:
        """Every attribute; deadlines as objects."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        told["deadlines"] = [one.as_json() for one in self.deadlines]
        told["missing"], told["sources"] = list(self.missing), list(self.sources)
        return told


def read_moment(text: str, where: str) -> datetime:
    """A moment with its time zone, as `2026-11-22T09:30:00Z`.

    Raises:
        Refused: `bad-value` when it is none, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(
            "bad-value", f"{text!r} is not a moment such as 2026-11-22T09:30:00Z.", where=where
        )
    return moment.astimezone(UTC)


def moment_text(moment: datetime | None) -> str | None:
    """ISO text in UTC, `...Z`."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def rows_of(book: Rulebook) -> list[Mapping]:
    """Every clock row of the rulebook."""
    return [row for root in book.parts.get("clocks", ()) for row in root["clocks"]]


def clocks(
    derivation: Derivation,
    incident: Incident,
    members: Collection[str],
    working_day: WorkingDay,
) -> list[Clock]:
    """All clocks of an incident in these members, what runs first.

    Args:
        derivation: the system's facts and the view; roles and findings decide who is concerned.
        incident: what happened, and when it became known.
        members: codes; `ASEAN` rows count where their text is assumed to be adopted.
        working_day: the members' calendars.

    Raises:
        Refused: `bad-value` for a kind that no row knows.
    """
    book = derivation.view.rulebook
    known = {kind for root in book.parts.get("clocks", ()) for kind in root["kinds"]}
    for kind in incident.kinds:
        if kind not in known:
            raise Refused(
                "bad-value", f"{kind!r} is none of {', '.join(sorted(known))}.", where="kind"
            )
    found = []
    for row in rows_of(book):
        if row["kind"] in incident.kinds and row["member"] in members:
            clock = _clock(derivation, incident, row, working_day)
            if clock.state != "not-concerned":
                found.append(clock)
    return sorted(found, key=lambda one: (STATES.index(one.state), _first_due(one), one.clock))


def _first_due(clock: Clock) -> str:
    moments = [moment_text(one.due) or "" for one in clock.deadlines]
    return moments[0] if moments else "~"


def _clock(
    derivation: Derivation, incident: Incident, row: Mapping, working_day: WorkingDay
) -> Clock:
    state, missing = _state(derivation, incident, row)
    deadlines: tuple[Deadline, ...] = ()
    if state in ("runs", "undetermined", "not-yet"):
        deadlines = tuple(
            _deadline(part, row[part], row["member"], incident.aware, working_day)
            for part in PARTS
            if part in row
        )
    note = text_in(row, "gap") or text_in(row, "unknown") or text_in(row, "note")
    book = derivation.view.rulebook
    sources = texts_in(row, "source")
    if "slice" in row:
        sources = (book.slices[row["slice"]].source, *sources)
    quality = book.best_quality(sources)
    return Clock(
        row["id"], row["member"], row["kind"], state, text_in(row, "trigger"),
        text_in(row, "addressee"), deadlines, note, missing, sources, quality,
    )  # fmt: skip


def _state(derivation: Derivation, incident: Incident, row: Mapping) -> tuple[str, tuple[str, ...]]:
    if "gap" in row:
        return "gap", ()
    if "unknown" in row:
        return "unknown", ()
    facts, day = derivation.facts, incident.aware.date().isoformat()
    roles = facts.get("roles")
    if roles is None:
        return "undetermined", ("roles",)
    if not set(row["roles"]) & set(roles if isinstance(roles, tuple) else ()):
        return "not-concerned", ()
    applies = row.get("applies") or {}
    if applies.get("from", "") > day:
        return "not-yet", ()
    fact = applies.get("fact")
    if fact and facts.get(fact) is not True:
        return ("undetermined", (fact,)) if fact not in facts else ("not-concerned", ())
    for key in ("finding", "duty"):
        if key in applies:
            truth = at(derivation.holds(applies[key]), day)
            if truth == UNKNOWN:
                return "undetermined", ()
            if truth != YES:
                later = any(s > day and t == YES for s, t in derivation.holds(applies[key]))
                return ("not-yet" if later else "not-concerned"), ()
    return "runs", ()


def _deadline(
    part: str, limit: Mapping, member: str, aware: datetime, working_day: WorkingDay
) -> Deadline:
    if limit.get("immediately"):
        return Deadline(part, "immediately", aware)
    if "hours" in limit:
        return Deadline(part, f"{limit['hours']} h", aware + timedelta(hours=limit["hours"]))
    if "days" in limit:
        return Deadline(part, f"{limit['days']} d", aware + timedelta(days=limit["days"]))
    number = limit["working_days"]
    due = add_working_days(aware, number, member, working_day)
    return Deadline(part, f"{number} working days", due)


def add_working_days(
    start: datetime, number: int, member: str, working_day: WorkingDay
) -> datetime:
    """The same time of day, `number` working days of the member's calendar later."""
    moment = start
    while number > 0:
        moment += timedelta(days=1)
        if working_day(member, moment.date()):
            number -= 1
    return moment


def working_days_left(now: datetime, due: datetime, member: str, working_day: WorkingDay) -> int:
    """How many working days of the member begin after `now` and not after `due`; 0 when over.

    Days are those of the member's own zone.
    """
    day, last = local(now, member).date(), local(due, member).date()
    left = 0
    while day < last:
        day += timedelta(days=1)
        left += working_day(member, day)
    return left


# Hours ahead of UTC at the seat of government. None of the eleven changes its clocks.
_ZONES = {
    "BN": ("BNT", 8), "ID": ("WIB", 7), "KH": ("ICT", 7), "LA": ("ICT", 7), "MM": ("MMT", 6.5),
    "MY": ("MYT", 8), "PH": ("PST", 8), "SG": ("SGT", 8), "TH": ("ICT", 7), "TL": ("TLT", 9),
    "VN": ("ICT", 7),
}  # fmt: skip


def local(moment: datetime, member: str) -> datetime:
    """A moment in the member's zone; in UTC for the European Union, which has several."""
    name, hours = _ZONES.get(member, ("UTC", 0))
    return moment.astimezone(timezone(timedelta(hours=hours), name))


def local_text(moment: datetime, member: str) -> str:
    """A moment as people there read it, with the zone's name: `2026-11-22 17:30 SGT`."""
    return f"{local(moment, member):%Y-%m-%d %H:%M %Z}"


def check_clocks(book: Rulebook, jurisdictions: Sequence[str]) -> None:
    """Check every clock row: keys, members, kinds, limits, references.

    Raises:
        Refused: with file, line and clock.
    """
    seen: set[str] = set()
    for root in book.parts.get("clocks", ()):
        for row in root["clocks"]:
            _check_row(book, row, root["kinds"], jurisdictions)
            if row["id"] in seen:
                raise Refused("duplicate-key", f"Clock {row['id']} twice.", where=row.place("id"))
            seen.add(row["id"])


def _check_row(book: Rulebook, row: Mapping, kinds: Mapping, jurisdictions: Sequence[str]) -> None:
    expect_keys(row, "A clock", ("id", "member", "kind", "roles", "trigger", "addressee"),
                (*PARTS, "note", "applies", "source", "slice", "gap", "unknown"))  # fmt: skip
    place = row.place()
    if row["member"] not in (*jurisdictions, "ASEAN") or row["kind"] not in kinds:
        raise Refused("bad-value", f"{row['id']}: unknown member or kind.", where=place)
    if not ({"gap", "unknown", "first"} & set(row)):
        raise Refused("missing-property", f"{row['id']} says nothing about time.", where=place)
    for part in PARTS:
        limit = row.get(part)
        if limit is not None and (
            len(limit) != 1 or not set(limit) <= {"immediately", "hours", "days", "working_days"}
        ):
            raise Refused("bad-value", f"{row['id']}: {part} is no limit.", where=row.place(part))
    applies = expect_mapping(row.get("applies") or Mapping("", 0), "`applies`", place)
    day_in(applies, "from")
    for key in ("finding", "duty"):
        if key in applies and applies[key] not in book.provisions:
            raise Refused("bad-value", f"{row['id']}: no {applies[key]!r}.", where=place)
    if applies.get("fact", "roles") not in book.vocabulary.facts:
        raise Refused("bad-value", f"{row['id']}: no such fact.", where=place)
    names = texts_in(row, "source")
    if "slice" not in row and not names:
        raise Refused("missing-property", f"{row['id']} names no source.", where=place)
    if row.get("slice", "") not in ("", *book.slices) or not set(names) <= set(book.sources):
        raise Refused("bad-value", f"{row['id']} names no known source.", where=place)
