"""One worker's shift: it takes shard after shard of a trial from the journal and answers them.

A trial with several workers starts this module as processes of their own; each reads the plan
from the journal, checks that tool and corpus are those of the plan, and ends when no shard is
left or its parent is gone.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bayanihan.errors import BayanihanError, Refused, as_text
from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.baselines import baselines
from bayanihan.sandbox.corpus import Corpus, Item, read_folder, training_lines
from bayanihan.sandbox.isolate import Isolator, Limits, Stage, isolator_of
from bayanihan.sandbox.journal import Journal, Row
from bayanihan.sandbox.result import FAULT
from bayanihan.sandbox.score import letter_of
from bayanihan.sandbox.tool import Tool, load_tool
from bayanihan.sandbox.worker import NoAnswer, Worker
from bayanihan.sandbox.writing import shipped

_BATCH_ITEMS = 256
_BATCH_S = 1.0
# So many faults one after another, and the trial ends: the tool does not work at all.
_MOST_FAULTS = 20

Told = Callable[[int], None]


def open_corpus(name: str) -> Corpus:
    """The corpus of a name that ships, or in a folder."""
    return read_folder(Path(name)) if "/" in name or Path(name).is_dir() else shipped(name)


def blind_order(items: int, seed: int) -> list[int]:
    """The order in which items are asked: drawn from the seed."""
    order = list(range(items))
    random.Random(f"order {seed}").shuffle(order)  # noqa: S311 (repeatable by whoever verifies)
    return order


def question_of(item: Item, number: int) -> Question:
    """The item as tools see it: its place in this trial is its only name."""
    return Question(str(number + 1), item.medium, item.text, item.sender, item.subject)


class Shift:
    """Works on a trial's shards. Every tool is staged once and started when its turn comes.

    Args:
        journal: of the trial.
        tools: the contestants, in the order of the plan.
        corpus: what is asked.
        isolator, limits: how tools are kept in.
        seed: of the blind order.
    """

    def __init__(
        self,
        journal: Journal,
        tools: list[Tool],
        corpus: Corpus,
        isolator: Isolator,
        limits: Limits,
        seed: int,
    ) -> None:
        self._journal = journal
        self._tools = tools
        self._corpus = corpus
        self._isolator = isolator
        self._limits = limits
        self._order = blind_order(len(corpus.items), seed)
        self._holder = f"{os.getpid()}-{os.urandom(4).hex()}"
        self.environment: dict[str, object] = {}

    def work(self, told: Told = lambda _: None) -> None:
        """Answer shards until none is free.

        Args:
            told: is given the number of new answers after each batch.

        Raises:
            Refused: a tool does not work at all.
        """
        training = training_lines(self._corpus.training)
        for contestant, tool in enumerate(self._tools):
            shard = self._journal.take(self._holder, contestant)
            if shard is None:
                continue
            with (
                Stage(tool, training) as stage,
                Worker(self._isolator, stage, self._limits) as worker,
            ):
                while shard is not None:
                    self._answer(worker, shard, told)
                    shard = self._journal.take(self._holder, contestant)
                self._keep(worker, contestant)

    def _keep(self, worker: Worker, contestant: int) -> None:
        peak = worker.peak()
        for cold_start_s in worker.cold_starts_s:
            self._journal.store_run(contestant, cold_start_s, peak, worker.bounded)

    def _answer(self, worker: Worker, shard: tuple[int, int, int], told: Told) -> None:
        places = iter(self._journal.missing(*shard))
        mine, failed = True, 0
        while mine and (place := next(places, None)) is not None:
            rows: list[Row] = []
            try:
                failed = self._fill(rows, worker, shard[0], chain([place], places), failed)
            finally:
                mine = self._journal.store(self._holder, shard, rows)
                told(len(rows))

    def _fill(
        self, rows: list[Row], worker: Worker, contestant: int, places: Iterator[int], failed: int
    ) -> int:
        """Answer one batch into `rows`; the faults that came in a row at its end."""
        until = time.monotonic() + _BATCH_S
        for place in islice(places, _BATCH_ITEMS):
            rows.append(self._ask(worker, contestant, place))
            failed = self._failing(worker, rows[-1], failed)
            if time.monotonic() > until:
                break
        return failed

    def _failing(self, worker: Worker, row: Row, before: int) -> int:
        """How many faults came in a row; too many end the trial."""
        if row[4] is None:
            return 0
        if before + 1 >= _MOST_FAULTS:
            raise Refused(
                "tool-failed",
                f"{self._tools[row[0]].name} failed {before + 1} times in a row, last: "
                f"{row[4]}{worker.said()}",
            )
        return before + 1

    def _ask(self, worker: Worker, contestant: int, place: int) -> Row:
        item = self._corpus.items[self._order[place]]
        try:
            answer, took_us = worker.ask(question_of(item, place))
        except NoAnswer as error:
            return contestant, place, FAULT, None, error.fault
        return contestant, place, letter_of(answer.verdict), took_us, None

    def ask_again(self, places: list[int], told: Told = lambda _: None) -> None:
        """Ask the tool some items again, each in a fresh sandbox."""
        held = self._journal.again()
        with Stage(self._tools[0], training_lines(self._corpus.training)) as stage:
            self.environment = stage.described()
            for place in places:
                if place in held:
                    continue
                with Worker(self._isolator, stage, self._limits) as worker:
                    row = self._ask(worker, 0, place)
                    self._journal.store_again(place, row[2])
                    self._keep(worker, 0)
                told(1)

    def by_corpus(self, verdicts: dict[int, str]) -> str:
        """Verdicts by place, as letters in the order of the corpus."""
        letters = [FAULT] * len(self._order)
        for place, verdict in verdicts.items():
            letters[self._order[place]] = verdict
        return "".join(letters)

    def in_corpus(self, place: int) -> int:
        """The index in the corpus of a place in this trial."""
        return self._order[place]


def contestants(tool: Tool) -> list[Tool]:
    """Who takes part: the tool, and the baselines it is compared with."""
    return [tool, *baselines()]


def digest_of_verdicts(letters: str) -> str:
    """The digest of the verdict bytes."""
    return f"sha256:{hashlib.sha256(letters.encode()).hexdigest()}"


def from_plan(journal: Journal, plan: dict[str, Any]) -> Shift:
    """The shift that a plan describes.

    Raises:
        Refused: tool or corpus have changed since the plan was made.
    """
    tools = contestants(load_tool(Path(plan["tool_path"])))
    corpus = open_corpus(plan["corpus_name"])
    if [tool.digest for tool in tools] != plan["tools"] or corpus.root != plan["corpus"]:
        raise Refused(
            "conflict",
            "Tool or corpus have changed since this trial began",
            where=str(journal.path),
            next_step="Begin anew with --fresh.",
        )
    limits = Limits(**plan["limits"])
    return Shift(journal, tools, corpus, isolator_of(plan["level"]), limits, plan["seed"])


def main(arguments: list[str]) -> int:
    """Work on the trial whose journal is named, until nothing is left of it."""
    with Journal(Path(arguments[0])) as journal:
        plan = journal.plan()
        assert plan, "whoever leads the trial wrote its plan"
        try:
            from_plan(journal, plan).work()
        except BayanihanError as error:
            sys.stderr.write(as_text(error) + "\n")
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
