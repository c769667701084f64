"""Deriving again after the rulebook changed: only what can have changed, each thing once.

Which provisions changed is read off the two rulebooks; those that depend on a changed one,
through conditions or exceptions, are affected too, and nothing else is. Systems that agree on
every fact that the affected provisions ask about have the same answer, so each combination of
facts is derived once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bayanihan.rulebook.check import excepted_by
from bayanihan.rulebook.condition import facts_of, findings, text_of
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import reaches
from bayanihan.rulebook.facts import Facts
from bayanihan.rulebook.law import Provision, Rulebook
from bayanihan.rulebook.truth import Timeline
from bayanihan.rulebook.view import View


@dataclass(frozen=True, slots=True)
class Change:
    """One duty of one system in one member that is not what it was."""

    system: int
    member: str
    duty: str
    before: Timeline
    after: Timeline


def fingerprint(provision: Provision) -> str:
    """What decides when a provision holds, as text; equal texts derive equally."""
    parts = [
        text_of(provision.when) if provision.when is not None else "",
        ",".join(provision.excepts), str(provision.priority), provision.kind,
        provision.bindingness,
        provision.known_start, provision.known_end, provision.start, provision.end,
    ]  # fmt: skip
    for row in provision.rows:
        when = text_of(row.when) if row.when is not None else ""
        months = ",".join(f"{k}{v}" for k, v in row.months.items())
        parts.append(
            f"{row.start}/{row.end}/{row.known_start}/{row.known_end}/{when}/{months}"
            f"/{row.needs_assistance}/{row.unconfirmed}"
        )
    return "\n".join(parts)


def affected(before: Rulebook, after: Rulebook) -> set[str]:
    """The provisions whose outcome can differ: those that changed, and all that rest on them."""
    ids = {*before.provisions, *after.provisions}
    changed = {i for i in ids if _prints(before, i) != _prints(after, i)}
    rests: dict[str, set[str]] = {}
    for book in (before, after):
        for target, exceptions in excepted_by(book.provisions).items():
            for exception in exceptions:
                rests.setdefault(exception, set()).add(target)
        for provision_id, group in book.provisions.items():
            for target in _refers(group):
                rests.setdefault(target, set()).add(provision_id)
    todo = list(changed)
    while todo:
        for dependant in rests.get(todo.pop(), ()):
            if dependant not in changed:
                changed.add(dependant)
                todo.append(dependant)
    return changed


def rederive(
    before: Callable[[str], View],
    after: Callable[[str], View],
    systems: Sequence[Facts],
    members: Iterable[str],
) -> Iterator[Change]:
    """What changed for each system in each member.

    Args:
        before: member to the old view.
        after: member to the new view.
        systems: the facts of each system.
        members: for whom to derive.

    Yields:
        Every duty whose timeline or bindingness differs; nothing for what cannot have changed.
    """
    plans: dict[tuple[int, int], list[_Plan]] = {}
    answers: dict[object, dict[object, _Answer]] = {}
    for member in members:
        old, new = before(member), after(member)
        books = (id(old.rulebook), id(new.rulebook))
        if books not in plans:
            plans[books] = _plans(old.rulebook, new.rulebook)
        for number, plan in enumerate(plans[books]):
            duties = [i for i in plan.duties if _reaches(old, new, i, member)]
            if duties:
                # Members whose views cannot differ here share what was derived.
                same = (books, number, tuple(duties), _sight(old, plan), _sight(new, plan))
                known = answers.setdefault(same, {})
                yield from _changes(old, new, systems, member, plan.facts, duties, known)


_Answer = tuple[tuple[str, Timeline, Timeline], ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Duties that ask about the same facts; `tracked` when a member's track matters."""

    facts: tuple[str, ...]
    tracked: bool
    duties: tuple[str, ...]


def _plans(old: Rulebook, new: Rulebook) -> list[_Plan]:
    groups: dict[tuple[tuple[str, ...], bool], list[str]] = {}
    for provision_id in sorted(affected(old, new)):
        group = new.provisions.get(provision_id) or old.provisions[provision_id]
        if group[0].kind == "duty":
            facts, tracked = _asks((old, new), provision_id)
            groups.setdefault((tuple(sorted(facts)), tracked), []).append(provision_id)
    return [_Plan(facts, tracked, tuple(ids)) for (facts, tracked), ids in groups.items()]


def _sight(seen: View, plan: _Plan) -> object:
    """What of a view can make a difference to a plan."""
    if not plan.tracked:
        return seen.known
    return seen.known, tuple(sorted(seen.assumptions.items(), key=lambda item: item[0]))


def _changes(
    old: View,
    new: View,
    systems: Sequence[Facts],
    member: str,
    names: tuple[str, ...],
    duties: list[str],
    known: dict[object, _Answer],
) -> Iterator[Change]:
    for index, facts in enumerate(systems):
        get = facts.get
        key = tuple([get(name) for name in names])
        found = known.get(key)
        if found is None:
            found = known[key] = _compare(old, new, facts, duties)
        for duty, was, now in found:
            yield Change(index, member, duty, was, now)


def _compare(old: View, new: View, facts: Facts, duties: list[str]) -> _Answer:
    was, now = Derivation(old, facts), Derivation(new, facts)
    return tuple(
        (duty, was.holds(duty), now.holds(duty))
        for duty in duties
        if was.holds(duty) != now.holds(duty) or _binds(old, duty) != _binds(new, duty)
    )


def _binds(seen: View, provision_id: str) -> list[str]:
    return [one.provision.bindingness for one in seen.versions.get(provision_id, ())]


def _asks(books: Iterable[Rulebook], provision_id: str) -> tuple[set[str], bool]:
    """The facts that a provision asks about, through all it rests on, and whether by track."""
    needed: set[str] = set()
    tracked = False
    for book in books:
        exceptions = excepted_by(book.provisions)
        seen: set[str] = set()
        todo = [provision_id]
        while todo:
            here = todo.pop()
            if here in seen:
                continue
            seen.add(here)
            group = book.provisions.get(here, ())
            todo.extend([*_refers(group), *exceptions.get(here, ())])
            for provision in group:
                tracked = tracked or any(row.months for row in provision.rows)
                conditions = [provision.when, *(row.when for row in provision.rows)]
                needed.update(f for one in conditions if one is not None for f in facts_of(one))
    return needed, tracked


def _refers(group: Iterable[Provision]) -> list[str]:
    return [
        target
        for provision in group
        for one in (provision.when, *(row.when for row in provision.rows))
        if one is not None
        for target in findings(one)
    ]


def _prints(book: Rulebook, provision_id: str) -> list[str]:
    return [fingerprint(one) for one in book.provisions.get(provision_id, ())]


def _reaches(old: View, new: View, provision_id: str, member: str) -> bool:
    for seen in (new, old):
        group = seen.rulebook.provisions.get(provision_id)
        if group:
            return reaches(seen.rulebook.texts[group[0].text].jurisdiction, member)
    return False
