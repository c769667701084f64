"""How the `trial` verbs print for people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bayanihan.errors import one_line
from bayanihan.sandbox.report import percent, signed
from bayanihan.sandbox.result import Result, Score

Told = Callable[[int, int], None]
_TITLES = {
    "detection": "detection",
    "false_alarm": "false alarms",
    "precision": "right when it warns",
}


def _line(score: Score) -> str:
    low, high = score.interval
    behind = f"{score.hits} of {score.n}" if score.hits is not None else f"n = {score.n}"
    return f"{percent(score.value):>8}   {percent(low)} to {percent(high)}   ({behind})"


def show_result(result: Result, out: Path, report: Path) -> None:
    """The result in twenty lines: scores, gates, the worst slices, what to look at."""
    tool, corpus = result.tool, result.corpus
    print(f"{one_line(tool.id)} {one_line(tool.version)} on {corpus.name} {corpus.version}, "
          f"isolation {result.isolation['level']}")  # fmt: skip
    for score in result.scores:
        print(f"  {_TITLES[score.name]:<20}{_line(score)}")
    print(f"  The last line holds if {percent(corpus.base_rate)} of all items are attacks. "
          "Intervals are exact, 95 %.")  # fmt: skip
    worst = next((part for part in result.slices if part.by == "language"), None)
    if worst and worst.detection:
        print(f"  worst language      {worst.value}: detection {percent(worst.detection.value)} "
              f"of {worst.detection.n}")  # fmt: skip
    for rival in result.rivals:
        detection, alarms = rival.differences
        print(f"  less {rival.tool:<15}detection {signed(detection.difference)} points, "
              f"false alarms {signed(alarms.difference)}")  # fmt: skip
    for gate in result.gates:
        print(f"  gate {gate.rule}: {gate.verdict} (bound {percent(gate.bound)}, n = {gate.n}; "
              f"{gate.because})")  # fmt: skip
    if result.faults:
        told = ", ".join(f"{n} {fault}" for fault, n in result.faults.items())
        print(f"  without an answer, counted against the tool: {told}")
    for sentence in result.honesty.told:
        print(f"  NOTE: {sentence}.")
    cost = result.performance
    print(f"  cost                {cost.p50_us / 1000:.2f} ms an item (median), cold start "
          f"{cost.cold_start_s:.2f} s, {cost.peak_memory_bytes >> 20} MiB")  # fmt: skip
    print(f"{out}: the result. {report}: the page.")
