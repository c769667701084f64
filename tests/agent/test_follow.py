"""The loop slows down while there is trouble, and says each thing once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.agent.follow import BACK_OFF_LIMIT_S, follow, pause_s
from bayanihan.agent.turn import Follower, Outcome
from bayanihan.errors import BayanihanError, Refused, Unavailable

CURRENT = Outcome("current", False)
DOWN = Unavailable("hub-unreachable", "The hub is away")
BUSY = Unavailable("overloaded", "The hub is busy", retry_after_s=120)


class Ended(BaseException):
    """The test is over."""


class Scripted(Follower):
    """Comes to what it was told to come to."""

    def __init__(self, steps: list[Outcome | BayanihanError]) -> None:
        self.steps = steps

    def turn(self) -> Outcome:
        step = self.steps.pop(0)
        if isinstance(step, BayanihanError):
            raise step
        return step


def run(*steps: Outcome | BayanihanError) -> tuple[list[str], list[float]]:
    """What is said, and how long the loop waits after each step."""
    said: list[str] = []
    waits: list[float] = []

    def wake(wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) == len(steps):
            raise Ended

    with pytest.raises(Ended):
        follow(Scripted(list(steps)), every_s=5.0, wake=wake, jitter=lambda: 0.5, say=said.append)
    return said, waits


def test_nothing_new_is_said_once() -> None:
    said, waits = run(CURRENT, CURRENT, CURRENT)
    assert (said, waits) == (["current"], [5.0, 5.0, 5.0])


def test_trouble_slows_down_and_recovery_is_at_once() -> None:
    said, waits = run(CURRENT, DOWN, DOWN, DOWN, CURRENT)
    assert len(said) == 3
    assert said[1].startswith("Nothing was changed: what is in place stays.\nThe hub is away")
    assert waits == [5.0, 7.5, 15.0, 30.0, 5.0]


def test_the_hub_is_left_alone_as_it_asked() -> None:
    assert run(BUSY)[1] == [120.0]


def test_a_receipt_that_is_refused_is_told_beside_the_file() -> None:
    said, waits = run(Outcome("placed", True, Refused("pending", "The key waits")))
    assert said[0].splitlines()[0] == "placed"
    assert "The key waits [pending]" in said[0]
    assert waits == [7.5]


@given(
    st.integers(0, 10_000),
    st.floats(0.1, 86_400),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.integers(0, 3_600),
)
def test_a_pause_is_bounded(
    failures: int, every_s: float, jitter: float, asked_s: int | None
) -> None:
    wait_s = pause_s(failures, every_s, jitter, asked_s)
    assert 0 < wait_s <= max(BACK_OFF_LIMIT_S, 1.1 * every_s, asked_s or 0)
    if failures:
        assert wait_s >= (asked_s or 0)
