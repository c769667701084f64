"""The release gate: whatever happens in whatever order, nobody is shown what is not theirs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.gate.denying import deny
from tests.gate.exits import Exit, Feeds, Look, exits_of
from tests.gate.model import ORDER
from tests.gate.serving import hand_back, lend, report, serving
from tests.gate.world import GROUPS, MEMBERS, World
from tests.sim.databases import Databases

TRIPLES = 5_000
LONG_TRIPLES = 100_000
WORLDS = int(os.environ.get("BAYANIHAN_GATE_WORLDS", "4"))
MARKS = st.lists(
    st.sampled_from([*ORDER, "other", "words", *(f"group:{name}" for name in GROUPS)]),
    max_size=3,
    unique=True,
)
GRANULAR: st.SearchStrategy[list[str]] = st.one_of(st.just([]), MARKS)
LEVELS = st.sampled_from(["", *ORDER])
GROUP = st.sampled_from(["", *GROUPS])
NUMBER = st.integers(0, 1_000)


@dataclass
class Tally:
    """What was looked at, and what there was to look at, over all worlds of a run."""

    visited: set[Exit] = field(default_factory=set)
    there: set[Exit] = field(default_factory=set)
    feeds_seen: Feeds = field(default_factory=Feeds)
    feeds_there: set[str] = field(default_factory=set)
    triples: int = 0
    taxii: int = 0

    def assert_whole(self) -> None:
        """Every exit of the route table was looked through, and every feed."""
        assert self.visited == self.there
        assert self.feeds_seen.names == self.feeds_there


class Gate(RuleBasedStateMachine):
    """Things are said, shared, taken back and erased; people come and go; all is looked at.

    Args:
        store: where the record of this world is.
        tally: what all worlds of a run add to.
    """

    def __init__(self, store: str, tally: Tally) -> None:
        super().__init__()
        self.tally = tally
        self.world = World(store)
        self.look = Look(self.world, tally.feeds_seen)

    def author(self, number: int) -> Any:
        return self.world.authors[number % len(self.world.authors)]

    @property
    def objects(self) -> list[Any]:
        return [each for each in self.world.region.said if each.kind == "object"]

    def said(self, number: int) -> Any:
        return self.objects[number % len(self.objects)]

    @initialize(author=NUMBER, marks=MARKS, tlp=LEVELS)
    def begin(self, author: int, marks: list[str], tlp: str) -> None:
        """Something is said in every world: a look at nothing shows nothing."""
        lend(self.world)
        self.world.submit(self.author(author), marks, [], tlp=tlp)

    @rule(
        author=NUMBER,
        marks=MARKS,
        granular=GRANULAR,
        tlp=LEVELS,
        group=GROUP,
        to=st.one_of(st.just(None), NUMBER),
        exercise=st.booleans(),
    )
    def submit(
        self,
        author: int,
        marks: list[str],
        granular: list[str],
        tlp: str,
        group: str,
        to: int | None,
        exercise: bool,
    ) -> None:
        named = "" if to is None else self.author(to).person
        self.world.submit(
            self.author(author),
            marks,
            granular,
            tlp=tlp,
            group=group,
            to=named,
            exercise=exercise,
        )

    @precondition(lambda self: self.objects)
    @rule(author=NUMBER, over=NUMBER, marks=MARKS, tlp=LEVELS)
    def say_a_later_version(self, author: int, over: int, marks: list[str], tlp: str) -> None:
        """Also over an id that somebody else began: nobody is told of the other."""
        began = self.said(over)
        if began.object_id.startswith("indicator"):
            self.world.submit(self.author(author), marks, [], tlp=tlp, over=began)

    @precondition(lambda self: self.objects)
    @rule(said=NUMBER, tlp=LEVELS, group=GROUP)
    def share_again(self, said: int, tlp: str, group: str) -> None:
        chosen = self.said(said)
        own = [who for who in self.world.authors if who.person == chosen.author]
        if own:
            self.world.share_again(own[0], chosen, tlp, group)

    @precondition(lambda self: self.objects)
    @rule(who=NUMBER, said=NUMBER)
    def withdraw(self, who: int, said: int) -> None:
        self.world.withdraw(self.author(who), self.said(said))

    @precondition(lambda self: self.objects)
    @rule(who=NUMBER, said=NUMBER)
    def erase(self, who: int, said: int) -> None:
        self.world.erase(self.author(who), self.said(said))

    @rule(author=NUMBER, level=st.sampled_from(["clear", "green", "amber", "amber+strict"]))
    def an_office_denies(self, author: int, level: str) -> None:
        people = [who for who in self.world.authors if who.member and not who.serves]
        if people:
            deny(self.world, people[author % len(people)], level)

    @rule(author=NUMBER, police=st.booleans(), national=st.booleans())
    def register_a_system(self, author: int, police: bool, national: bool) -> None:
        people = [who for who in self.world.authors if who.member and not who.serves]
        if people:
            who = people[author % len(people)]
            self.world.register(who, police=police, national=national)

    @rule(level=st.sampled_from(["clear", "green", "amber", "amber+strict"]))
    def open_a_case(self, level: str) -> None:
        judges = [who for who in self.world.people if who.person.endswith("judge")]
        for who in [who for who in judges if not who.ended][:1]:
            self.world.open_case(who, level)

    @rule(author=NUMBER)
    def file_a_report(self, author: int) -> None:
        people = [who for who in self.world.authors if who.member and not who.serves]
        if people:
            self.world.file_report(people[author % len(people)])

    @rule(author=NUMBER)
    def report_evidence(self, author: int) -> None:
        report(self.world, self.author(author))

    @rule()
    def lend_or_hand_back(self) -> None:
        """TH is served by SG from now on, or no longer."""
        if serving(self.world):
            hand_back(self.world)
        else:
            lend(self.world)

    @rule(name=st.sampled_from(sorted(GROUPS)), members=st.sets(st.sampled_from(MEMBERS)))
    def change_group(self, name: str, members: set[str]) -> None:
        self.world.set_group(name, members)

    @rule(code=st.sampled_from(MEMBERS))
    def leave_or_join(self, code: str) -> None:
        if code in self.world.region.groups["region"]:
            self.world.leave(code)
        else:
            self.world.join(code)

    @rule(number=NUMBER)
    def somebody_looks(self, number: int) -> None:
        self.look.all([self.world.people[number % len(self.world.people)]])

    def teardown(self) -> None:
        try:
            self.look.all(self.world.people)
        finally:
            self.tally.visited.update(self.look.visited)
            self.tally.there.update(exits_of(self.world))
            self.tally.feeds_there.update(self.world.hub.press.feeds)
            self.tally.triples += self.look.triples
            self.tally.taxii += self.look.taxii
            self.world.close()


SETTINGS = settings(
    max_examples=WORLDS,
    stateful_step_count=20,
    deadline=None,
    # The steps are printed; a shorter list of them would take minutes to find.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def run(store: Callable[[], str], tally: Tally) -> None:
    """Look through some worlds, each with a record of its own from `store`."""

    def world() -> Gate:
        return Gate(store(), tally)

    run_state_machine_as_test(world, settings=SETTINGS)  # type: ignore[arg-type]


@pytest.fixture(params=["file", "postgresql"])
def store(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Gives the address of an empty record, on each engine."""
    if request.param == "file":
        return str
    databases: Databases = request.getfixturevalue("databases")
    return databases.fresh


def test_nobody_is_shown_what_is_not_theirs_through_any_exit() -> None:
    tally = Tally()
    run(str, tally)
    tally.assert_whole()
    assert tally.triples >= TRIPLES, tally
    assert tally.taxii >= TRIPLES, tally


def test_nor_where_the_record_is_on_postgresql(databases: Databases) -> None:
    """One thing of each sort; the random walk there is `test_the_same_at_length`."""
    tally = Tally()
    gate = Gate(databases.fresh(), tally)
    try:
        said: Any = {"granular": [], "tlp": "", "group": "", "to": None, "exercise": False}
        gate.submit(**{**said, "author": 1, "marks": ["amber", "group:pair"]})
        gate.submit(**{**said, "author": 2, "marks": ["red"], "to": 4})
        gate.submit(**{**said, "author": 3, "marks": ["clear"], "exercise": True})
        gate.say_a_later_version(1, 0, ["green"], "")
        gate.share_again(0, "amber", "trio")
        gate.erase(1, 0)
        gate.register_a_system(1, police=True, national=False)
        gate.file_a_report(1)
        bank = next(n for n, who in enumerate(gate.world.authors) if who.name == "TH bank")
        gate.report_evidence(bank)
        gate.lend_or_hand_back()
        gate.report_evidence(bank)
        gate.leave_or_join("VN")
    finally:
        gate.teardown()
    tally.assert_whole()
    assert tally.triples >= TRIPLES, tally


@pytest.mark.long
def test_the_same_at_length(store: Callable[[], str]) -> None:
    """100,000 times an object, a viewer and a way out of TAXII alone."""
    tally = Tally()
    while tally.taxii < LONG_TRIPLES:
        run(store, tally)
    tally.assert_whole()


def test_an_exit_that_nobody_can_visit_fails_the_gate() -> None:
    world = World()
    try:
        look = Look(world)
        with pytest.raises(AssertionError, match="no way to visit"):
            look.through(Exit("POST", "/api/secret"), world.operator)
        with pytest.raises(AssertionError, match="no way to fill"):
            look.through(Exit("GET", "/api/secret/{thing}"), world.operator)
    finally:
        world.close()
