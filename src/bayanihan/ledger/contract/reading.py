"""Pages hold what a viewer may see: all of it, once, in order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from bayanihan.core.marking import Viewer, may_see
from bayanihan.ledger.contract.scene import (
    ALL,
    AUDIENCES,
    PH,
    SG,
    VIEWERS,
    Make,
    Opened,
    all_of,
    draft,
    opened,
    refusal,
)
from bayanihan.ledger.entry import Draft
from bayanihan.ledger.store import Where


def _sown(ledger: Opened, seed: int, count: int) -> list[Draft]:
    """Random drafts over all audiences; some audiences are rare, some stretches are hidden."""
    chance = random.Random(seed)  # noqa: S311 -- a repeatable choice, not a secret
    drafts = [
        draft(
            f"note--{n}",
            b"%d" % n,
            audience=chance.choice(AUDIENCES[n // 40 % len(AUDIENCES) :]),
            kind="object" if chance.random() < 0.9 else "notice",
            exercise=chance.random() < 0.2,
        )
        for n in range(count)
    ]
    at = 0
    while at < count:
        step = chance.randint(1, 90)
        ledger.append(drafts[at : at + step])
        at += step
    return drafts


def check_pages_equal_a_filter(make: Make) -> None:
    """For every viewer, limit and question, pages hold what a plain filter would."""
    questions = (
        ALL,
        Where(),
        Where(kinds=("notice",)),
        Where(kinds=("notice", "object"), exercise=True),
        Where(exercise=False),
    )
    with opened(make) as ledger:
        drafts = _sown(ledger, seed=1, count=450)
        for turn, where in enumerate(questions):
            for number, viewer in enumerate(VIEWERS):
                # One by one takes long: each question so by one viewer, each viewer in turn.
                limits = (1, 7, 50, 10_000) if number == turn + 1 else (7, 50, 10_000)
                _check_pages(ledger, viewer, where, drafts, limits)


def _check_pages(
    ledger: Opened, viewer: Viewer, where: Where, drafts: list[Draft], limits: Sequence[int]
) -> None:
    expected = [
        n
        for n, one in enumerate(drafts, 1)
        if may_see(viewer, one.audience)
        and one.kind in where.kinds
        and where.exercise in (None, one.exercise)
    ]
    for limit in limits:
        assert all_of(ledger, viewer, limit, where) == expected
    _check_bodies(ledger, viewer, where, [drafts[n - 1].body for n in expected])


def _check_bodies(ledger: Opened, viewer: Viewer, where: Where, expected: list[bytes]) -> None:
    bodies: list[bytes] = []
    after, more = 0, True
    while more:
        page = ledger.read_bodies(viewer, after, 33, where)
        assert len(page.bodies) == len(page.stamps)
        bodies += page.bodies
        after, more = page.last, page.more
    assert bodies == expected


def check_pages_of_one_object(make: Make) -> None:
    """All that a viewer may see of one object, and nothing of another's."""
    with opened(make) as ledger:
        for n in range(60):
            audience = AUDIENCES[n % len(AUDIENCES)]
            ledger.append([draft(f"note--{n % 2}", audience=audience, version_us=n)])
        for viewer in VIEWERS:
            expected = [
                n + 1 for n in range(0, 60, 2) if may_see(viewer, AUDIENCES[n % len(AUDIENCES)])
            ]
            for limit in (1, 4, 100):
                found = all_of(ledger, viewer, limit, Where(object_id="note--0"))
                assert found == expected
        assert not ledger.read(SG, 0, 10, Where(object_id="note--9")).items


def check_pages_are_bounded_in_bytes(make: Make) -> None:
    """A page ends long before its limit when bodies are large, and still skips nothing."""
    size = 2_000_000
    large = [
        draft(f"note--{n}", b"abcdefghijkl"[n : n + 1] * size, audience=AUDIENCES[n % 3])
        for n in range(12)
    ]
    hidden = [
        draft("note--0", b"x" * size, audience=AUDIENCES[6], version_us=n) for n in range(9, 18)
    ]
    with opened(make) as ledger:
        for one in [*hidden, *large]:
            ledger.append([one])
        page = ledger.read(PH, 0, 1000)
        assert page.more
        assert sum(len(item.body) for item in page.items) < 20_000_000
        assert all_of(ledger, PH, 1000) == list(range(10, 22))
        assert all_of(ledger, PH, 1000, Where(object_id="note--0")) == [10]


def check_hidden_is_like_absent(make: Make) -> None:
    """An entry that a viewer may not see answers just as one that does not exist."""
    with opened(make) as ledger:
        ledger.append([draft("note--1", audience=AUDIENCES[6])])
        for position in (1, 2, 0, -1):
            assert refusal(partial(ledger.body, PH, position)) == "not-found"
            assert refusal(partial(ledger.entry, PH, position)) == "not-found"
        assert ledger.body(SG, 1) == b"{}"
        assert ledger.read(PH, 0, 10).last == 0, "a cursor moved past what may not be seen"


def check_a_place_beyond_the_record(make: Make) -> None:
    """A reader who stands beyond the end is told so: the record is another one."""
    with opened(make) as ledger:
        ledger.append([draft("note--1")])
        assert ledger.read(SG, 1, 10).last == 1
        assert refusal(lambda: ledger.read(SG, 2, 10)) == "reset"
