"""What a leading authority, a hub and a laboratory say to each other about a trial.

The leading authority keeps labels, campaigns and the seed at home: a hub holds questions only,
under the numbers of this trial. A laboratory is shown the questions of the shards that it holds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bayanihan.sandbox.answer import FAULTS, Question
from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.manifest import Line

Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Code = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Level = Annotated[str, Meta(pattern="^L[12]$")]
MOST_ITEMS = 1_000_000
MOST_TOOL_BYTES = 256 << 20
MOST_TRAINING_BYTES = 64 << 20
# What one request may carry. A question is at most a megabyte of text.
PIECE_BYTES = 8 << 20
_FAULT = f"^({'|'.join(FAULTS)})$"


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trial as it is offered to laboratories.

    Attributes:
        tool: id and version of the tool, for people.
        corpus: name and version, for people.
        tools: digests of all contestants in order, the tool first.
        items: how many questions there are.
        tool_bytes, training_bytes: the size of the two files that go with it.
        limits: of each worker.
        least: the weakest isolation that is let in.
        laboratories: members that may take part; the leader's own may always.
        lease_s: how long a shard is held without an answer, in seconds.
        format: of results.
    """

    tool: Line
    corpus: Line
    tools: Annotated[list[Digest], Meta(min_length=1, max_length=32)]
    items: Annotated[int, Meta(ge=1, le=MOST_ITEMS)]
    tool_bytes: Annotated[int, Meta(ge=1, le=MOST_TOOL_BYTES)]
    training_bytes: Annotated[int, Meta(ge=0, le=MOST_TRAINING_BYTES)]
    limits: Limits
    least: Level
    laboratories: Annotated[list[Code], Meta(max_length=11)]
    lease_s: Annotated[float, Meta(ge=1, le=86_400)]
    format: Line


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a laboratory says of itself when it takes a shard.

    Attributes:
        level: of its isolation.
        isolator: what isolates there, with version.
        environment: digest of machine, interpreter and packages.
        harness: the program and its version.
    """

    level: Level
    isolator: Line
    environment: Digest
    harness: Line


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A laboratory asks for a shard.

    Attributes:
        laboratory: what it says of itself.
        contestant: which tool it has at hand.
    """

    laboratory: Said
    contestant: Annotated[int, Meta(ge=0, le=31)]


class Lease(msgspec.Struct, frozen=True):
    """A shard that a laboratory holds.

    Attributes:
        id: its name; only who was given it knows it.
        contestant, first, last: the shard, `last` not included.
        places: those that have no answer yet.
        questions: one for each of them.
    """

    id: str
    contestant: int
    first: int
    last: int
    places: list[int]
    questions: list[Question]


class Taken(msgspec.Struct, frozen=True):
    """The answer to a wish: no lease where every shard is held or answered."""

    lease: Lease | None


class Answered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One answer, as a list in this order.

    Attributes:
        place: of the item in this trial.
        verdict: m, b or x, which is a fault.
        latency_us: from the item to its answer, in microseconds; null where nobody timed it.
        fault: why there is no answer.
    """

    place: Annotated[int, Meta(ge=0, lt=MOST_ITEMS)]
    verdict: Annotated[str, Meta(pattern="^[mbx]$")]
    latency_us: Annotated[int, Meta(ge=0, le=10**11)] | None
    fault: Annotated[str, Meta(pattern=_FAULT)] | None


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one start of a tool cost.

    Attributes:
        cold_start_s: from the start to the line that says ready, in seconds.
        peak_bytes: the most memory that was in use.
        bounded: what a control group bounded for all its processes together.
    """

    cold_start_s: Annotated[float, Meta(ge=0, le=86_400)]
    peak_bytes: Annotated[int, Meta(ge=0, le=1 << 50)]
    bounded: Annotated[
        list[Annotated[str, Meta(pattern="^(memory|processes)$")]], Meta(max_length=2)
    ]


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers to a held shard.

    Attributes:
        rows: at most a shard of them.
        costs: of starts since the last batch.
        give_back: the shard is left to others.
        trouble: why, in a sentence.
    """

    rows: Annotated[list[Answered], Meta(max_length=512)] = []
    costs: Annotated[list[Cost], Meta(max_length=512)] = []
    give_back: bool = False
    trouble: Annotated[str, Meta(max_length=500)] = ""


class Share(msgspec.Struct, frozen=True):
    """What a laboratory did in a trial: who it is, what it said of itself, its answers.

    Attributes:
        number: of the laboratory in this trial.
        origin: the member, or member and constituent, by its key.
        said: by itself; nobody can see it from outside.
        answers: of all contestants.
    """

    number: int
    origin: str
    said: Said
    answers: int


class Standing(msgspec.Struct, frozen=True):
    """How a trial on a hub stands.

    Attributes:
        id: of the trial.
        leader: origin of who offered it.
        offer: as it was made.
        state: `arriving` while its files come in, `open`, or `answered`.
        answers, of: given and wanted, of all contestants.
        laboratories: those that took a shard.
        troubles: what laboratories said when they gave one back.
    """

    id: str
    leader: str
    offer: Offer
    state: Literal["arriving", "open", "answered"]
    answers: int
    of: int
    laboratories: list[Share]
    troubles: list[str]


class Found(msgspec.Struct, frozen=True):
    """All answers of one contestant.

    Attributes:
        rows: in order of place: as in a batch, and the laboratory's number.
        costs: of all starts.
    """

    rows: list[tuple[int, str, int | None, str | None, int]]
    costs: list[Cost]
