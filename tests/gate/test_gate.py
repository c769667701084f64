"""The release gate: whatever happens in whatever order, nobody is shown what is not theirs."""

from __future__ import annotations

import os
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

from tests.gate.exits import FEEDS_SEEN, Exit, Look, exits_of
from tests.gate.model import ORDER
from tests.gate.world import GROUPS, MEMBERS, World

TRIPLES = 5_000
LONG_TRIPLES = 100_000
MARKS = st.lists(
    st.sampled_from([*ORDER, "other", "words", *(f"group:{name}" for name in GROUPS)]),
    max_size=3,
    unique=True,
)
GRANULAR: st.SearchStrategy[list[str]] = st.one_of(st.just([]), MARKS)
LEVELS = st.sampled_from(["", *ORDER])
GROUP = st.sampled_from(["", *GROUPS])
NUMBER = st.integers(0, 1_000)

visited: set[Exit] = set()
there: set[Exit] = set()
feeds: set[str] = set()
counted = {"triples": 0, "taxii": 0, "worlds": 0}


class Gate(RuleBasedStateMachine):
    """Things are said, shared, taken back and erased; people come and go; all is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.look = Look(self.world)

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

    @rule(author=NUMBER, police=st.booleans(), national=st.booleans())
    def register_a_system(self, author: int, police: bool, national: bool) -> None:
        people = [who for who in self.world.authors if who.member]
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
        people = [who for who in self.world.authors if who.member]
        if people:
            self.world.file_report(people[author % len(people)])

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
            visited.update(self.look.visited)
            there.update(exits_of(self.world))
            feeds.update(self.world.hub.press.feeds)
            counted["triples"] += self.look.triples
            counted["taxii"] += self.look.taxii
            counted["worlds"] += 1
            self.world.close()


SETTINGS = settings(
    max_examples=int(os.environ.get("BAYANIHAN_GATE_WORLDS", "4")),
    stateful_step_count=20,
    deadline=None,
    # The steps are printed; a shorter list of them would take minutes to find.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_nobody_is_shown_what_is_not_theirs_through_any_exit() -> None:
    run_state_machine_as_test(Gate, settings=SETTINGS)
    assert visited == there, "every exit of the route table was looked through"
    assert FEEDS_SEEN.names == feeds, "and every feed"
    assert counted["triples"] >= TRIPLES, counted
    assert counted["taxii"] >= TRIPLES, counted


@pytest.mark.long
def test_the_same_at_length() -> None:
    """100,000 times an object, a viewer and a way out of TAXII alone."""
    before = counted["taxii"]
    while counted["taxii"] < before + LONG_TRIPLES:
        run_state_machine_as_test(Gate, settings=SETTINGS)


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
