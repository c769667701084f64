"""Running the defender's own commands: CHECK, RELOAD and PROBE.

No shell stands between: the command is split into words once, and `{}` in a word is
replaced by the file or the name, so nothing in a feed can become a command.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping

import msgspec

from bayanihan.errors import Refused

TIMEOUT_S = 60.0
OUTPUT_LIMIT_BYTES = 64 * 1024
_DETAIL_LIMIT = 300
_LISTEN_S = 0.02

# The API key is for the hub alone.
_KEPT_BACK = ("BAYANIHAN_KEY",)


class Ran(msgspec.Struct, frozen=True):
    """How a command ended: its exit code (None when it was ended) and its last output."""

    code: int | None
    output: str

    @property
    def good(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0

    def told(self) -> str:
        """The end in words: the exit code and the last line that says something."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        end = f"exit {self.code}" if self.code is not None else "it took too long"
        return f"{end}: {lines[-1][:_DETAIL_LIMIT]}" if lines else end


class Command(msgspec.Struct, frozen=True):
    """A command line, split into words."""

    words: tuple[str, ...]

    def run(self, what: str, variables: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Ran:
        """Run it and wait for its end.

        Args:
            what: replaces `{}` in every word.
            variables: added to the environment.
            timeout_s: after this the command and what it started are killed.
        """
        environment = {k: v for k, v in os.environ.items() if k not in _KEPT_BACK}
        try:
            process = subprocess.Popen(
                [word.replace("{}", what) for word in self.words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**environment, **variables},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Ran(127, str(error))
        try:
            output = _listen(process, time.monotonic() + timeout_s)
            return Ran(process.poll(), output.decode(errors="replace"))
        finally:
            _end(process)


def command(line: str, name: str) -> Command:
    """Read a command line.

    Args:
        line: as a person wrote it.
        name: the option it came with, for the message.

    Raises:
        Refused: `wrong-use` when it is empty, unbalanced, or not found on this machine.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Refused("wrong-use", f"The command cannot be read: {error}", where=name) from None
    if not words:
        raise Refused("wrong-use", "The command is empty", where=name)
    if shutil.which(words[0]) is None:
        message = f"There is no command {words[0]!r} on this machine"
        raise Refused("wrong-use", message, where=name)
    return Command(tuple(words))


def _listen(process: subprocess.Popen[bytes], deadline_s: float) -> bytes:
    """The end of what a command prints, until it ends or the deadline passes.

    What it leaves running in the background may hold the pipe open, so the command's own
    end counts and not that of the pipe.
    """
    pipe = process.stdout
    assert pipe is not None
    os.set_blocking(pipe.fileno(), False)
    tail = b""
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            # Asked before the last reading, so that nothing printed before the end is lost.
            ended = process.poll() is not None
            chunk = _read(pipe.fileno())
            tail = (tail + (chunk or b""))[-OUTPUT_LIMIT_BYTES:]
            if ended or time.monotonic() >= deadline_s:
                return tail
            if chunk == b"":
                _await(process, deadline_s)
            else:
                ready.select(_LISTEN_S)


def _await(process: subprocess.Popen[bytes], deadline_s: float) -> None:
    """Wait for a command that closed its output."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline_s - time.monotonic()))


def _read(descriptor: int) -> bytes | None:
    """What is there to be read; b"" at the end, None when nothing is there yet."""
    try:
        return os.read(descriptor, OUTPUT_LIMIT_BYTES)
    except BlockingIOError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind of a command that did not end by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
