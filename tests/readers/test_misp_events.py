"""Events of a MISP feed follow from what is in them, however that was come to."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.readers.feeds import misp_events
from bayanihan.readers.feeds.misp_events import Event, Events

ATTRIBUTES = st.sets(st.tuples(st.sampled_from(("2026-01-01", "2026-01-02")), st.integers(0, 60)))


def line(number: int, stamp_s: int = 0) -> bytes:
    name = uuid.uuid5(uuid.NAMESPACE_URL, str(number))
    level = ("clear", "green")[number % 2]
    return (
        f'{{"uuid":"{name}","timestamp":"{stamp_s or number}","Tag":[{{"name":"tlp:{level}"}}],'
        f'"value":"{number}"}},'
    ).encode()


def state(events: Events) -> dict[Event, tuple[list[bytes], int, list[str]]]:
    return {
        event: (
            [each for chunk in events.lines(event).chunks for each in chunk.lines()],
            events.stamp_s(event),
            sorted(events.levels(event)),
        )
        for event in events.every()
    }


@given(ATTRIBUTES, st.lists(st.tuples(ATTRIBUTES, ATTRIBUTES), max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_change_comes_to_the_same_as_making_them_anew(
    there: set[tuple[str, int]],
    steps: list[tuple[set[tuple[str, int]], set[tuple[str, int]]]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(misp_events, "EVENT_LIMIT", 3)
        events = Events()
        events.fill((day, line(number)) for day, number in there)
        for less, more in steps:
            before = state(events)
            want = {(day, line(number)): False for day, number in less - more}
            want |= {(day, line(number)): True for day, number in more}
            change = events.change(want)
            there = (there - less) | more
            fresh = Events()
            fresh.fill((day, line(number)) for day, number in there)
            after = state(events)
            assert after == state(fresh)
            assert all(len(lines) <= 3 for lines, *_ in after.values())
            moved = {event for event in {*before, *after} if before.get(event) != after.get(event)}
            assert moved <= change.events
            lines = {(event, each): 1 for event, found in before.items() for each in found[0]}
            for event, each, number in change.moves:
                lines[event, each] = lines.get((event, each), 0) + number
            assert {key for key, number in lines.items() if number} == {
                (event, each) for event, found in after.items() for each in found[0]
            }


def test_an_event_has_a_new_time_only_when_something_in_it_is_new() -> None:
    events = Events()
    events.fill([("2026-01-01", line(number, 10)) for number in range(4)])
    (event,) = events.every()
    events.change({("2026-01-01", line(0, 10)): False})
    assert events.stamp_s(event) == 10
    events.change({("2026-01-01", line(9, 30)): True})
    assert events.stamp_s(event) == 30
