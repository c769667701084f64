"""Campaigns: near variants across members, over nothing but what the viewer may see.

A campaign is no entry. It is worked out from the cases that a viewer may see at the moment of
the question, so that whoever may not see a case does not see it counted, and a case that is
withdrawn or erased leaves at once. RED is in none: a campaign is there to be talked about.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bayanihan.core import moment
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.marking import (
    REGION,
    STRICTNESS,
    TLP_2_IDS,
    Audience,
    Viewer,
    group_marking_id,
    house_of,
)
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger
from bayanihan.readers.alike.projection import Alike, Case
from bayanihan.readers.alike.variants import Crowded, Group, grouped

# The newest so many cases are looked at; more are left out, and the answer says so.
CASES_LIMIT = 10_000
DAYS_LIMIT = 366
SHOWN_CASES = 500
_CROWDED_SHOWN = 50
_SHARED_SHOWN = 20
_DENIALS_SHOWN = 20
_STEPS = 60
_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US
_DAY_US = 24 * _HOUR_US
_STEP_SIZES_US = (5 * _MINUTE_US, _HOUR_US, _DAY_US, 7 * _DAY_US)
_KEPT = 16
_NAMES = uuid.UUID("5b0f3a53-6a3e-4b57-8d0e-6f3c0b7e61aa")


Denied = Callable[[Fingerprints, str], Sequence[Any]]
"""The denials about a case's fingerprints and id."""


class Truth(NamedTuple):
    """Where a campaign takes the denials from that stand beside it.

    `edition` changes with the denials, `denied` finds those that some audiences see, and `told`
    says one as it is shown, with what its signature is worth now.
    """

    edition: Callable[[], int]
    denied: Callable[[Sequence[int], bool], Denied]
    told: Callable[[Any], dict[str, Any]]


class Told(msgspec.Struct, frozen=True):
    """A case as one viewer sees it: since when, from which member, how far it may go."""

    id: str
    member: str
    language: str
    stamp_us: int
    level: str
    groups: tuple[str, ...]
    name: str
    denials: tuple[Any, ...] = ()


class Seen(msgspec.Struct, frozen=True):
    """What was looked at for one answer."""

    cases: tuple[Told, ...]
    groups: tuple[Group, ...]
    crowded: tuple[Crowded, ...]
    cut: bool


class Campaigns:
    """Answers which campaigns a viewer may see.

    Args:
        ledger: for the viewer's rights, the audiences and the clock.
        alike: the cases.
        never: whether a `type:value` is shared by strangers and so joins nothing.
        catch_up: waits a moment for what was published before the question.
        truth: see `Truth`.
    """

    def __init__(
        self,
        ledger: Ledger,
        alike: Alike,
        never: Callable[[str], bool],
        catch_up: Callable[[int], None],
        truth: Truth,
    ) -> None:
        self._ledger = ledger
        self._alike = alike
        self._never = never
        self._catch_up = catch_up
        self._truth = truth
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, Seen] = OrderedDict()

    def listed(self, viewer: Viewer, days: int, limit: int, *, exercise: bool) -> dict[str, Any]:
        """The campaigns of the last days, the latest first. Blocks."""
        seen = self._seen(viewer, days, exercise)
        found = [self._summary(seen, group) for group in seen.groups]
        found.sort(key=lambda each: (each["last_seen"], each["id"]), reverse=True)
        return {
            "days": days,
            "exercise": exercise,
            "cases": len(seen.cases),
            "cut": seen.cut,
            "total": len(found),
            "campaigns": found[:limit],
            "crowded": msgspec.to_builtins(seen.crowded[:_CROWDED_SHOWN]),
        }

    def one(self, viewer: Viewer, asked: str, days: int, *, exercise: bool) -> dict[str, Any]:
        """One campaign, by its id or by that of a case in it. Blocks.

        Raises `Refused("not-found")`, also where nothing else is like the case.
        """
        seen = self._seen(viewer, days, exercise)
        for group in seen.groups:
            if any(asked in (seen.cases[at].id, seen.cases[at].name) for at in group.cases):
                told = self._summary(seen, group)
                return whole(seen, group, told) | {"days": days, "exercise": exercise}
        raise Refused(
            "not-found",
            "There is no such campaign among what you may see",
            where=asked[:80],
            next_step="Ask with more `days`, or see `bayanihan campaigns`.",
        )

    def _summary(self, seen: Seen, group: Group) -> dict[str, Any]:
        """A campaign in a list, with the denials about any of its cases."""
        denials = {each.position: each for at in group.cases for each in seen.cases[at].denials}
        told = [self._truth.told(each) for _, each in sorted(denials.items())]
        return summary(seen, group) | {"denials": told[:_DENIALS_SHOWN]}

    def _seen(self, viewer: Viewer, days: int, exercise: bool) -> Seen:
        if not 1 <= days <= DAYS_LIMIT:
            raise Refused("bad-parameter", f"Give 1 to {DAYS_LIMIT} days", where="days")
        self._catch_up(self._ledger.length)
        audiences = self._ledger.store.audiences()
        rights = [
            number for number in self._ledger.rights(viewer) if audiences[number - 1].level != "red"
        ]
        now_us = self._ledger.now_us()
        with self._lock:  # one is worked out at a time; the others find it done
            folded = (self._alike.position, self._truth.edition())
            place = (tuple(rights), days, exercise, *folded, now_us // _HOUR_US)
            if place not in self._kept:
                self._kept[place] = self._look(rights, audiences, now_us - days * _DAY_US, exercise)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(place)
            return self._kept[place]

    def _look(
        self, rights: Sequence[int], audiences: Sequence[Audience], since_us: int, exercise: bool
    ) -> Seen:
        at = self._alike.newest(rights, exercise=exercise, limit=CASES_LIMIT + 1)
        rows = self._alike.cases(at[:CASES_LIMIT], rights, exercise=exercise)
        same: dict[tuple[str, str], list[Case]] = {}
        for case in rows:
            same.setdefault((case.origin, case.object_id), []).append(case)
        denied = self._truth.denied(rights, exercise)
        told = [(_told(each, audiences, denied), each[-1].prints) for each in same.values()]
        told = sorted(
            (each for each in told if each[0].stamp_us >= since_us),
            key=lambda each: (each[0].stamp_us, each[0].id),
        )
        groups, crowded = grouped([prints for _, prints in told], self._never)
        cases = tuple(case for case, _ in told)
        return Seen(cases, tuple(groups), tuple(crowded), len(at) > CASES_LIMIT)


def _told(rows: Sequence[Case], audiences: Sequence[Audience], denied: Denied) -> Told:
    """One case from its rows, one for each audience that was told of it."""
    first = min(rows, key=lambda each: each.stamp_us)
    widest = min((audiences[each.audience - 1] for each in rows), key=_narrow)
    return Told(
        first.object_id,
        house_of(first.origin),
        rows[-1].language or "und",
        first.stamp_us,
        widest.level,
        tuple(sorted(group.name for group in widest.groups)),
        f"campaign--{uuid.uuid5(_NAMES, f'{house_of(first.origin)} {first.object_id}')}",
        tuple(denied(rows[-1].prints, first.object_id)),
    )


def _narrow(audience: Audience) -> tuple[int, int]:
    return STRICTNESS[audience.level], -len(audience.members())


def summary(seen: Seen, group: Group) -> dict[str, Any]:
    """A campaign in a list. Its id is that of its first case, and so outlives its growth."""
    cases = [seen.cases[at] for at in group.cases]
    shared = msgspec.to_builtins(group.shared[:_SHARED_SHOWN])
    return {
        "id": cases[0].name,
        "name": shared[0]["value"] if shared else f"alike by {group.kinds[0][0]}",
        "cases": len(cases),
        "first_seen": moment.render(cases[0].stamp_us),
        "last_seen": moment.render(cases[-1].stamp_us),
        "level": max((case.level for case in cases), key=STRICTNESS.__getitem__),
        "groups": sorted({name for case in cases for name in case.groups} - {REGION}),
        "members": _counted("member", (case.member for case in cases)),
        "languages": _counted("language", (case.language for case in cases)),
        "evidence": [{"kind": kind, "cases": count} for kind, count in group.kinds],
        "shared": shared,
    }


def _counted(name: str, found: Any) -> list[dict[str, Any]]:
    """How many of each, in the order of their names: no rank stands beside a member."""
    return [{name: each, "cases": count} for each, count in sorted(Counter(found).items())]


def whole(seen: Seen, group: Group, told: dict[str, Any]) -> dict[str, Any]:
    """A campaign with its growth, its cases, and the STIX object that it amounts to."""
    cases = [seen.cases[at] for at in group.cases]
    listed = [
        {
            "id": case.id,
            "member": case.member,
            "language": case.language,
            "since": moment.render(case.stamp_us),
            "level": case.level,
        }
        for case in cases[:SHOWN_CASES]
    ]
    return {
        **told,
        **growth(cases),
        "listed": listed,
        "object": stix_object(told),
    }


def growth(cases: Sequence[Told]) -> dict[str, Any]:
    """How many cases there were at the end of each step of time, in all, by member, by language.

    A step is the shortest of five minutes, an hour, a day and a week that needs at most 60.
    """
    first, last = cases[0].stamp_us, cases[-1].stamp_us
    step_us = next(
        (each for each in _STEP_SIZES_US if (last - first) // each < _STEPS - 1),
        _STEP_SIZES_US[-1],
    )
    steps: list[dict[str, Any]] = []
    members: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    at = 0
    until_us = (first // step_us + 1) * step_us
    while at < len(cases):
        while at < len(cases) and cases[at].stamp_us < until_us:
            members[cases[at].member] += 1
            languages[cases[at].language] += 1
            at += 1
        steps.append(
            {
                "until": moment.render(until_us),
                "cases": at,
                "members": dict(sorted(members.items())),
                "languages": dict(sorted(languages.items())),
            }
        )
        until_us += step_us
    return {"step_minutes": step_us // _MINUTE_US, "growth": steps}


def stix_object(told: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign as STIX 2.1 section 4.3, marked as strictly as the strictest of its cases."""
    markings = [TLP_2_IDS[told["level"]], *(group_marking_id(each) for each in told["groups"])]
    members = ", ".join(each["member"] for each in told["members"])
    return {
        "type": "campaign",
        "spec_version": "2.1",
        "id": told["id"],
        "created": told["first_seen"],
        "modified": told["last_seen"],
        "name": told["name"],
        "description": f"{told['cases']} cases that are variants of one another, from {members}.",
        "first_seen": told["first_seen"],
        "last_seen": told["last_seen"],
        "object_marking_refs": markings,
    }
