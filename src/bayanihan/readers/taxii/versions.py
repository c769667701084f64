"""Which versions of an object one viewer is shown.

Only the creator may version an object (STIX 2.1 section 3.6), so a version counts against
those of its own origin alone: nobody hides another's object by publishing a later one
under its id. The same bytes are shown once, at the earliest place at which the viewer may
see them, so that a re-share is not news to who has the object.

What has no version of its own is as old as the first time its origin said these bytes.

Source: TAXII 2.1 section 3.4.1 (match[version]).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

LAST, FIRST, ALL = "last", "first", "all"


class Held(NamedTuple):
    """One entry of an object, as far as its versions are concerned."""

    position: int
    origin: str
    version_us: int
    digest: int


class Wanted(NamedTuple):
    """The versions asked for: `words` of `LAST`, `FIRST` and `ALL`, and exact times."""

    words: frozenset[str] = frozenset({LAST})
    times_us: frozenset[int] = frozenset()


def shown(rows: Iterable[Held], wanted: Wanted) -> list[Held]:
    """Those entries of one object that are shown, in order of position.

    Args:
        rows: the entries of the object that the viewer may see in the collection, without
            what was withdrawn.
        wanted: the versions asked for.
    """
    ordered = sorted(rows)
    since: dict[tuple[str, int], int] = {}
    for row in ordered:
        said = (row.origin, row.digest)
        since[said] = min(since.get(said, row.version_us), row.version_us)
    ends: dict[str, tuple[int, int]] = {}
    for (origin, _), version_us in since.items():
        low, high = ends.get(origin, (version_us, version_us))
        ends[origin] = (min(low, version_us), max(high, version_us))
    seen: set[int] = set()
    found = []
    for row in ordered:
        version_us = since[row.origin, row.digest]
        if row.digest not in seen and _is_wanted(version_us, ends[row.origin], wanted):
            seen.add(row.digest)
            found.append(row)
    return found


def _is_wanted(version_us: int, ends: tuple[int, int], wanted: Wanted) -> bool:
    first_us, last_us = ends
    return (
        ALL in wanted.words
        or (LAST in wanted.words and version_us == last_us)
        or (FIRST in wanted.words and version_us == first_us)
        or version_us in wanted.times_us
    )
