"""Who may see what: the table of TLP 2.0, and that an answer never grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core import marking
from bayanihan.core.marking import (
    LEVELS,
    PUBLIC,
    TLP_1_IDS,
    TLP_2_IDS,
    Audience,
    Group,
    Viewer,
    admitting,
    canonical,
    effective,
    group_marking_id,
    may_see,
    strictest,
)

MEMBERS = ("MY", "PH", "SG", "TL")
PAIR = Group("pair", 3, ("PH", "SG"))
REGION = Group("region", 1, MEMBERS)

STAFF = Viewer("k1", "ana", "SG")
BANK = Viewer("k2", "bo", "SG", constituent="bank")
OUTSIDE = Viewer("k3", "chi", "TL")
OPERATOR = Viewer("k4", "dee", scopes=frozenset({"admin"}))
NAMED = Viewer("k5", "eko", "TL", constituent="firm")
NAMELESS = Viewer("k6", "", "TL")


@pytest.mark.parametrize(
    ("audience", "seen_by"),
    [
        (Audience("clear"), "PUBLIC STAFF BANK OUTSIDE OPERATOR NAMED NAMELESS"),
        (Audience("green"), "STAFF BANK OUTSIDE OPERATOR NAMED NAMELESS"),
        (Audience("amber", (PAIR,)), "STAFF BANK"),
        (Audience("amber", (REGION,)), "STAFF BANK OUTSIDE NAMED NAMELESS"),
        (Audience("amber+strict", (PAIR,)), "STAFF"),
        (Audience("amber+strict", (REGION, PAIR)), "STAFF"),
        (Audience("amber+strict", (PAIR,), ("eko",)), "STAFF NAMED"),
        (Audience("amber", ()), ""),
        (Audience("red", (REGION,)), ""),
        (Audience("red", (), ("eko",)), "NAMED"),
        (Audience("red", (), ("", "eko")), "NAMED"),
    ],
)
def test_the_table(audience: Audience, seen_by: str) -> None:
    viewers = {
        "PUBLIC": PUBLIC,
        "STAFF": STAFF,
        "BANK": BANK,
        "OUTSIDE": OUTSIDE,
        "OPERATOR": OPERATOR,
        "NAMED": NAMED,
        "NAMELESS": NAMELESS,
    }
    assert {name for name, viewer in viewers.items() if may_see(viewer, audience)} == set(
        seen_by.split()
    )


names = st.sampled_from(["region", "pair", "bloc"])
members = st.sampled_from(MEMBERS)
groups = st.builds(
    Group, names, st.integers(1, 4), st.lists(members, unique=True, max_size=4).map(tuple)
)
people = st.sampled_from(["ana", "bo", "chi", ""])
audiences = st.builds(
    Audience,
    st.sampled_from(LEVELS),
    st.lists(groups, max_size=3).map(tuple),
    st.lists(people, max_size=2).map(tuple),
)
viewers = st.builds(
    Viewer,
    key=st.sampled_from(["", "k"]),
    person=people,
    member=st.sampled_from(["", *MEMBERS]),
    constituent=st.sampled_from(["", "bank"]),
    lost=st.lists(st.tuples(names, st.integers(1, 4)), max_size=2).map(tuple),
)


def changed(viewer: Viewer, **changes: object) -> Viewer:
    fields = {name: getattr(viewer, name) for name in viewer.__struct_fields__}
    return Viewer(**{**fields, **changes})


@given(viewers, audiences)
def test_admin_confers_nothing(viewer: Viewer, audience: Audience) -> None:
    everything = frozenset("report read feed receipt notice sandbox regulate admin".split())
    assert may_see(changed(viewer, scopes=everything), audience) == may_see(viewer, audience)


@given(viewers, audiences, st.tuples(names, st.integers(1, 4)))
def test_losing_a_group_shows_nothing_new(
    viewer: Viewer, audience: Audience, lost: tuple[str, int]
) -> None:
    if may_see(changed(viewer, lost=(*viewer.lost, lost)), audience):
        assert may_see(viewer, audience)


@given(viewers, audiences)
def test_a_stricter_level_shows_nothing_new(viewer: Viewer, audience: Audience) -> None:
    rank = LEVELS.index(audience.level)
    for level in LEVELS[rank:]:
        if may_see(viewer, Audience(level, audience.groups, audience.persons)):
            assert may_see(viewer, audience)


@given(viewers, audiences)
def test_a_constituent_sees_no_more_than_its_member(viewer: Viewer, audience: Audience) -> None:
    if may_see(changed(viewer, constituent="bank"), audience):
        assert may_see(changed(viewer, constituent=""), audience)


@given(viewers, audiences)
def test_another_spelling_is_the_same_audience(viewer: Viewer, audience: Audience) -> None:
    one = canonical(audience)
    assert may_see(viewer, one) == may_see(viewer, audience)
    assert canonical(one) == one
    turned = Audience(audience.level, audience.groups[::-1], audience.persons[::-1])
    assert canonical(turned) == one


@given(viewers, audiences)
def test_an_author_sees_their_own(author: Viewer, audience: Audience) -> None:
    admitted = admitting(audience, author)
    if author.key and author.person:
        assert may_see(author, admitted)
    assert admitted.level == audience.level
    for other in (STAFF, BANK, OUTSIDE, OPERATOR, NAMED, PUBLIC):
        if other.person != author.person:
            assert may_see(other, admitted) == may_see(other, audience)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("join"), names, members),
        st.tuples(st.just("leave"), names, members),
        st.tuples(st.just("append"), st.sampled_from(LEVELS), st.lists(names, max_size=2)),
    ),
    max_size=40,
)


@given(steps, st.booleans())
def test_the_answer_up_to_a_position_never_grows(
    steps: list[tuple[str, str, object]], constituent: bool
) -> None:
    """Groups change while entries are appended; no member ever sees an earlier one anew."""
    current = {name: Group(name, 1, ("PH", "SG")) for name in ("region", "pair", "bloc")}
    lost: dict[str, dict[str, int]] = {member: {} for member in MEMBERS}
    entries: list[Audience] = []
    seen: dict[str, set[int]] = {member: set() for member in MEMBERS}
    for verb, name, what in steps:
        known = len(entries)
        if verb == "append":
            assert isinstance(what, list)
            entries.append(Audience(name, tuple(current[group] for group in what)))
        else:
            group, member = current[name], str(what)
            others = tuple(one for one in group.members if one != member)
            if verb == "leave" and member in group.members:
                lost[member][name] = group.version
            joined = (*others, member) if verb == "join" else others
            current[name] = Group(name, group.version + 1, joined)
        for member in MEMBERS:
            viewer = Viewer(
                "k", "p", member, "bank" if constituent else "", lost=tuple(lost[member].items())
            )
            now = {n for n, audience in enumerate(entries) if may_see(viewer, audience)}
            assert {n for n in now if n < known} <= seen[member]
            seen[member] = now


def test_strictest() -> None:
    assert strictest(["green", "amber+strict", "clear"]) == "amber+strict"
    assert [strictest(LEVELS[: n + 1]) for n in range(5)] == list(LEVELS)


def amounts_to(*refs: str, unmarked: str = "green", default: str = "amber+strict") -> object:
    return effective(
        refs,
        statements={"marking-definition--s"},
        groups={group_marking_id(name): name for name in ("pair", "bloc")},
        unmarked=unmarked,
        default=default,
    )


@pytest.mark.parametrize(
    ("refs", "level", "groups"),
    [
        ([], "green", ()),
        (["marking-definition--s"], "green", ()),
        ([TLP_2_IDS["clear"]], "clear", ()),
        ([TLP_1_IDS["amber"], TLP_2_IDS["green"]], "amber", ()),
        ([TLP_2_IDS["clear"], "marking-definition--unknown"], "amber+strict", ()),
        (["marking-definition--unknown"], "amber+strict", ()),
        ([TLP_2_IDS["clear"], "marking-definition--s"], "clear", ()),
        ([group_marking_id("pair")], "amber+strict", ("pair",)),
        (
            [group_marking_id("pair"), TLP_2_IDS["amber"], group_marking_id("bloc")],
            "amber",
            ("bloc", "pair"),
        ),
        ([TLP_2_IDS["red"], TLP_2_IDS["clear"]], "red", ()),
    ],
)
def test_effective(refs: list[str], level: str, groups: tuple[str, ...]) -> None:
    assert amounts_to(*refs) == (level, groups)


marking_ids = st.sampled_from(
    [*TLP_2_IDS.values(), *TLP_1_IDS.values(), group_marking_id("pair"), "marking-definition--s"]
)


@given(st.lists(marking_ids, min_size=1), marking_ids)
def test_a_further_marking_never_loosens(refs: list[str], further: str) -> None:
    def strictness(marks: list[str]) -> int:
        known = effective(marks, statements=[], groups={}, unmarked="clear", default="clear")
        return marking.STRICTNESS[known[0]]

    assert strictness([*refs, further]) >= strictness(refs)


def test_origins() -> None:
    assert [viewer.origin for viewer in (PUBLIC, OPERATOR, STAFF, BANK)] == [
        "",
        "HUB",
        "SG",
        "SG/bank",
    ]
