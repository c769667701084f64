"""Where a shift gets its shards, questions and tools, and where it hands in its answers.

`LocalDesk` is a journal on this machine; `laboratory.HubDesk` is a hub somewhere else. A shift
cannot tell them apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.corpus import Corpus, Item, training_lines
from bayanihan.sandbox.journal import Journal, Row, Run, Shard
from bayanihan.sandbox.tool import Tool


class Desk(Protocol):
    """What a shift works from."""

    @property
    def contestants(self) -> int:
        """How many tools take part."""
        ...

    def take(self, contestant: int) -> Shard | None:
        """A shard of this contestant that nobody works on, held for a while; None if none is."""
        ...

    def missing(self, shard: Shard) -> list[int]:
        """The places of a held shard that have no answer yet."""
        ...

    def question(self, place: int) -> Question:
        """The item at a place of a held shard, as tools see it."""
        ...

    def tool(self, contestant: int) -> Tool:
        """The tool of a held shard."""
        ...

    def training(self) -> bytes:
        """The public training items as JSON lines."""
        ...

    def store(self, shard: Shard, rows: Sequence[Row]) -> bool:
        """Hand in answers; False when the shard is not held any more."""
        ...

    def store_run(self, run: Run) -> None:
        """Hand in what one start of a tool cost."""
        ...


def blind_order(items: int, seed: int) -> list[int]:
    """The order in which items are asked: drawn from the seed."""
    order = list(range(items))
    random.Random(f"order {seed}").shuffle(order)  # noqa: S311 (repeatable by whoever verifies)
    return order


def question_of(item: Item, number: int) -> Question:
    """The item as tools see it: its place in this trial is its only name."""
    return Question(str(number + 1), item.medium, item.text, item.sender, item.subject)


class LocalDesk:
    """The desk of a trial whose journal, corpus and tools are here.

    Args:
        journal: of the trial.
        holder: who works here, among all that work on this journal.
        tools: the contestants, in the order of the plan.
        corpus: what is asked.
        seed: of the blind order.
    """

    def __init__(
        self, journal: Journal, holder: str, tools: list[Tool], corpus: Corpus, seed: int
    ) -> None:
        self._journal = journal
        self._holder = holder
        self._tools = tools
        self._corpus = corpus
        self.order = blind_order(len(corpus.items), seed)

    @property
    def contestants(self) -> int:
        """How many tools take part."""
        return len(self._tools)

    def take(self, contestant: int) -> Shard | None:
        """A shard from the journal."""
        return self._journal.take(self._holder, contestant)

    def missing(self, shard: Shard) -> list[int]:
        """The places without an answer."""
        return self._journal.missing(*shard)

    def question(self, place: int) -> Question:
        """The item that the blind order has at this place."""
        return question_of(self._corpus.items[self.order[place]], place)

    def tool(self, contestant: int) -> Tool:
        """One of the tools."""
        return self._tools[contestant]

    def training(self) -> bytes:
        """The corpus's training items."""
        return training_lines(self._corpus.training)

    def store(self, shard: Shard, rows: Sequence[Row]) -> bool:
        """Into the journal."""
        return self._journal.store(self._holder, shard, rows)

    def store_run(self, run: Run) -> None:
        """Into the journal."""
        self._journal.store_run(*run)
