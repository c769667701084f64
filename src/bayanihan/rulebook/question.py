"""One question to the rulebook: dates, knowledge, members, assumptions, all checked."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from bayanihan.errors import Refused
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.truth import check_day
from bayanihan.rulebook.view import Assumption, View, view

MEMBERS = ("BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "TL", "VN")
JURISDICTIONS = (*MEMBERS, "EU")


def check_members(members: list[str]) -> list[str]:
    """Member codes in capitals, each known (the eleven and EU).

    Raises:
        Refused: `bad-parameter`.
    """
    found = []
    for member in members:
        code = member.upper()
        if code not in JURISDICTIONS:
            known = ", ".join(JURISDICTIONS)
            raise Refused("bad-parameter", f"{member!r} is none of {known}.", where="member")
        found.append(code)
    return found


def first_day(book: Rulebook) -> str:
    """The earliest day from which the rulebook knows any provision or row."""
    days = [
        day
        for group in book.provisions.values()
        for one in group
        for day in (one.known_start, *(row.known_start or row.start for row in one.rows))
        if day
    ]
    return min(days, default="")


def check_dates(book: Rulebook, as_of: str, known: str) -> tuple[str, str]:
    """Check the law date and the knowledge date.

    Raises:
        Refused: `bad-value` for what is no day, `bad-parameter` for a day before any law.
    """
    day = check_day(as_of, "as-of")
    seen = check_day(known, "known") if known else ""
    first = first_day(book)
    for name, value in (("as-of", day), ("known", seen)):
        if value and value < first:
            raise Refused("bad-parameter", f"The rulebook knows no law before {first}.", where=name)
    return day, seen


def read_adoption(spec: str, book: Rulebook) -> tuple[str, str]:
    """Read `model-asean=2028-01-01` into text id and day of entry into force.

    Raises:
        Refused: `bad-parameter` or `not-found`.
    """
    text_id, _, day = spec.partition("=")
    if not day:
        raise Refused("bad-parameter", f"Write {spec!r} as TEXT=DAY.", where="adopt")
    return book.text(text_id).id, check_day(day, "adopt")


def ask(
    book: Rulebook,
    known: str = "",
    adoptions: AnyMapping[str, str] | None = None,
    track: str = "A",
    assistance: str = "",
) -> View:
    """The view for one member: adopted proposals begin by its track and its assistance.

    Args:
        book: the rulebook.
        known: the knowledge date, already checked; "" for everything.
        adoptions: text id to the assumed day of entry into force.
        track: the member's capacity track.
        assistance: the day on which the promised assistance was delivered, "" for not yet.
    """
    assumed = {
        text_id: Assumption(day, track, assistance) for text_id, day in (adoptions or {}).items()
    }
    return view(book, known, assumed)
