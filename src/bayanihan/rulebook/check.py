"""What must hold between provisions: versions do not overlap, references end, nothing circles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bayanihan.errors import Refused
from bayanihan.rulebook.condition import findings, text_of
from bayanihan.rulebook.law import Provision, Row, Slice, Source, Text

_LAST = "~"


def versions(texts: Iterable[Text]) -> dict[str, tuple[Provision, ...]]:
    """Group provisions by id; two of one id differ in law date or in knowledge date.

    Raises:
        Refused: `conflict` when two versions are valid and known at once.
    """
    found: dict[str, tuple[Provision, ...]] = {}
    for provision in (one for text in texts for one in text.provisions):
        before = found.get(provision.id, ())
        twice = next((other for other in before if _meet(provision, other)), None)
        if twice is not None:
            raise Refused(
                "conflict",
                f"{provision.id} is valid twice at once: see also {twice.place}.",
                where=provision.place,
                next_step="Give the versions disjoint law dates or knowledge dates.",
            )
        found[provision.id] = (*before, provision)
    return found


def rows_disjoint(rows: Sequence[Row], of: str) -> None:
    """Refuse two rows of one schedule or provision (`of`) with the same condition that overlap.

    Raises:
        Refused: `conflict`, or `bad-value` for an interval that ends before it begins.
    """
    for index, row in enumerate(rows):
        if row.end and row.start and row.start >= row.end:
            raise Refused("bad-value", f"{of}: the row ends before it begins.", where=row.place)
        for other in rows[:index]:
            same = _condition(row) == _condition(other) and row.months == other.months
            if same and _meet(row, other):
                raise Refused(
                    "conflict",
                    f"{of}: overlapping validity, this row and the one at {other.place}.",
                    where=row.place,
                    next_step="Rows are half-open: end one on the day on which the next begins.",
                )


def references(
    provisions: Mapping[str, tuple[Provision, ...]],
    sources: Mapping[str, Source],
    slices: Mapping[str, Slice],
) -> None:
    """Refuse a reference to a provision, source or slice that does not exist.

    Raises:
        Refused: `bad-value` or `missing-property` with file, line and provision.
    """
    for piece in slices.values():
        if piece.source not in sources:
            _refuse(f"The slice {piece.id} names no known source: {piece.source!r}.", piece.place)
    for provision in (one for group in provisions.values() for one in group):
        for target in (*_needs(provision), *provision.excepts):
            if target not in provisions:
                _refuse(f"{provision.id} refers to {target!r}, which is nowhere.", provision.place)
        for source in provision.sources:
            if source not in sources:
                _refuse(f"{provision.id} names no known source: {source!r}.", provision.place)
        named = (*provision.slices, *(row.slice for row in provision.rows if row.slice))
        for piece_id in named:
            if piece_id not in slices:
                _refuse(f"{provision.id} names no known slice: {piece_id!r}.", provision.place)
        if not provision.sources and not provision.slices:
            raise Refused(
                "missing-property",
                f"{provision.id} names neither a source nor a slice.",
                where=provision.place,
            )
        for target in provision.excepts:
            if min(one.priority for one in provisions[target]) >= provision.priority:
                _refuse(
                    f"{provision.id} excepts {target}, so its priority must be higher.",
                    provision.place,
                )


def acyclic(provisions: Mapping[str, tuple[Provision, ...]]) -> None:
    """Refuse a provision that depends on itself, through conditions or exceptions.

    Raises:
        Refused: `conflict`, with the circle.
    """
    exceptions = excepted_by(provisions)
    done: set[str] = set()
    for start in provisions:
        path: list[str] = []
        todo: list[tuple[str, bool]] = [(start, False)]
        while todo:
            here, leaving = todo.pop()
            if leaving:
                path.pop()
                done.add(here)
                continue
            if here in path:
                circle = " -> ".join([*path[path.index(here) :], here])
                raise Refused(
                    "conflict",
                    f"These provisions depend on each other in a circle: {circle}.",
                    where=provisions[here][0].place,
                    next_step="Break the circle: an exception may not depend on what it excepts.",
                )
            if here in done:
                continue
            path.append(here)
            todo.append((here, True))
            nexts = [t for one in provisions[here] for t in _needs(one)]
            todo.extend((target, False) for target in (*nexts, *exceptions.get(here, ())))


def excepted_by(provisions: Mapping[str, tuple[Provision, ...]]) -> dict[str, tuple[str, ...]]:
    """For each provision, the ids of those that except it."""
    found: dict[str, list[str]] = {}
    for provision_id, group in provisions.items():
        for target in dict.fromkeys(t for one in group for t in one.excepts):
            found.setdefault(target, []).append(provision_id)
    return {target: tuple(ids) for target, ids in found.items()}


def _needs(provision: Provision) -> list[str]:
    conditions = [provision.when, *(row.when for row in provision.rows)]
    return [target for one in conditions if one is not None for target in findings(one)]


def _condition(row: Row) -> str:
    return text_of(row.when) if row.when is not None else ""


def _meet(one: Row | Provision, two: Row | Provision) -> bool:
    return _overlap(one.start, one.end, two.start, two.end) and _overlap(
        one.known_start, one.known_end, two.known_start, two.known_end
    )


def _overlap(start: str, end: str, other_start: str, other_end: str) -> bool:
    return start < (other_end or _LAST) and other_start < (end or _LAST)


def _refuse(message: str, place: str) -> None:
    raise Refused("bad-value", message, where=place)
