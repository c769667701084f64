"""What the author of an entry is told when somebody speaks against what it blocks.

A notice goes to those of its origin who see the entry anyway, so that it tells nobody of an
entry that was hidden from them; where the origin's staff do not see it, to its author alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import Audience, Group, Viewer, may_see
from bayanihan.core.observables import Observable
from bayanihan.ledger import Draft

# The first of those who told of a value; nobody is told twice of one object.
TOLD_LIMIT = 50
ANSWER_DAYS = 3
_DAY_US = 86_400_000_000


class Teller(NamedTuple):
    """One entry that names a value: whose it is, its object, and the number of its audience."""

    origin: str
    author: str
    object_id: str
    audience: int


class Occasion(NamedTuple):
    """What happened to a value, in a sentence, at a moment, and who said it."""

    observable: Observable
    said: str
    by: str
    at_us: int
    exercise: bool = False


def notices(
    occasion: Occasion,
    tellers: Iterable[Teller],
    audiences: Sequence[Audience],
    region: Group,
    ids: Iterable[str],
) -> list[Draft]:
    """A notice to each origin that told of a value, about its own objects.

    Args:
        occasion: what happened.
        tellers: who told of it.
        audiences: those of the ledger, in the order of their numbers.
        region: the region as it stands now.
        ids: fresh ids of notices.
    """
    found: dict[tuple[str, Audience], list[str]] = {}
    for each in tellers:
        to = addressed(each, audiences[each.audience - 1], region)
        found.setdefault((each.origin, to), []).append(each.object_id)
    return [
        Draft(
            "notice",
            to,
            author="hub",
            origin="HUB",
            object_id=f"notice--{name}",
            body=msgspec.json.encode(_body(occasion, origin, sorted(set(objects)), name)),
            exercise=occasion.exercise,
        )
        for ((origin, to), objects), name in zip(sorted_by_origin(found), ids, strict=False)
    ]


def sorted_by_origin(
    found: dict[tuple[str, Audience], list[str]],
) -> list[tuple[tuple[str, Audience], list[str]]]:
    """In an order that is always the same."""
    return sorted(found.items(), key=lambda each: (each[0][0], msgspec.json.encode(each[0][1])))


def addressed(teller: Teller, audience: Audience, region: Group) -> Audience:
    """Who is told: of the origin, those who see the entry; else its author alone."""
    member = teller.origin.partition("/")[0]
    staff = Viewer(key="any", member=member)
    if member != "HUB" and member in region.members and may_see(staff, audience):
        return Audience("amber+strict", (region, Group(f"to-{member}", 1, (member,))))
    return Audience("red", persons=(teller.author,))


def _body(occasion: Occasion, origin: str, objects: Sequence[str], name: str) -> dict[str, object]:
    return {
        "id": f"notice--{name}",
        "purpose": "ask",
        "state": "sent",
        "to": origin,
        "from": occasion.by,
        "at": moment.render(occasion.at_us),
        "answer_by": moment.render(occasion.at_us + ANSWER_DAYS * _DAY_US),
        "about": list(objects),
        "type": occasion.observable.type,
        "value": occasion.observable.value,
        "message": occasion.said,
    }
