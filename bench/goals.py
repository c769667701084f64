"""Goals, what was found beside them, and the table that says which are met."""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("goals.toml")
COLUMNS = ("goal", "measure", "ours", "beside (same run)", "ratio", "bar", "")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A peer's figure on the day of the survey, and the floor's in that same survey."""

    name: str
    figure: float
    floor: float


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the goals' file; see its head for what the fields mean."""

    name: str
    what: str
    unit: str
    against: str
    bar: str
    why: str
    stored: int = 0
    peer: Peer | None = None

    def met(self, value: float) -> bool:
        """Whether a ratio, or a plain figure where nothing is beside it, reaches the bar."""
        sign, _, bar = self.bar.partition(" ")
        return _COMPARE[sign](value, float(bar))


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one run found: ours, what it stands beside, and what that is."""

    goal: str
    ours: float
    beside: float | None = None
    label: str = ""

    @property
    def value(self) -> float:
        """What the bar is held against."""
        if self.beside is None:
            return self.ours
        return self.ours / self.beside if self.beside else float("inf")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    goal: list[Goal]


def load_goals(path: Path = FILE) -> dict[str, Goal]:
    """The goals by name, in the file's order."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {goal.name: goal for goal in msgspec.convert(document, _File).goal}


class Board:
    """Collects findings against goals.

    Args:
        goals: what to hold them against.
        stored: how many objects this run stores at its largest.
    """

    def __init__(self, goals: dict[str, Goal], stored: int) -> None:
        self.goals = goals
        self.stored = stored
        self.findings: dict[str, Finding] = {}
        self._live: dict[str, tuple[str, float]] = {}
        self._skipped: dict[str, str] = {}

    def live(self, goal: str, name: str, figure: float) -> None:
        """A peer was run in this run: its own figure replaces the survey's."""
        self._live[goal] = (name, figure)

    def skip(self, goal: str, why: str) -> None:
        """What this machine cannot measure, and why."""
        self._skipped[goal] = why

    def plain(self, goal: str, ours: float) -> None:
        """A figure that stands for itself."""
        self.findings[goal] = Finding(goal, ours)

    def beside(self, goal: str, ours: float, beside: float) -> None:
        """A figure beside the floor's, or beside another of ours."""
        self.findings[goal] = Finding(goal, ours, beside, self.goals[goal].against)

    def peer(self, goal: str, ours: float, floor: float) -> None:
        """A figure beside a peer's: live where it ran, else scaled by the floor."""
        if goal in self._live:
            name, figure = self._live[goal]
            self.findings[goal] = Finding(goal, ours, figure, f"{name}, live")
            return
        peer = self.goals[goal].peer
        assert peer is not None, f"{goal} has no peer to scale"
        scaled = peer.figure * floor / peer.floor
        self.findings[goal] = Finding(goal, ours, scaled, f"{peer.name}, scaled")

    def rows(self, names: Collection[str] | None = None) -> list[tuple[str, ...]]:
        """A row of text for each goal, or for each of `names`, in the file's order."""
        wanted = self.goals if names is None else names
        return [self._row(goal) for goal in self.goals.values() if goal.name in wanted]

    def _row(self, goal: Goal) -> tuple[str, ...]:
        found = self.findings.get(goal.name)
        if found is None or goal.stored > self.stored:
            needs = self._skipped.get(goal.name, "not measured")
            if goal.stored > self.stored:
                needs = f"needs --stored {goal.stored}"
            ours = _number(found.ours, goal.unit) if found else ""
            return goal.name, goal.what, ours, "", "", goal.bar, needs
        ratio = beside = ""
        if found.beside is not None:
            ratio = f"{found.value:.3g}"
            beside = f"{_number(found.beside, '')} {found.label}"
        verdict = "met" if goal.met(found.value) else "MISSED"
        return (
            goal.name,
            goal.what,
            _number(found.ours, goal.unit),
            beside,
            ratio,
            goal.bar,
            verdict,
        )


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows under their columns, ready for a terminal or a page."""
    lines = [COLUMNS, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    text = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([text[0], rule, *text[1:]])
