"""Pages against a slow model: every question, viewer and filter, over any history."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.marking import PUBLIC
from bayanihan.errors import Unavailable
from bayanihan.readers.taxii.facts import CONSUMERS
from bayanihan.readers.taxii.pages import Shelves
from bayanihan.readers.taxii.query import Filters
from bayanihan.readers.taxii.question import Question
from tests.readers.taxii.shelved import BY_ORIGIN, IDS, SG, TH, VIEWERS, Said, Shelved

EVERYTHING = Question()
LAST = Filters()


def histories(ids: list[str], origins: list[str]) -> st.SearchStrategy[list[object]]:
    """What may happen to a few objects of a few origins; few, so that it happens to the same."""
    said = st.builds(
        Said,
        object_id=st.sampled_from(ids),
        origin=st.sampled_from(origins),
        audience=st.sampled_from((0, 0, 0, 1, 2, 3)),
        version=st.integers(1, 5),
        variant=st.integers(0, 4),
        vector=st.sampled_from(("", "", "", "phishing", "malware")),
        revoked=st.sampled_from((False, False, True)),
        exercise=st.sampled_from((False, False, False, False, True)),
        home=st.sampled_from(("", "", "", "c1")),
    )
    place = st.tuples(st.sampled_from(ids), st.sampled_from(origins))
    taken_back = st.one_of(
        st.tuples(st.just("withdraw"), place, st.integers(0, 3), st.booleans()),
        st.tuples(st.just("erase"), place),
        st.tuples(st.just("retain"), place),
    )
    folded = st.tuples(st.just("fold"), st.integers(1, 5))
    step = st.one_of(*[said] * 5, taken_back, folded, folded)
    return st.lists(step, max_size=25)


def some(values: Iterable[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(list(values)), min_size=1, max_size=3, unique=True)


steps = st.tuples(some(IDS), some(BY_ORIGIN)).flatmap(lambda chosen: histories(*chosen))
questions = st.builds(
    Question,
    types=st.sampled_from(
        (frozenset[str](), frozenset({"indicator"}), frozenset({"report", "indicator"}))
    ),
    vectors=st.sampled_from((frozenset[str](), frozenset({"phishing"}))),
    consumers=st.sampled_from((0, 0, *CONSUMERS.values(), 3)),
    home=st.sampled_from(("", "", "c1")),
    exercise=st.sampled_from((False, False, True)),
)
narrowings = st.builds(
    Filters,
    ids=st.lists(st.sampled_from(IDS), max_size=2, unique=True).map(lambda ids: tuple(sorted(ids))),
    types=st.sampled_from(((), (), ("indicator",), ("domain-name", "indicator"))),
    words=st.sampled_from(((), (), ("last",), ("first",), ("all",), ("first", "last"))),
    times_us=st.sampled_from(((), (), (2,), (1, 3))),
    spec_versions=st.sampled_from(((), (), (), ("2.1",), ("2.0", "2.1"), ("2.0",))),
)


@pytest.fixture
def shelved(tmp_path: Path) -> Iterator[Shelved]:
    with Shelved(tmp_path) as found:
        yield found


def play(shelved: Shelved, history: list[object]) -> None:
    for step in history:
        match step:
            case Said():
                shelved.say(step)
            case ("withdraw", (str(object_id), str(origin)), int(audience), bool(exercise)):
                shelved.withdraw(object_id, origin, audience, exercise=exercise)
            case ("erase", (str(object_id), str(origin))):
                shelved.erase(object_id, origin)
            case ("retain", (str(object_id), str(origin))):
                shelved.retain(object_id, origin)
            case ("fold", int(limit)):
                shelved.fold(limit)


asking = st.lists(st.tuples(questions, narrowings), min_size=2, max_size=4)


@settings(max_examples=40, deadline=None)
@given(history=steps, asked=asking)
async def test_pages_are_what_the_model_says(
    history: list[object], asked: list[tuple[Question, Filters]]
) -> None:
    await compare(history, asked)


@pytest.mark.long
@settings(max_examples=1_500, deadline=None)
@given(history=steps, asked=asking)
async def test_pages_are_what_the_model_says_at_length(
    history: list[object], asked: list[tuple[Question, Filters]]
) -> None:
    await compare(history, asked)


def both_tallies_agree(shelved: Shelved) -> None:
    """Counted row by row, or place by place, it is the same."""
    catalogue, length = shelved.catalogue, shelved.ledger.length
    for viewer, after, exercise in itertools.product(VIEWERS, (0, length // 3), (False, True)):
        rights, found = shelved.ledger.rights(viewer), set()
        for cost in (0, length + 1):
            catalogue.place_cost = cost
            found.add(catalogue.tally(rights, after, length, exercise=exercise))
        assert len(found) == 1, (viewer.origin, after, exercise, found)
    del catalogue.place_cost


async def compare(history: list[object], asked: list[tuple[Question, Filters]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Shelved(Path(folder)) as shelved:
        play(shelved, history)
        shelved.fold()
        shelved.check()
        both_tallies_agree(shelved)
        ways = itertools.product([(EVERYTHING, LAST), *asked], VIEWERS, (2, 1_000))
        for (question, filters), viewer, limit in ways:
            expected = shelved.model(viewer, question, filters)
            found = await shelved.read(viewer, question, filters, limit)
            assert found == expected, (viewer.origin, question, filters, limit)


async def test_a_stranger_hides_nothing_by_a_later_version(shelved: Shelved) -> None:
    ours = Said(IDS[0], "SG", 0, version=1)
    theirs = Said(IDS[0], "TH", 0, version=4, variant=2)
    shelved.say(ours)
    shelved.say(theirs)
    shelved.fold()
    found = await shelved.read(PUBLIC, EVERYTHING, LAST, 10)
    assert found == [ours.body, theirs.body]


async def test_a_later_version_that_is_hidden_supersedes_nothing(shelved: Shelved) -> None:
    old, new = Said(IDS[0], "SG", 0, version=1), Said(IDS[0], "SG", 3, version=2)
    shelved.say(old, new)
    shelved.fold()
    assert await shelved.read(TH, EVERYTHING, LAST, 10) == [old.body]
    assert await shelved.read(SG, EVERYTHING, LAST, 10) == [new.body]


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_an_older_version_that_comes_late_is_not_promised_as_more(
    shelved: Shelved, limit: int
) -> None:
    told = [Said(IDS[0], "SG", 0, version=1), Said(IDS[1], "SG", 0, version=4)]
    shelved.say(*told)
    shelved.say(Said(IDS[1], "SG", 0, version=3))
    shelved.fold()
    assert await shelved.read(TH, EVERYTHING, LAST, limit) == [each.body for each in told]
    page = await shelved.shelves.bodies(TH, EVERYTHING, LAST, 0, 2)
    assert (len(page.bodies), page.more) == (2, False)


async def test_a_reshare_is_not_news_to_who_has_it(shelved: Shelved) -> None:
    first, again = Said(IDS[2], "SG", 3, version=1), Said(IDS[2], "SG", 0, version=1)
    shelved.say(first)
    shelved.fold()
    page = await shelved.shelves.bodies(SG, EVERYTHING, LAST, 0, 10)
    shelved.say(again)
    shelved.fold()
    later = await shelved.shelves.bodies(SG, EVERYTHING, LAST, page.last, 10)
    assert later.bodies == []
    assert await shelved.read(TH, EVERYTHING, LAST, 10) == [again.body]


async def test_the_oldest_saying_of_the_same_bytes_counts(shelved: Shelved) -> None:
    one, two = Said(IDS[2], "SG", 0, 1, variant=1), Said(IDS[2], "SG", 3, 1, variant=2)
    shelved.say(one)
    shelved.say(two)
    shelved.say(one._replace(audience=3))
    shelved.fold()
    assert await shelved.read(SG, EVERYTHING, LAST, 10) == [two.body]
    assert await shelved.read(TH, EVERYTHING, LAST, 10) == [one.body]
    assert await shelved.read(SG, EVERYTHING, Filters(words=("first",)), 10) == [one.body]


@pytest.mark.parametrize("limit", [1, 256])
async def test_the_catalogue_does_not_depend_on_how_it_was_folded(
    shelved: Shelved, limit: int
) -> None:
    for version in (2, 1, 4, 3):
        shelved.say(Said(IDS[0], "SG", 0, version))
        shelved.say(Said(IDS[2], "SG", 0, 1, variant=version))
        shelved.fold(limit)
    shelved.say(Said(IDS[0], "SG", 1, version=5), Said(IDS[2], "SG", 1, 1, variant=5))
    shelved.fold(limit)
    shelved.check()
    shelved.withdraw(IDS[0], "SG", 1)
    shelved.retain(IDS[2], "SG")
    shelved.fold(limit)
    shelved.check()


async def test_a_version_that_leaves_a_collection_supersedes_nothing_in_it(
    shelved: Shelved,
) -> None:
    phishing = Question(vectors=frozenset({"phishing"}))
    was = Said(IDS[0], "SG", 0, version=1, vector="phishing")
    now = Said(IDS[0], "SG", 0, version=2, vector="malware")
    shelved.say(was, now)
    shelved.fold()
    assert await shelved.read(SG, phishing, LAST, 10) == [was.body]
    assert await shelved.read(SG, EVERYTHING, LAST, 10) == [now.body]


async def test_a_revoked_version_outlives_the_withdrawal(shelved: Shelved) -> None:
    held, revoked = Said(IDS[0], "SG", 0, version=1), Said(IDS[0], "SG", 0, 2, revoked=True)
    shelved.say(held, Said(IDS[1], "SG", 0, version=1))
    shelved.say(revoked)
    shelved.withdraw(IDS[0], "SG", 0)
    shelved.withdraw(IDS[1], "SG", 0)
    shelved.fold()
    every = Filters(words=("all",))
    assert await shelved.read(PUBLIC, EVERYTHING, every, 10) == [revoked.body]


async def test_what_is_not_folded_is_never_called_the_end(shelved: Shelved) -> None:
    early, late = Said(IDS[0], "SG", 0, version=1), Said(IDS[1], "SG", 0, version=1)
    shelved.say(early)
    shelved.fold()
    shelved.say(late)
    page = await shelved.shelves.bodies(PUBLIC, EVERYTHING, LAST, 0, 10)
    assert (page.bodies, page.more) == ([early.body], True)
    page = await shelved.shelves.bodies(PUBLIC, EVERYTHING, LAST, page.last, 10)
    assert (page.bodies, page.more) == ([], True)
    with pytest.raises(Unavailable):
        await shelved.shelves.bodies(PUBLIC, EVERYTHING, Filters(ids=(IDS[1],)), 0, 10)
    shelved.fold()
    page = await shelved.shelves.bodies(PUBLIC, EVERYTHING, LAST, page.last, 10)
    assert (page.bodies, page.more) == ([late.body], False)


async def test_who_asks_need_not_wait_for_the_folding_thread(shelved: Shelved) -> None:
    shelves = Shelves(shelved.ledger, shelved.catalogue)
    for object_id in IDS:
        shelved.say(told := Said(object_id, "SG", 0, version=1))
        page = await shelves.bodies(PUBLIC, EVERYTHING, Filters(ids=(object_id,)), 0, 10)
        assert page.bodies == [told.body]
    assert await shelves.settled()
    shelved.check()


async def test_a_full_page_does_not_wait_for_the_fold(shelved: Shelved) -> None:
    shelved.say(*[Said(object_id, "SG", 0, version=1) for object_id in IDS])
    shelved.fold()
    shelved.say(Said(IDS[0], "SG", 0, version=2))
    page = await shelved.shelves.bodies(PUBLIC, EVERYTHING, LAST, 0, 2)
    assert (len(page.bodies), page.more) == (2, True)


async def test_a_catalogue_that_is_opened_again_knows_its_places(tmp_path: Path) -> None:
    told = [Said(object_id, "SG", audience, 1) for audience in (0, 2) for object_id in IDS]
    with Shelved(tmp_path) as shelved:
        shelved.say(*told)
        shelved.fold()
        before = await shelved.read(SG, Question(types=frozenset({"report"})), LAST, 10)
    with Shelved(tmp_path) as shelved:
        assert await shelved.read(SG, Question(types=frozenset({"report"})), LAST, 10) == before
    assert len(before) == 1


async def test_who_waits_for_the_fold_is_woken_once_however_many_folds_it_takes(
    shelved: Shelved,
) -> None:
    shelved.say(*[Said(object_id, "SG", 0, version=1) for object_id in IDS])
    catalogue, length = shelved.catalogue, shelved.ledger.length
    waiting = asyncio.create_task(catalogue.reached(length, 5.0))
    await asyncio.sleep(0)
    before = list(catalogue._waiting)
    assert len(before) == 1
    catalogue.catch_up(shelved.ledger.scan, length, 1)
    assert catalogue._waiting == before
    shelved.fold()
    assert await waiting
    assert catalogue._waiting == []
