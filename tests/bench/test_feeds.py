"""The feeds' goals: what is judged of the figures of all feeds."""

from __future__ import annotations

import pytest

from bench.feeds import GOALS, Made, judge
from bench.goals import Board, load_goals


def made(feed: str, active: int, *, remake_s: float = 0.1, delta_s: float = 0.01) -> Made:
    return Made(feed, active, active, 1_000, 1.0, remake_s, delta_s, 2_048)


@pytest.fixture
def board() -> Board:
    return Board(load_goals(GOALS), 1_000)


def test_the_worst_feed_is_judged(board: Board) -> None:
    rows = {
        "domains.txt": [made("domains.txt", 100), made("domains.txt", 1_000)],
        "rpz.zone": [
            made("rpz.zone", 100),
            made("rpz.zone", 1_000, remake_s=0.9, delta_s=0.06),
        ],
    }
    judge(board, rows)
    found = {row[0]: row[-1] for row in board.rows()}
    assert found == {
        "F1-delta": "MISSED",
        "F1-growth": "MISSED",
        "F1-bytes": "met",
        "F2-remake": "MISSED",
        "F3-screening": "not measured",
        "F4-memory": "not measured",
    }


def test_feeds_of_numbered_rules_are_held_to_the_step_like_any_other(board: Board) -> None:
    name = "suricata.rules"
    judge(board, {name: [made(name, 100), made(name, 1_000, remake_s=9.0)]})
    assert board.findings["F2-remake"].ours == 9_000.0
    assert board.findings["F1-delta"].ours == 10.0


def test_a_set_of_one_size_says_nothing_of_growth(board: Board) -> None:
    judge(board, {"domains.txt": [made("domains.txt", 1_000)]})
    assert {*board.findings} == {"F1-delta", "F1-bytes"}
