"""One running tool that is asked item after item, each within its time and its length."""

from __future__ import annotations

import contextlib
import math
import os
import select
import time
from typing import Self

import msgspec

from bayanihan.errors import Refused, plain
from bayanihan.sandbox.answer import Answer, Question, is_ready, question_line, read_answer
from bayanihan.sandbox.isolate import Isolator, Limits, Process, Stage

_READ_BYTES = 1 << 16
_STDERR_BYTES = 4 << 10
_QUOTED = 80

# Why an item has no answer.
FAULTS = ("crashed", "timeout", "too-long", "not-an-answer", "wrong-id", "scratch-full")
# How often a scratch folder is looked into that nothing bounds, in seconds.
_LOOK_S = 0.25


class NoAnswer(Exception):
    """The tool did not answer an item as the contract asks.

    Args:
        fault: one of `FAULTS`.
        told: what happened, for people.
    """

    def __init__(self, fault: str, told: str) -> None:
        super().__init__(told)
        self.fault = fault


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
        self._poll = select.poll()
        self._held = b""
        self._stderr = b""
        self._next_look_s = 0.0
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
        self._stderr = self._held = b""
        process = self._process = self._isolator.start(self._stage, self._limits)
        self.bounded = process.bounded
        self._poll = select.poll()
        self._poll.register(process.stdout, select.POLLIN)
        self._poll.register(process.stderr, select.POLLIN)
        try:
            line = self._line(time.perf_counter() + self._limits.start_s)
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

    def ask(self, question: Question) -> tuple[Answer, int]:
        """The tool's answer to one item, and the microseconds it took.

        Raises:
            NoAnswer: there is none as the contract asks; the tool was ended, and the next item
                starts it anew.
            Refused: the tool cannot be started.
        """
        if self._process is None:
            self.start()
        begun = time.perf_counter_ns()
        deadline = begun / 1e9 + self._limits.item_s
        try:
            self._write(question_line(question), deadline)
            line = self._line(deadline)
            took_us = (time.perf_counter_ns() - begun) // 1000
            if self._held:
                raise NoAnswer("not-an-answer", "it wrote more than one line")
            return self._read(line, question.id), took_us
        except NoAnswer:
            self.stop()
            raise

    def _read(self, line: bytes, wanted: str) -> Answer:
        try:
            answer = read_answer(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NoAnswer("not-an-answer", f"its line is no answer: {error}") from None
        if answer.id != wanted:
            raise NoAnswer("wrong-id", f"it answered {answer.id[:_QUOTED]!r}, not {wanted}")
        return answer

    def _write(self, data: bytes, deadline: float) -> None:
        assert self._process
        at = 0
        while True:
            try:
                at += os.write(self._process.stdin, data[at:] if at else data)
            except BlockingIOError:
                pass
            except OSError:
                raise NoAnswer("crashed", self._end()) from None
            if at == len(data):
                return
            waiting = select.poll()
            waiting.register(self._process.stdin, select.POLLOUT)
            left_ms = (deadline - time.perf_counter()) * 1000
            if left_ms <= 0 or not waiting.poll(left_ms):
                raise NoAnswer("timeout", "it does not read its input")

    def _line(self, deadline: float) -> bytes:
        """The next line of the tool, without its end; the rest is held."""
        assert self._process
        held = self._held
        look_ms = math.inf if self._isolator.bounds_scratch else _LOOK_S * 1000
        while True:
            line, ended, rest = held.partition(b"\n")
            if len(line) > self._limits.answer_bytes:
                limit = self._limits.answer_bytes
                raise NoAnswer("too-long", f"its line is longer than {limit} bytes")
            if ended:
                self._held = rest
                return line
            left_ms = (deadline - time.perf_counter()) * 1000
            ready = self._poll.poll(min(left_ms, look_ms)) if left_ms > 0 else []
            if not ready and left_ms <= look_ms:
                raise NoAnswer("timeout", "it did not answer in time")
            if look_ms < math.inf:
                self._look()
            for pipe, _ in ready:
                held = self._more(pipe, held)

    def _look(self) -> None:
        """End a tool that fills the disk, where nothing else keeps it from that."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_S
        if self._stage.scratch_over(self._limits.scratch_bytes):
            self.stop()
            self._stage.empty_scratch()
            raise NoAnswer("scratch-full", "it wrote more to its scratch folder than it may")

    def _more(self, pipe: int, held: bytes) -> bytes:
        """What a pipe has: an addition to the line, or to what is kept of its errors."""
        assert self._process
        try:
            data = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return held
        if pipe == self._process.stdout:
            if not data:
                raise NoAnswer("crashed", self._end())
            return held + data
        self._stderr = (self._stderr + data)[-_STDERR_BYTES:]
        if not data:
            self._poll.unregister(pipe)
        return held

    def _end(self) -> str:
        assert self._process
        return "it " + (self._process.ended(wait_s=1.0) or "closed its output")

    def said(self) -> str:
        """The last line that the tool wrote to its standard error, for a message."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._stderr += os.read(self._process.stderr, _READ_BYTES)
        lines = plain(self._stderr.decode(errors="replace")).strip().splitlines()
        return f"; its last words: {lines[-1][:300]}" if lines else ""

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
        self.said()
        process, self._process = self._process, None
        return process.end(grace_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(grace_s=0.2)
