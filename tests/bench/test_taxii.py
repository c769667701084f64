"""The measurement of TAXII at its smallest: it runs to its end, and says what it cannot do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench import far, taxii
from bench.far import Trip
from bench.goals import Board, load_goals
from bench.line import refusal
from bench.run import Run
from bench.taxii import GOALS, RUNGS, Scale


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, 1_000, Board(load_goals(GOALS), 1_000))


def test_what_is_measured_follows_from_how_much_is_stored() -> None:
    assert Scale.of(10_000_000).rungs == RUNGS
    assert Scale.of(1_000_000).rungs == RUNGS[:3]
    assert Scale.of(1_000_000).full == 100_000
    assert [*Scale.of(100_000).fan.reports] == [1, 1_000, 10_000]
    assert [*Scale.of(100_000).trip.subscribers] == [1, 1_000, 10_000]
    assert (Scale.of(2_000).rungs, Scale.of(2_000).full) == ((2_000,), 2_000)


def test_where_no_line_can_be_had_its_goals_say_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(far, "refusal", lambda: "unshare: Operation not permitted")
    far.measure(run, Trip())
    told = {row[0]: row[-1] for row in run.board.rows()}
    lines = [verdict for goal, verdict in told.items() if "-line" in goal]
    assert len(lines) == 8
    assert set(lines) == {"skipped: unshare: Operation not permitted"}
    assert told["P8-1000"] == "not measured"
    assert "no bad line can be had here" in capfd.readouterr().err


@pytest.mark.long
def test_a_trial_run_ends_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(taxii, "RESULTS", tmp_path)
    done = taxii.taxii(1_000)
    told = capfd.readouterr().out
    wanted = {name for name, goal in done.board.goals.items() if goal.stored < 1_000_000}
    if refusal():
        wanted = {name for name in wanted if "-line" not in name}
    assert set(done.board.findings) == wanted
    for name in ("P8-missed", "P8-line-missed"):
        if name in wanted:
            assert done.board.findings[name].ours == 0
    assert all(name in told for name in done.board.goals)
    kept = msgspec.json.decode((tmp_path / "taxii.jsonl").read_bytes())
    assert kept["stored"] == 1_000
