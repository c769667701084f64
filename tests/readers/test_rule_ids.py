"""Numbers of rules that are brought further come to the same as numbering them anew."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.errors import Unavailable
from bayanihan.readers.feeds import rule_ids
from bayanihan.readers.feeds.rule_ids import Numbers, canary_number, numbered, range_of

HUB = "hub.one"
NAMES = st.sets(st.integers(0, 90).map("rule {}".format), max_size=60)
START = range_of(HUB).start


def counted(names: set[str]) -> dict[str, int]:
    """Their numbers, from the start of the range."""
    return {name: number - START for name, number in numbered(names, HUB).items()}


@given(NAMES, st.lists(st.tuples(NAMES, NAMES), max_size=4), st.sampled_from((1, 30, 100, 1 << 24)))
@settings(max_examples=80, deadline=None)
def test_a_change_comes_to_the_same_as_numbering_anew(
    names: set[str], steps: list[tuple[set[str], set[str]]], homes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_ids, "_HOMES", homes)
        numbers = Numbers()
        order = sorted(names)
        before = dict(zip(order, numbers.fill(order), strict=True))
        assert before == counted(names)
        for less, more in steps:
            gone, come = names & less, more - names
            moves = numbers.change(gone, come)
            names = names - gone | come
            after = counted(names)
            assert moves == {
                name: (before.get(name), after.get(name))
                for name in before.keys() | after.keys()
                if before.get(name) != after.get(name)
            }
            assert {name: numbers.slot_of(name) for name in names} == after
            before = after


def test_a_change_looks_at_its_own_run_alone() -> None:
    numbers = Numbers()
    numbers.fill([f"rule {number}" for number in range(20_000)])
    looked: list[str] = []
    numbers._db.set_trace_callback(looked.append)
    numbers.change({"rule 7"}, {"another rule"})
    assert len(looked) < 12


def test_no_rule_gets_the_canary_s_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_ids, "RANGE_SIZE", 4)
    monkeypatch.setattr(rule_ids, "_HOMES", 1)
    last = max(numbered(["a", "b", "c"], HUB).values())
    assert last == canary_number(HUB) - 1
    with pytest.raises(Unavailable) as caught:
        numbered(["a", "b", "c", "d"], HUB)
    assert caught.value.code == "feed-refused"
