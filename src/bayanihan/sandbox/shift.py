"""One worker's shift: it takes shard after shard of a trial from a desk and answers them.

A trial with several workers starts this module as processes of their own; each reads the plan
from the journal, checks that tool and corpus are those of the plan, and ends when no shard is
left or its parent is gone.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bayanihan.errors import BayanihanError, Refused, as_text
from bayanihan.sandbox.answer import Answer, NoAnswer, Question
from bayanihan.sandbox.baselines import baselines
from bayanihan.sandbox.corpus import Corpus, read_folder
from bayanihan.sandbox.desk import Desk, LocalDesk
from bayanihan.sandbox.isolate import Isolator, Limits, Stage, isolator_of
from bayanihan.sandbox.journal import Journal, Row, Shard, full_disk_told
from bayanihan.sandbox.remote.retired import as_asked
from bayanihan.sandbox.result import FAULT
from bayanihan.sandbox.score import letter_of
from bayanihan.sandbox.tool import Tool, load_tool
from bayanihan.sandbox.worker import Worker
from bayanihan.sandbox.writing import shipped

# Answers become durable in batches of so many items or so many seconds.
BATCH_ITEMS = 256
BATCH_S = 1.0
# So many faults one after another, and the trial ends: the tool does not work at all.
_MOST_FAULTS = 20

Told = Callable[[int], None]
# What a tool comes to on an item: verdict letter, microseconds where it was timed, fault.
Outcome = tuple[str, int | None, str | None]


def open_corpus(name: str, root: str = "") -> Corpus:
    """The corpus of a name that ships, or in a folder, without what was retired.

    Args:
        name: of either.
        root: the corpus as it was when it had this root; "" for what is left now.
    """
    folder = Path(name)
    if "/" not in name and not folder.is_dir():
        return shipped(name)
    return as_asked(read_folder(folder), folder, root)


def asked(worker: Worker, question: Question) -> Outcome:
    """What a tool comes to on one item that it is asked alone."""
    try:
        answer, took_us = worker.ask(question)
    except NoAnswer as error:
        return _outcome(error, None)
    return _outcome(answer, took_us)


def _outcome(answer: Answer | NoAnswer, took_us: int | None) -> Outcome:
    if isinstance(answer, NoAnswer):
        return FAULT, None, answer.fault
    return letter_of(answer.verdict), took_us, None


def _within(places: Iterator[int], limit_s: float) -> Iterator[int]:
    """Places until the time is up; the first one in any case."""
    until = time.monotonic() + limit_s
    for place in places:
        yield place
        if time.monotonic() > until:
            return


class Shift:
    """Works on a trial's shards. Every tool is staged once and started when its turn comes.

    Args:
        desk: where shards come from and answers go to.
        isolator, limits: how tools are kept in.
    """

    def __init__(self, desk: Desk, isolator: Isolator, limits: Limits) -> None:
        self._desk = desk
        self._isolator = isolator
        self._limits = limits

    def work(self, told: Told = lambda _: None) -> None:
        """Answer shards until none is free.

        Args:
            told: is given the number of new answers after each batch.

        Raises:
            Refused: a tool does not work at all.
        """
        desk = self._desk
        for contestant in range(desk.contestants):
            shard = desk.take(contestant)
            if shard is None:
                continue
            with (
                Stage(desk.tool(contestant), desk.training()) as stage,
                Worker(self._isolator, stage, self._limits) as worker,
            ):
                while shard is not None:
                    self._answer(worker, shard, told)
                    shard = desk.take(contestant)
                for cold_start_s in worker.cold_starts_s:
                    desk.store_run((contestant, cold_start_s, worker.peak(), worker.bounded))

    def _answer(self, worker: Worker, shard: Shard, told: Told) -> None:
        places = iter(self._desk.missing(shard))
        mine, failed = True, 0
        while mine and (place := next(places, None)) is not None:
            rows: list[Row] = []
            try:
                failed = self._fill(rows, worker, shard[0], chain([place], places), failed)
            finally:
                mine = self._desk.store(shard, rows)
                told(len(rows))

    def _fill(
        self, rows: list[Row], worker: Worker, contestant: int, places: Iterator[int], failed: int
    ) -> int:
        """Answer one batch into `rows`; the faults that came in a row at its end."""
        batch = _within(islice(places, BATCH_ITEMS), BATCH_S)
        for place, found in self._found(worker, batch):
            rows.append((contestant, place, *found))
            failed = self._failing(worker, rows[-1], failed)
        return failed

    def _found(self, worker: Worker, places: Iterator[int]) -> Iterator[tuple[int, Outcome]]:
        """What a tool comes to on a batch: items one by one and timed, then others at its pace."""
        for place in islice(places, worker.pace.alone(BATCH_ITEMS)):
            yield place, asked(worker, self._desk.question(place))
        waiting: deque[int] = deque()

        def questions() -> Iterator[Question]:
            for place in places:
                waiting.append(place)
                yield self._desk.question(place)

        for answer in worker.ask_ahead(questions(), worker.pace.ahead):
            yield waiting.popleft(), _outcome(answer, None)

    def _failing(self, worker: Worker, row: Row, before: int) -> int:
        """How many faults came in a row; too many end the trial."""
        if row[4] is None:
            return 0
        if before + 1 >= _MOST_FAULTS:
            raise Refused(
                "tool-failed",
                f"{self._desk.tool(row[0]).name} failed {before + 1} times in a row, last: "
                f"{row[4]}{worker.said()}",
            )
        return before + 1


def contestants(tool: Tool) -> list[Tool]:
    """Who takes part: the tool, and the baselines it is compared with."""
    return [tool, *baselines()]


def digest_of_verdicts(letters: str) -> str:
    """The digest of the verdict bytes."""
    return f"sha256:{hashlib.sha256(letters.encode()).hexdigest()}"


def new_holder() -> str:
    """A name for one that works on a journal, among all that do."""
    return f"{os.getpid()}-{os.urandom(4).hex()}"


def from_plan(journal: Journal, plan: dict[str, Any]) -> Shift:
    """The shift that a plan describes.

    Raises:
        Refused: tool or corpus have changed since the plan was made.
    """
    tools = contestants(load_tool(Path(plan["tool_path"])))
    corpus = open_corpus(plan["corpus_name"], plan["corpus"])
    if [tool.digest for tool in tools] != plan["tools"] or corpus.root != plan["corpus"]:
        raise Refused(
            "conflict",
            "Tool or corpus have changed since this trial began",
            where=str(journal.path),
            next_step="Begin anew with --fresh.",
        )
    desk = LocalDesk(journal, new_holder(), tools, corpus, plan["seed"])
    return Shift(desk, isolator_of(plan["level"]), Limits(**plan["limits"]))


def main(arguments: list[str]) -> int:
    """Work on the trial whose journal is named, until nothing is left of it."""
    path = Path(arguments[0])
    try:
        with full_disk_told(path), Journal(path) as journal:
            plan = journal.plan()
            assert plan, "whoever leads the trial wrote its plan"
            from_plan(journal, plan).work()
    except BayanihanError as error:
        sys.stderr.write(as_text(error) + "\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
