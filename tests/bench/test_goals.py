"""The goals' file is complete, and the table tells what is met."""

from __future__ import annotations

import re

import pytest

from bench.goals import Board, Goal, Peer, load_goals, table
from bench.loop import PARTS

# What the issue asks for.
MEASURES = {1, 2, 3, 4, 6, 7, 8, 10, 11, 12, 13, 16}


def goal(**fields: object) -> Goal:
    about = {
        "name": "P0",
        "what": "w",
        "unit": "ms",
        "against": "floor",
        "bar": "<= 2",
        "why": "y",
    }
    return Goal(**{**about, **fields})  # type: ignore[arg-type]


def test_every_measure_that_was_asked_for_has_a_goal() -> None:
    numbers = {int(name[1:].split("-")[0]) for name in load_goals()}
    assert numbers == MEASURES


def test_the_loop_judges_every_goal_and_no_other() -> None:
    judged = [goal for goals in PARTS.values() for goal in goals]
    assert sorted(judged) == sorted(load_goals())


def test_every_goal_says_what_why_and_against_what() -> None:
    for one in load_goals().values():
        assert one.what
        assert one.why.endswith("."), one.name
        assert one.against in ("floor", "peer", "own", ""), one.name
        assert re.fullmatch(r"(>=|<=|=) [0-9.]+", one.bar), one.name
        scaled = one.against == "peer" and one.name != "P4-stix2"
        assert (one.peer is not None) == scaled, one.name


def test_a_ratio_is_held_against_the_bar() -> None:
    board = Board({"P0": goal()}, 0)
    board.beside("P0", 3.0, 2.0)
    assert board.rows()[0][4:] == ("1.5", "<= 2", "met")
    board.beside("P0", 5.0, 2.0)
    assert board.rows()[0][4:] == ("2.5", "<= 2", "MISSED")


def test_a_peer_that_did_not_run_is_scaled_by_the_floor_and_says_so() -> None:
    one = goal(against="peer", bar=">= 12", peer=Peer("peer", 100.0, 1_000.0))
    board = Board({"P0": one}, 0)
    board.peer("P0", 1_000.0, 500.0)
    assert board.rows()[0][3:] == ("50 peer, scaled", "20", ">= 12", "met")
    board.live("P0", "peer", 400.0)
    board.peer("P0", 1_000.0, 500.0)
    assert board.rows()[0][3:] == ("400 peer, live", "2.5", ">= 12", "MISSED")


def test_a_small_run_does_not_judge_a_goal_for_a_large_one() -> None:
    board = Board({"P0": goal(stored=1_000_000)}, 100_000)
    board.beside("P0", 1.0, 2.0)
    assert board.rows()[0][-1] == "needs --stored 1000000"
    assert Board({"P0": goal()}, 0).rows()[0][-1] == "not measured"


def test_nothing_beside_a_figure_is_never_met() -> None:
    board = Board({"P0": goal()}, 0)
    board.beside("P0", 1.0, 0.0)
    assert board.rows()[0][-1] == "MISSED"


@pytest.mark.parametrize(
    ("bar", "value", "met"),
    [(">= 1", 1.0, True), (">= 1", 0.99, False), ("<= 0", 0.0, True), ("= 0", -1.0, False)],
)
def test_bars(bar: str, value: float, met: bool) -> None:
    assert goal(bar=bar).met(value) is met


def test_the_table_has_a_line_for_each_row() -> None:
    text = table(Board(load_goals(), 0).rows()).splitlines()
    assert len(text) == len(load_goals()) + 2
    assert len(Board(load_goals(), 0).rows(["P4-rate"])) == 1
    assert len({len(line) for line in text}) == 1
