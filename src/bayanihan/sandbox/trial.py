"""A trial: plan, answers, scores. It can be cancelled at any time and goes on where it stopped."""

from __future__ import annotations

import ctypes
import datetime as dt
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from bayanihan import __version__
from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Corpus
from bayanihan.sandbox.desk import LocalDesk
from bayanihan.sandbox.gate import Rule
from bayanihan.sandbox.isolate import Isolator, Limits, Stage
from bayanihan.sandbox.journal import Journal
from bayanihan.sandbox.remote.proxy import host_of
from bayanihan.sandbox.result import (
    FAULT,
    FORMAT,
    Difference,
    Laboratory,
    Result,
    Rival,
    Subject,
    weakest,
)
from bayanihan.sandbox.score import (
    asked_of,
    claims_of,
    differences_of,
    gates_of,
    honesty_of,
    performance_of,
    scores_of,
    slices_of,
)
from bayanihan.sandbox.shift import (
    Shift,
    Told,
    asked,
    contestants,
    digest_of_verdicts,
    new_holder,
)
from bayanihan.sandbox.tool import Tool
from bayanihan.sandbox.worker import Worker

# Items asked again in fresh sandboxes: 1 %, at least and at most so many.
AGAIN_SHARE, AGAIN_LEAST, AGAIN_MOST = 0.01, 5, 200

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        tool: the tool, and where it was read from.
        tool_path: that place.
        corpus: what is asked.
        corpus_name: its name or folder.
        isolator: what keeps tools in; who picks it says so.
        passed_over: stronger levels that this machine lacks, with the reason.
        limits: of each worker.
        rules: gates to judge.
        seed: of order and sample; None draws one.
        workers: processes that answer at once.
        previous: an earlier result on the same corpus, to compare with.
    """

    tool: Tool
    tool_path: Path
    corpus: Corpus
    corpus_name: str
    isolator: Isolator
    passed_over: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    rules: Sequence[Rule] = ()
    seed: int | None = None
    workers: int = 1
    previous: Result | None = None


def sample(items: int, seed: int) -> list[int]:
    """The places that are asked again: drawn from the seed."""
    number = min(items, AGAIN_MOST, max(AGAIN_LEAST, round(items * AGAIN_SHARE)))
    return sorted(random.Random(f"again {seed}").sample(range(items), number))  # noqa: S311


class Trial:
    """A trial with its journal. Use as a context manager.

    Args:
        order: what is asked for.
        journal: the file that keeps what was answered.
        fresh: throw away what an earlier trial left there.

    Raises:
        Refused: the journal belongs to another trial, or to one that is running.
    """

    def __init__(self, order: Order, journal: Path, *, fresh: bool = False) -> None:
        self._order = order
        self._tools = contestants(order.tool)
        self._items = len(order.corpus.items)
        self._journal = Journal(journal)
        try:
            self._journal.lock()
            if fresh and self._journal.plan():
                self._journal.remove()
                self._journal = Journal(journal)
                self._journal.lock()
            self._plan = self._resumed() or self._begun()
        except BaseException:
            self._journal.close()
            raise
        self._desk = LocalDesk(
            self._journal, new_holder(), self._tools, order.corpus, self._plan["seed"]
        )
        self._shift = Shift(self._desk, order.isolator, order.limits)
        self._environment: dict[str, object] = {}

    def _fixed(self) -> dict[str, Any]:
        """What must be the same for a trial to go on."""
        order = self._order
        return {
            "format": FORMAT,
            "tools": [tool.digest for tool in self._tools],
            "corpus": order.corpus.root,
            "level": order.isolator.level,
            "limits": msgspec.to_builtins(order.limits),
        }

    def _resumed(self) -> dict[str, Any] | None:
        plan = self._journal.plan()
        if plan is None:
            return None
        fixed = self._fixed()
        changed = [name for name, value in fixed.items() if plan.get(name) != value]
        if self._order.seed not in (None, plan["seed"]):
            changed.append("seed")
        if changed:
            raise Refused(
                "conflict",
                f"Another trial was begun here, with another {', '.join(changed)}",
                where=str(self._journal.path),
                next_step="Finish it, name another --out, or throw it away with --fresh.",
            )
        return plan

    def _begun(self) -> dict[str, Any]:
        order = self._order
        plan = {
            **self._fixed(),
            "seed": secrets.randbits(48) if order.seed is None else order.seed,
            "started": _now(),
            "tool_path": str(order.tool_path.resolve()),
            "corpus_name": order.corpus_name,
        }
        self._journal.begin(plan, len(self._tools), self._items)
        return plan

    @property
    def seed(self) -> int:
        """Of order and sample."""
        return int(self._plan["seed"])

    @property
    def desk(self) -> LocalDesk:
        """Its questions and tools."""
        return self._desk

    @property
    def journal(self) -> Journal:
        """What was answered."""
        return self._journal

    @property
    def answered(self) -> int:
        """How many answers the journal holds."""
        return self._journal.done()

    def run(self, progress: Progress = lambda done, total: None) -> Result:
        """Answer what is not answered yet, and score.

        Args:
            progress: is given answers so far and answers in all.

        Raises:
            Refused: the tool does not work at all.
            KeyboardInterrupt: cancelled; the journal keeps what was answered.
        """
        places = sample(self._items, self._plan["seed"])
        total = self._items * len(self._tools) + len(places)
        count = self.answered + len(self._journal.again())
        progress(count, total)
        alone = self._order.workers == 1

        def told(number: int) -> None:
            nonlocal count
            count = count + number if alone else self.answered
            progress(min(count, total), total)

        with ExitStack() as stack:
            for _ in range(self._order.workers - 1):
                stack.enter_context(_Colleague(self._journal.path))
            self._shift.work(told)
        # What a colleague that ended early left behind is done here.
        self._journal.free()
        self._shift.work(told)
        self.ask_again(places, told)
        progress(total, total)
        return self.scored()

    def ask_again(self, places: Sequence[int], told: Told = lambda _: None) -> None:
        """Ask the tool some items again, each in a fresh sandbox."""
        held = self._journal.again()
        with Stage(self._tools[0], self._desk.training()) as stage:
            self._environment = stage.described()
            for place in (each for each in places if each not in held):
                self._ask_fresh(stage, place)
                told(1)

    def _ask_fresh(self, stage: Stage, place: int) -> None:
        with Worker(self._order.isolator, stage, self._order.limits) as worker:
            verdict, _, _ = asked(worker, self._desk.question(place))
            self._journal.store_again(place, verdict)
            for cold_start_s in worker.cold_starts_s:
                self._journal.store_run(0, cold_start_s, worker.peak(), worker.bounded)

    def _by_corpus(self, contestant: int) -> str:
        """A contestant's verdicts, as letters in the order of the corpus."""
        letters = [FAULT] * self._items
        for place, verdict in self._journal.verdicts(contestant).items():
            letters[self._desk.order[place]] = verdict
        return "".join(letters)

    def scored(self, laboratories: Sequence[Laboratory] = ()) -> Result:
        """The result of what the journal holds.

        Args:
            laboratories: what others answered, when it was not all answered here.
        """
        order, journal, seed = self._order, self._journal, self.seed
        corpus = order.corpus
        verdicts = self._by_corpus(0)
        again = {self._desk.order[place]: v for place, v in journal.again().items()}
        manifest = order.tool.manifest
        declared = msgspec.to_builtins(manifest.accuracy) if manifest.accuracy else None
        scores = scores_of(corpus, verdicts, seed)
        honesty = honesty_of(corpus, verdicts, again, laboratories)
        return Result(
            FORMAT,
            f"bayanihan {__version__}",
            self._plan["started"],
            _now(),
            seed,
            Subject(
                manifest.id,
                manifest.version,
                manifest.vendor,
                f"sha256:{order.tool.digest}",
                list(manifest.vectors),
                list(manifest.languages),
                declared,
            ),
            asked_of(corpus),
            {
                **order.isolator.described(),
                "level": weakest([order.isolator.level, *(lab.level for lab in laboratories)]),
                "bounded_together": self._journal.bounded(),
                "passed_over": list(order.passed_over),
            },
            self._environment,
            order.limits,
            scores,
            slices_of(corpus, verdicts, seed),
            gates_of(corpus, verdicts, order.rules, seed),
            self._rivals(verdicts),
            performance_of(journal.latencies(0), *journal.run_cost(0)),
            msgspec.structs.replace(honesty, told=[*honesty.told, *claims_of(declared, scores)]),
            journal.faults(0),
            not_tested(order, laboratories),
            verdicts,
            digest_of_verdicts(verdicts),
            list(laboratories),
        )

    def _rivals(self, verdicts: str) -> list[Rival]:
        corpus, seed = self._order.corpus, self._plan["seed"]
        found = []
        for number, tool in enumerate(self._tools[1:], 1):
            theirs = self._by_corpus(number)
            found.append(
                Rival(
                    tool.name,
                    f"sha256:{tool.digest}",
                    "baseline",
                    scores_of(corpus, theirs, seed),
                    differences_of(corpus, verdicts, theirs),
                )
            )
        previous = self._order.previous
        if previous is not None:
            name = f"{previous.tool.id}@{previous.tool.version}"
            between: list[Difference] = differences_of(corpus, verdicts, previous.verdicts)
            found.append(Rival(name, previous.tool.digest, "previous", previous.scores, between))
        return found

    def finish(self) -> None:
        """Take the journal away: the result is written."""
        self._journal.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()


class _Colleague(AbstractContextManager[None]):
    """Another process that works on the same journal; it ends with us."""

    def __init__(self, journal: Path) -> None:
        def with_us() -> None:
            ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)

        self._process = subprocess.Popen(
            [sys.executable, "-m", "bayanihan.sandbox.shift", str(journal)],
            preexec_fn=with_us,  # noqa: PLW1509 (nothing else can tie it to us)
        )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait()


def not_tested(order: Order, laboratories: Sequence[Laboratory] = ()) -> list[str]:
    """What this trial says nothing about, in sentences."""
    corpus, manifest = order.corpus, order.tool.manifest
    found = []
    for what, claimed, there in (
        ("The language", manifest.languages, {item.language for item in corpus.items}),
        ("The vector", manifest.vectors, {i.vector for i in corpus.items if i.label == "attack"}),
    ):
        found += [
            f"{what} {each} is claimed by the tool and not in the corpus."
            for each in claimed
            if each not in there
        ]
    if not corpus.card.sealed:
        found.append("Whether the tool has seen these items before: the corpus is public.")
    found += [limit if limit.endswith(".") else f"{limit}." for limit in corpus.card.limits]
    if manifest.remote is not None:
        found.append(
            "Which version answered: the tool runs at its vendor's, who may change it any day. "
            f"The items were disclosed to {host_of(manifest.remote.url)}."
        )
    if laboratories:
        found.append(
            "Whether each laboratory isolates as it says: nobody can see that from outside. Only "
            "the items that were asked again here bear it out."
        )
    found.append("Side channels, attacks on the kernel, and tools that need a GPU or a network.")
    return found


def check_previous(previous: Result, corpus: Corpus) -> Result:
    """The earlier result, if it can be compared. Raises `Refused("conflict")`."""
    if previous.corpus.root != f"sha256:{corpus.root}":
        raise Refused(
            "conflict",
            "The earlier result is about another corpus: only the same items can be compared",
            where=previous.corpus.name,
        )
    return previous


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def workers_allowed(asked: int) -> int:
    """The number of workers, at least one. Raises `Refused("wrong-use")`."""
    most = 4 * (os.cpu_count() or 1)
    if not 1 <= asked <= most:
        raise Refused("wrong-use", f"--workers takes 1 to {most} on this machine")
    return asked
