"""One running tool that is asked item after item, each within its time and its length."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Self

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.answer import (
    Answer,
    NoAnswer,
    Question,
    is_ready,
    question_line,
    read_answer,
)
from bayanihan.sandbox.isolate import Isolator, Limits, Process, Stage
from bayanihan.sandbox.lines import LOOK_S, Lines
from bayanihan.sandbox.pace import Pace

_QUOTED = 80
# What is on its way fits a pipe, one long item apart.
_AHEAD_BYTES = 32 << 10

# An item that was written and not answered yet: its id and its line.
_Asked = tuple[str, bytes]


class Worker:
    """A tool in isolation, started when first asked and anew after each fault.

    Use as a context manager.

    Args:
        isolator: what holds the tool in.
        stage: the tool, laid out.
        limits: what it may use.
    """

    def __init__(self, isolator: Isolator, stage: Stage, limits: Limits) -> None:
        self._isolator = isolator
        self._stage = stage
        self._limits = limits
        self._process: Process | None = None
        self._lines: Lines | None = None
        self._last_words = ""
        self._next_look_s = 0.0
        self.pace = Pace()
        self.cold_starts_s: list[float] = []
        self.peak_bytes = 0
        self.bounded: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the tool and wait until it is ready.

        Raises:
            Refused: `tool-failed` when it ends or is silent instead.
        """
        self.stop()
        begun = time.perf_counter()
        process = self._process = self._isolator.start(self._stage, self._limits)
        self.bounded = process.bounded
        watch = None if self._isolator.bounds_scratch else self._look
        self._lines = Lines(process, self._limits.answer_bytes, watch)
        try:
            line = self._lines.receive(time.perf_counter() + self._limits.start_s)
            if not is_ready(line):
                shown = line[:_QUOTED].decode(errors="replace")
                raise NoAnswer("not-an-answer", f'it wrote {shown!r} in place of {{"ready":1}}')
        except NoAnswer as error:
            self.stop()
            raise Refused(
                "tool-failed",
                f"The tool {self._stage.manifest.id} did not start: {error}{self.said()}",
            ) from None
        self.cold_starts_s.append(time.perf_counter() - begun)

    def _running(self) -> Lines:
        if self._lines is None:
            self.start()
        assert self._lines, "it was started"
        return self._lines

    def ask(self, question: Question) -> tuple[Answer, int]:
        """The tool's answer to one item, and the microseconds it took.

        Raises:
            NoAnswer: there is none as the contract asks; the tool was ended, and the next item
                starts it anew.
            Refused: the tool cannot be started.
        """
        lines = self._running()
        begun = time.perf_counter()
        try:
            lines.send(question_line(question))
            line = lines.receive(begun + self._limits.item_s)
            took_s = time.perf_counter() - begun
            answer = _read(line, question.id)
            _check_silent(lines)
        except NoAnswer:
            self.pace.failed()
            self.stop()
            raise
        self.pace.answered_alone(took_s)
        return answer, int(took_s * 1e6)

    def ask_ahead(
        self, questions: Iterable[Question], most: int
    ) -> Generator[Answer | NoAnswer, None, None]:
        """The answers to many items, in their order; none of them is timed.

        Items are written before earlier ones are answered. The time of an item begins when its
        turn comes: when the one before it was answered. After a fault the tool is ended, and what
        was on its way behind the faulty item is asked again, of the tool started anew.

        Args:
            questions: read as far ahead as items are written.
            most: how many may be on their way.

        Raises:
            Refused: the tool cannot be started.
        """
        coming = iter(questions)
        asked: deque[_Asked] = deque()
        try:
            while True:
                try:
                    yield from self._answers(coming, asked, most)
                    return
                except NoAnswer as error:
                    self.pace.failed()
                    self.stop()
                    asked.popleft()
                    yield error
        finally:
            if asked:
                # Whoever reads no further leaves answers behind that fit no other question.
                self.stop()

    def _answers(
        self, coming: Iterator[Question], asked: deque[_Asked], most: int
    ) -> Iterator[Answer]:
        """Answers until the first fault; `asked` holds what is on its way."""
        if asked:
            self._running().send(b"".join(line for _, line in asked))
        while True:
            if len(asked) <= most // 2:
                self._write_ahead(coming, asked, most)
            if not asked:
                return
            lines, begun = self._running(), time.perf_counter()
            answer = _read(lines.receive(begun + self._limits.item_s), asked[0][0])
            if len(asked) == 1:
                _check_silent(lines)
            asked.popleft()
            self.pace.answered(time.perf_counter() - begun)
            yield answer

    def _write_ahead(self, coming: Iterator[Question], asked: deque[_Asked], most: int) -> None:
        size, new = sum(len(line) for _, line in asked), list[bytes]()
        for question in islice(coming, most - len(asked)):
            new.append(question_line(question))
            asked.append((question.id, new[-1]))
            size += len(new[-1])
            if size >= _AHEAD_BYTES:
                break
        if new:
            self._running().send(b"".join(new))

    def _look(self) -> None:
        """End a tool that fills the disk, where nothing else keeps it from that."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + LOOK_S
        if self._stage.scratch_over(self._limits.scratch_bytes):
            self.stop()
            self._stage.empty_scratch()
            raise NoAnswer("scratch-full", "it wrote more to its scratch folder than it may")

    def said(self) -> str:
        """The last line that the tool wrote to its standard error, for a message."""
        return self._lines.last_words() if self._lines else self._last_words

    @property
    def pid(self) -> int:
        """The first process of the running tool."""
        assert self._process, "it runs"
        return self._process.pid

    def peak(self) -> int:
        """The most memory that the tool has used, in bytes."""
        if self._process is not None:
            self.peak_bytes = max(self.peak_bytes, self._process.peak_bytes())
        return self.peak_bytes

    def stop(self, grace_s: float = 0.0) -> str:
        """End the tool; how it ended, "" when it was not running."""
        if self._process is None:
            return ""
        self.peak()
        self._last_words = self.said()
        process, self._process, self._lines = self._process, None, None
        return process.end(grace_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(grace_s=0.2)


def _read(line: bytes, wanted: str) -> Answer:
    """The answer on a line, to the item that is wanted."""
    try:
        answer = read_answer(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoAnswer("not-an-answer", f"its line is no answer: {error}") from None
    if answer.id != wanted:
        raise NoAnswer("wrong-id", f"it answered {answer.id[:_QUOTED]!r}, not {wanted}")
    return answer


def _check_silent(lines: Lines) -> None:
    """Refuse what a tool wrote that nobody asked for."""
    if lines.holds_more:
        raise NoAnswer("not-an-answer", "it wrote more than one line")
