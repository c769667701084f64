"""Turns: an origin has only so much in work, in order, and no other origin waits for it."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.intake.turns import Turns


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 15)), max_size=30))
def test_all_get_their_turn_in_order_and_within_the_limit(asked: list[tuple[str, int]]) -> None:
    turns, began = Turns(limit=10), []

    async def work(number: int, origin: str, weight: int) -> None:
        async with turns.turn(origin, weight):
            began.append((origin, number))
            assert turns.working(origin) <= 10
            await asyncio.sleep(0)

    async def everybody() -> None:
        await asyncio.gather(*(work(n, origin, weight) for n, (origin, weight) in enumerate(asked)))

    asyncio.run(everybody())
    for each in "ab":
        assert [n for origin, n in began if origin == each] == [
            n for n, (origin, _) in enumerate(asked) if origin == each
        ]
        assert (turns.working(each), turns.waiting(each)) == (0, 0)


async def test_a_flood_of_one_origin_holds_up_no_other() -> None:
    turns, end = Turns(limit=10), asyncio.Event()

    async def work(origin: str) -> None:
        async with turns.turn(origin, 10):
            await end.wait()

    flood = [asyncio.create_task(work("VN")) for _ in range(50)]
    await asyncio.sleep(0)
    assert (turns.working("VN"), turns.waiting("VN")) == (10, 49)
    async with asyncio.timeout(5), turns.turn("SG", 1):
        assert turns.working("SG") == 1
    end.set()
    await asyncio.gather(*flood)


async def test_who_goes_away_while_waiting_takes_no_turn() -> None:
    turns, end = Turns(limit=1), asyncio.Event()

    async def work() -> None:
        async with turns.turn("VN", 1):
            await end.wait()

    tasks = [asyncio.create_task(work()) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    end.set()
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [False, True, False, True]
    assert (turns.working("VN"), turns.waiting("VN")) == (0, 0)
