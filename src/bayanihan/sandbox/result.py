"""The result of a trial: what stands in `trial.json`, in the page, and in what is signed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.gate import Gate
from bayanihan.sandbox.isolate.limits import Limits

FORMAT = "bayanihan-trial/1"

# A verdict as one letter, in the order of the corpus.
MALICIOUS, BENIGN, FAULT = "m", "b", "x"


class Score(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure with its evidence.

    Attributes:
        name: detection, false_alarm, precision.
        value: a share; null where nothing can be said, as of warnings that never came.
        n: items behind it.
        interval: 95 %, exact (Clopper-Pearson).
        wilson: 95 %, Wilson.
        clustered: 95 %, bootstrap by campaign.
        hits: how many of n.
    """

    name: str
    value: float | None
    n: int
    interval: tuple[float, float]
    wilson: tuple[float, float] | None = None
    clustered: tuple[float, float] | None = None
    hits: int | None = None

    @property
    def share(self) -> float:
        """The value of a score that has one: of detection and false alarms, always."""
        assert self.value is not None
        return self.value


class Slice(msgspec.Struct, frozen=True):
    """Both scores within one part of the corpus; a score without items is None."""

    by: str
    value: str
    detection: Score | None
    false_alarm: Score | None


class Difference(msgspec.Struct, frozen=True):
    """The tool less another one, on the same items.

    Attributes:
        name: detection or false_alarm.
        difference: of the two shares.
        interval: 95 %, Newcombe.
        p: exact McNemar.
        only_this, only_other: items that one alone called malicious.
    """

    name: str
    difference: float
    interval: tuple[float, float]
    p: float
    only_this: int
    only_other: int


class Rival(msgspec.Struct, frozen=True):
    """A baseline or an earlier version: its scores and what is between it and the tool."""

    tool: str
    digest: str
    role: str
    scores: list[Score]
    differences: list[Difference]


class Performance(msgspec.Struct, frozen=True):
    """What the tool cost, inside its limits.

    Attributes:
        p50_us, p95_us, p99_us, longest_us: time from an item to its answer, in microseconds.
        items_per_s: answers a second, one item after another.
        cold_start_s: from the start to the line that says ready, median, in seconds.
        peak_memory_bytes: the most that was in use.
        timed: how many answers the times are from; a quick tool is timed on a part of them.
    """

    p50_us: int
    p95_us: int
    p99_us: int
    longest_us: int
    items_per_s: float
    cold_start_s: float
    peak_memory_bytes: int
    timed: int = 0


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The tool, by digest."""

    id: str
    version: str
    vendor: str
    digest: str
    vectors: list[str]
    languages: list[str]
    declared: dict[str, float] | None = None


class Asked(msgspec.Struct, frozen=True):
    """The corpus, by Merkle root."""

    name: str
    version: str
    root: str
    training_root: str
    items: int
    attacks: int
    legitimate: int
    base_rate: float
    base_rate_source: str
    sealed: bool
    limits: list[str]


class Honesty(msgspec.Struct, frozen=True):
    """Signs that a tool plays the test.

    Attributes:
        reasked: items asked again, each in a fresh sandbox.
        differing: how many of them got another verdict.
        canaries: items whose label nobody can know.
        canaries_agreed: how often the tool agreed with it.
        canaries_p: the chance of that by chance.
        told: sentences for people; empty when nothing was found.
    """

    reasked: int
    differing: int
    canaries: int
    canaries_agreed: int
    canaries_p: float
    told: list[str]


class Laboratory(msgspec.Struct, frozen=True):
    """One that answered for a trial, beside the machine that led it.

    Attributes:
        origin: the member, by the key that it used.
        level: of isolation, by its own word; the weakest of all is the trial's.
        isolator: what isolates there, by its own word.
        environment: digest of machine, interpreter and packages, by its own word.
        harness: the program and its version, by its own word.
        answers: how many it gave, baselines included.
        items: how many of them are the tool's.
        reasked: how many of these the leading machine asked again.
        differing: how many of those came out otherwise.
    """

    origin: str
    level: str
    isolator: str
    environment: str
    harness: str
    answers: int
    items: int
    reasked: int
    differing: int


def weakest(levels: Iterable[str]) -> str:
    """The level that counts where several isolated."""
    return min(levels)


class Result(msgspec.Struct, frozen=True):
    """A finished trial."""

    format: str
    harness: str
    started: str
    ended: str
    seed: int
    tool: Subject
    corpus: Asked
    isolation: dict[str, Any]
    environment: dict[str, Any]
    limits: Limits
    scores: list[Score]
    slices: list[Slice]
    gates: list[Gate]
    rivals: list[Rival]
    performance: Performance
    honesty: Honesty
    faults: dict[str, int]
    not_tested: list[str]
    verdicts: str
    verdicts_digest: str
    laboratories: list[Laboratory] = []

    def score(self, name: str) -> Score:
        """The score of that name."""
        return next(each for each in self.scores if each.name == name)

    @property
    def passed(self) -> bool:
        """Whether every gate passed; true where none was asked."""
        return all(gate.verdict == "passed" for gate in self.gates)


def encode_result(result: Result) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def read_result(path: Path) -> Result:
    """The result in a file. Raises `Refused`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise Refused("cannot-read", error.strerror or str(error), where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-value", f"This is no result of a trial: {error}", where=str(path)) from (
            None
        )
