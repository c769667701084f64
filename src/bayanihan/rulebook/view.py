"""The rulebook as known on one day, for one member, with what is assumed to be adopted.

Law has two clocks. The law date says when a provision applies; the knowledge date says what
was known (had entered into force, amendments included) when the question was asked. A view
fixes the second, resolves treaty dates by capacity track, and keeps the first open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bayanihan.errors import Refused
from bayanihan.rulebook.check import excepted_by
from bayanihan.rulebook.condition import Condition
from bayanihan.rulebook.law import Provision, Row, Rulebook
from bayanihan.rulebook.truth import ALWAYS, NEVER, UNKNOWN, YES, Timeline, interval

TRACKS = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class Assumption:
    """A proposal taken as adopted, for a what-if question.

    Attributes:
        entry: the day on which it is taken to enter into force.
        track: the member's capacity track, A, B or C.
        assistance: the day on which the promised assistance reached the member; "" for not yet.
    """

    entry: str
    track: str
    assistance: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """One row as seen from here: when it applies, for whom, and where it stands."""

    line: Timeline
    when: Condition | None
    row: Row
    waits: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a provision that is known, with its spans and its own validity."""

    provision: Provision
    spans: tuple[Span, ...]
    valid: Timeline
    fixed: Timeline | None


@dataclass(frozen=True, slots=True)
class View:
    """All that is known at `known` ("" for everything), ready to be asked."""

    rulebook: Rulebook
    known: str
    versions: Mapping[str, tuple[Version, ...]]
    exceptions: Mapping[str, tuple[str, ...]]
    assumptions: Mapping[str, Assumption] = field(default_factory=dict)


def view(
    rulebook: Rulebook, known: str = "", assumptions: Mapping[str, Assumption] | None = None
) -> View:
    """Look at the rulebook from one knowledge date.

    Args:
        rulebook: all texts.
        known: the knowledge date; "" for all that the rulebook knows.
        assumptions: text id to what is assumed about its adoption.

    Raises:
        Refused: `not-found` for an assumption about an unknown text.
    """
    assumed = dict(assumptions or {})
    for text_id in assumed:
        rulebook.text(text_id)
    versions: dict[str, tuple[Version, ...]] = {}
    kept: dict[str, tuple[Provision, ...]] = {}
    for provision_id, group in rulebook.provisions.items():
        seen = tuple(one for one in group if _known(one.known_start, one.known_end, known))
        if not seen:
            continue
        kept[provision_id] = seen
        versions[provision_id] = tuple(_version(one, known, assumed) for one in seen)
    return View(rulebook, known, versions, excepted_by(kept), assumed)


def add_months(day: str, months: int) -> str:
    """The same day `months` later; the last of the month where that day does not exist."""
    year, month, number = (int(part) for part in day.split("-"))
    index = year * 12 + month - 1 + months
    year, month = index // 12, index % 12 + 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    return f"{year:04}-{month:02}-{min(number, longest):02}"


def track_start(row: Row, assumption: Assumption | None) -> tuple[str, bool]:
    """Where a tracked row begins under an assumption, and whether it waits for assistance.

    The deadline runs from entry into force; where assistance is a precondition it never falls
    before the assistance arrived, and does not run at all until then.
    """
    if assumption is None:
        return "", False
    if assumption.track not in row.months:
        raise Refused("bad-value", f"No months for track {assumption.track!r}.", where=row.place)
    start = add_months(assumption.entry, row.months[assumption.track])
    if not row.needs_assistance:
        return start, False
    if not assumption.assistance:
        return "", True
    return max(start, assumption.assistance), False


def _version(provision: Provision, known: str, assumed: Mapping[str, Assumption]) -> Version:
    spans = []
    for row in provision.rows:
        if not _known(row.known_start, row.known_end, known):
            continue
        line, waits = interval(row.start, row.end), False
        if row.months:
            start, waits = track_start(row, assumed.get(provision.text))
            line = interval(start, "") if start else NEVER
        if row.unconfirmed:
            line = tuple((day, UNKNOWN if truth == YES else truth) for day, truth in line)
        spans.append(Span(line, row.when, row, waits))
    valid = interval(provision.start, provision.end)
    fixed = None
    if not provision.rows:
        fixed = ALWAYS
    elif len(spans) == 1 and spans[0].when is None:
        fixed = spans[0].line
    return Version(provision, tuple(spans), valid, fixed)


def _known(start: str, end: str, known: str) -> bool:
    if not known:
        return not end
    return start <= known and (not end or known < end)
