"""Where members differ: member by obligation, each cell a typed relation with its source.

The baseline is a text; its provisions that name a topic are the obligations. A member's
position on a topic is what `members.yaml` says, with source and date. The relation follows
from both, by rule, so that nobody writes it by hand:

    equal      as binding, and as fast where hours are named
    stricter   more binding, or faster
    weaker     less binding, slower, or signed and not ratified
    gap        no rule in force (none, or only a draft)
    conflict   a rule in force that goes against it
    unknown    no position, no source that carries it, or hours that cannot be compared

A proposal as baseline counts as if it were adopted (a treaty).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.law import Provision, Rulebook
from bayanihan.rulebook.question import MEMBERS
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.schema import expect_keys, expect_mapping
from bayanihan.rulebook.system import System
from bayanihan.rulebook.truth import NO, UNKNOWN, next_start
from bayanihan.rulebook.view import View

RELATIONS = ("equal", "stricter", "weaker", "gap", "conflict", "unknown")
POSITION_STATES = ("in-force", "adopted", "signed", "draft", "none", "unknown", "conflict")
_WEAK_SOURCES = ("unconfirmed", "weak")
_STRENGTH = {"treaty": 0, "law": 0, "decree": 1, "guide": 2, "plan": 2, "proposal": 0, "none": 3}


@dataclass(frozen=True, slots=True)
class Cell:
    """One member's relation to one obligation of the baseline."""

    member: str
    obligation: str
    topic: str
    relation: str
    source: str
    as_of: str
    quality: str
    says: str

    def as_json(self) -> dict[str, str]:
        """The fixed shape, with more keys."""
        return {name: getattr(self, name) for name in self.__slots__}


def member_entries(book: Rulebook) -> Mapping:
    """The members' entries of the rulebook.

    Raises:
        Refused: `not-found` when it holds none.
    """
    roots = book.parts.get("members", ())
    if not roots:
        raise Refused("not-found", "This rulebook holds no members.")
    entries: Mapping = roots[0]["members"]
    return entries


def obligations(book: Rulebook, baseline: str) -> list[Provision]:
    """The provisions of a text that name a topic, in its order."""
    return [p for p in book.text(baseline).provisions if p.details.get("topic")]


def matrix(book: Rulebook, baseline: str, members: Sequence[str] = MEMBERS) -> list[Cell]:
    """Every cell of member by obligation.

    Args:
        book: the rulebook.
        baseline: a text whose provisions name topics.
        members: the rows; all eleven when left out.

    Raises:
        Refused: `not-found` for an unknown text, `bad-parameter` for one without topics.
    """
    wanted = obligations(book, baseline)
    if not wanted:
        raise Refused(
            "bad-parameter", f"{baseline} names no topics to compare by.", where="baseline",
            next_step="Use asean-guide, asean-genai, model-asean, vn-ai-law or treaties.",
        )  # fmt: skip
    entries = member_entries(book)
    return [cell_of(book, provision, m, entries[m]) for m in members for provision in wanted]


def cell_of(book: Rulebook, provision: Provision, member: str, entry: Mapping) -> Cell:
    """One cell: the member's position on the provision's topic, related to the provision."""
    topic = provision.details["topic"]
    position = (entry.get("positions") or {}).get(topic)
    if position is None:
        return Cell(member, provision.id, topic, "unknown", "", "", "not-found",
                    "no source was found")  # fmt: skip
    quality = book.sources[position["source"]].quality
    relation = relate(provision, position, quality)
    return Cell(
        member, provision.id, topic, relation, position["source"], position["as_of"], quality,
        position["says"],
    )  # fmt: skip


def relate(provision: Provision, position: Mapping, quality: str) -> str:
    """The relation of one position to one provision, by rule."""
    state = position["state"]
    if state in ("unknown", "adopted") or quality in _WEAK_SOURCES:
        return "unknown"
    if state in ("none", "draft"):
        return "gap"
    if state == "conflict":
        return "conflict"
    if state == "signed":
        return "weaker"
    mine, theirs = _STRENGTH[position["bindingness"]], _STRENGTH[provision.bindingness]
    hours = (provision.details.get("measure") or {}).get("hours")
    if hours is not None:
        own = position.get("hours")
        if own is None:
            return "unknown"
        if own != hours:
            return "stricter" if own < hours else "weaker"
        # As fast: a decree that sets the same hours binds its addressees as a law would.
        return "equal" if mine <= _STRENGTH["decree"] else "weaker"
    if mine == theirs:
        return "equal"
    return "stricter" if mine < theirs else "weaker"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What adopting one clause would change.

    Attributes:
        must_change: members that have no equal or stricter rule, with the relation.
        may_keep: members that have one.
        not_known: members whose position is unknown.
        gains: (system, member) pairs that would gain the duty, with the day or "undetermined".
        stays_free: systems that gain nothing in any member.
    """

    clause: str
    article: str
    must_change: dict[str, str]
    may_keep: dict[str, str]
    not_known: tuple[str, ...]
    gains: tuple[tuple[str, str, str], ...]
    stays_free: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "clause": self.clause,
            "article": self.article,
            "must_change": self.must_change,
            "may_keep": self.may_keep,
            "not_known": list(self.not_known),
            "gains": [{"system": s, "member": m, "from": d} for s, m, d in self.gains],
            "stays_free": list(self.stays_free),
        }


def adopt(
    book: Rulebook,
    clause: str,
    views: Iterable[tuple[str, View]],
    systems: Sequence[System],
    day: str,
) -> Adoption:
    """What if this clause were adopted: who changes what, and which systems gain a duty.

    Args:
        book: the rulebook.
        clause: a provision id of the proposed text.
        views: for each member, the view in which its text is adopted (track, assistance).
        systems: registered systems; each counts in the members where it is offered.
        day: the law date from which later days count as gained.

    Raises:
        Refused: `not-found` for an unknown clause.
    """
    group = book.provisions.get(clause)
    if group is None:
        raise Refused("not-found", f"No provision is called {clause!r}.", where="clause")
    provision, entries = group[0], member_entries(book)
    must: dict[str, str] = {}
    keep: dict[str, str] = {}
    unknown: list[str] = []
    gains: list[tuple[str, str, str]] = []
    for member, seen in views:
        if provision.details.get("topic"):
            relation = cell_of(book, provision, member, entries[member]).relation
            if relation in ("equal", "stricter"):
                keep[member] = relation
            elif relation == "unknown":
                unknown.append(member)
            else:
                must[member] = relation
        if provision.kind == "duty":
            gains.extend(_gains(seen, provision, member, systems, day))
    gained = {system for system, _, _ in gains}
    free = tuple(one.id for one in systems if one.id not in gained)
    return Adoption(clause, provision.article, must, keep, tuple(unknown), tuple(gains), free)


def _gains(
    seen: View, provision: Provision, member: str, systems: Sequence[System], day: str
) -> Iterable[tuple[str, str, str]]:
    for system in systems:
        markets = system.facts.get("markets", ())
        if isinstance(markets, tuple) and member in markets:
            line = Derivation(seen, system.facts).holds(provision.id)
            start = next_start(line, "", 2) if line[0][1] != 2 else day
            if start:
                yield system.id, member, start
            elif any(truth == UNKNOWN for _, truth in line):
                yield system.id, member, "undetermined"
            else:
                assert all(truth == NO for _, truth in line)


def check_members_part(book: Rulebook) -> None:
    """Check every member entry: tracks, positions, topics, sources.

    Raises:
        Refused: with file and line.
    """
    for root in book.parts.get("members", ()):
        topics = root["topics"]
        for code, entry in root["members"].items():
            expect_keys(entry, f"The member {code}", ("name", "ai_state", "track", "readiness"),
                        ("instruments", "positions"))  # fmt: skip
            _check_member(book, code, entry)
            if code not in MEMBERS or entry["track"] not in ("A", "B", "C"):
                raise Refused("bad-value", f"{code}: member or track.", where=entry.place("track"))
            for topic, position in (entry.get("positions") or {}).items():
                _check_position(book, code, topic, position, topics)
    topics = {t for root in book.parts.get("members", ()) for t in root["topics"]}
    for group in book.provisions.values():
        topic = group[0].details.get("topic")
        if topic and topics and topic not in topics:
            raise Refused("bad-value", f"No topic is called {topic!r}.", where=group[0].place)


def _check_member(book: Rulebook, code: str, entry: Mapping) -> None:
    readiness = expect_mapping(entry["readiness"], "readiness", entry.place("readiness"))
    expect_keys(readiness, f"{code}: readiness", ("score", "index", "source"), ())
    score = readiness["score"]
    known = readiness["source"] in book.sources
    if isinstance(score, bool) or not isinstance(score, int | Decimal) or not known:
        where = readiness.place("score")
        raise Refused("bad-value", f"{code}: a score and a known source.", where=where)
    for one in entry.get("instruments") or ():
        expect_keys(one, f"{code}: an instrument",
                    ("title", "bindingness", "state", "as_of", "source"), ())  # fmt: skip
        if one["source"] not in book.sources:
            raise Refused("bad-value", f"{code}: no such source.", where=one.place("source"))


def _check_position(
    book: Rulebook, code: str, topic: str, position: Mapping, topics: Mapping
) -> None:
    expect_keys(position, f"{code}, {topic}", ("state", "bindingness", "source", "as_of", "says"),
                ("hours",))  # fmt: skip
    good = (
        topic in topics
        and position["state"] in POSITION_STATES
        and position["bindingness"] in _STRENGTH
        and position["source"] in book.sources
    )
    if not good:
        raise Refused(
            "bad-value", f"{code}, {topic}: an unknown topic, state, bindingness or source.",
            where=position.place(),
        )  # fmt: skip
