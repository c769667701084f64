"""What goes to a running tool and comes from it: lines, each within its time and its length."""

from __future__ import annotations

import contextlib
import math
import os
import select
import time
from collections.abc import Callable

from bayanihan.errors import plain
from bayanihan.sandbox.answer import NoAnswer
from bayanihan.sandbox.isolate import Process

_READ_BYTES = 1 << 16
_STDERR_BYTES = 4 << 10
# How often the watch is asked while a line is waited for, in seconds.
LOOK_S = 0.25
# A tool that has closed its input may still say what it had ready, for so long.
_DEAF_S = 1.0


class Lines:
    """The three pipes of one running tool.

    Nothing blocks: what the tool does not read yet is kept and written while its answers are
    read, so neither can wait for the other.

    Args:
        process: the tool.
        answer_bytes: the longest line that it may write.
        watch: asked every `LOOK_S` while a line is waited for; raises `NoAnswer` to end it.
    """

    def __init__(
        self, process: Process, answer_bytes: int, watch: Callable[[], None] | None = None
    ) -> None:
        self._process = process
        self._answer_bytes = answer_bytes
        self._watch = watch
        self._unsent = b""
        self._held = b""
        self._errors = b""
        self._deaf = False
        self._poll = select.poll()
        for pipe in (process.stdout, process.stderr):
            self._poll.register(pipe, select.POLLIN)

    def send(self, data: bytes) -> None:
        """Write to the tool what it takes now; the rest while answers are read."""
        if self._unsent:
            self._unsent += data
            return
        self._unsent = data
        self._flush()
        if self._unsent:
            self._poll.register(self._process.stdin, select.POLLOUT)

    def _flush(self) -> None:
        try:
            written = os.write(self._process.stdin, self._unsent)
        except BlockingIOError:
            return
        except OSError:
            # Nobody reads any more. What was answered before is still to be read.
            written, self._deaf = len(self._unsent), True
        self._unsent = self._unsent[written:]

    @property
    def holds_more(self) -> bool:
        """Whether more has been read than the lines that were taken."""
        return bool(self._held)

    def receive(self, deadline_s: float) -> bytes:
        """The next line, without its end.

        Args:
            deadline_s: by `time.perf_counter`.

        Raises:
            NoAnswer: the tool ended, was silent, or wrote too much in one line.
        """
        if self._deaf:
            deadline_s = min(deadline_s, time.perf_counter() + _DEAF_S)
        look_s = LOOK_S if self._watch else math.inf
        while True:
            line, ended, rest = self._held.partition(b"\n")
            if len(line) > self._answer_bytes:
                limit = self._answer_bytes
                raise NoAnswer("too-long", f"its line is longer than {limit} bytes")
            if ended:
                self._held = rest
                return line
            left_s = deadline_s - time.perf_counter()
            ready = self._poll.poll(min(left_s, look_s) * 1000) if left_s > 0 else []
            if not ready and left_s <= look_s:
                raise self._silent()
            if self._watch:
                self._watch()
            for pipe, _ in ready:
                self._serve(pipe)

    def _silent(self) -> NoAnswer:
        if self._deaf:
            return NoAnswer("crashed", self._end())
        told = "it does not read its input" if self._unsent else "it did not answer in time"
        return NoAnswer("timeout", told)

    def _serve(self, pipe: int) -> None:
        """Do what a pipe is ready for."""
        if pipe == self._process.stdin:
            self._flush()
            if not self._unsent:
                self._poll.unregister(pipe)
            return
        try:
            data = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return
        if pipe == self._process.stdout:
            if not data:
                raise NoAnswer("crashed", self._end())
            self._held += data
            return
        self._errors = (self._errors + data)[-_STDERR_BYTES:]
        if not data:
            self._poll.unregister(pipe)

    def _end(self) -> str:
        return "it " + (self._process.ended(wait_s=1.0) or "closed its pipes")

    def last_words(self) -> str:
        """The last line that the tool wrote to its standard error, for a message."""
        with contextlib.suppress(OSError):
            self._errors += os.read(self._process.stderr, _READ_BYTES)
        lines = plain(self._errors.decode(errors="replace")).strip().splitlines()
        return f"; its last words: {lines[-1][:300]}" if lines else ""
