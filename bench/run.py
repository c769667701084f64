"""What the measures of one run share: where, how large, what was found."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.goals import Board


@dataclass
class Run:
    """One run.

    `folder` holds everything that it writes and is deleted after it; `stored` is how many
    objects the largest hub holds; `raw` gathers the figures behind the findings.
    """

    folder: Path
    stored: int
    board: Board
    raw: dict[str, Any] = field(default_factory=dict)
    began_s: float = field(default_factory=time.perf_counter)

    def say(self, text: str) -> None:
        """Tell the person who waits."""
        print(f"{time.perf_counter() - self.began_s:6.1f} s  {text}", file=sys.stderr, flush=True)

    def keep(self, name: str, figures: Any) -> None:
        """Keep figures for the results file."""
        self.raw.setdefault(name, []).append(figures)

    def folder_for(self, name: str) -> Path:
        """A folder of its own below the run's."""
        path = self.folder / name
        path.mkdir(parents=True)
        return path

    def line(self, about: dict[str, Any]) -> bytes:
        """The run as one line of JSON."""
        found = list(self.board.findings.values())
        return msgspec.json.encode({**about, "findings": found, "raw": self.raw}) + b"\n"
