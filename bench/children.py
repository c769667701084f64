"""The processes that make the load, seen from the one that conducts the run."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Self

import msgspec

from bench.load import BEGUN, Answer
from bench.load import Order as LoadOrder
from bench.server import environment
from bench.subscribers import Order as CrowdOrder

_TOLD_CHARACTERS = 1_500


class ChildFailed(Exception):
    """A child process ended with an error; its last words are the message."""


class Load:
    """One order under way in a load process.

    Args:
        order: the fields of `bench.load.Order`.
    """

    def __init__(self, **order: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self._order = msgspec.json.encode(LoadOrder(**order))
        assert self._process.stdin is not None
        self._process.stdin.write(self._order)
        self._process.stdin.close()
        self._process.stdin = None

    def begun(self) -> None:
        """Wait until an ingest sends its first request."""
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def answer(self) -> Answer:
        """Wait for it. Raises `ChildFailed`."""
        out, told = self._process.communicate()
        out = out.removeprefix(BEGUN)
        if self._process.returncode:
            raise ChildFailed(told.decode(errors="replace")[-_TOLD_CHARACTERS:])
        return msgspec.json.decode(out, type=dict[str, Any])


def load(**order: Any) -> Answer:
    """Carry out one order in a load process. Raises `ChildFailed`."""
    return Load(**order).answer()


class Crowd:
    """A process of subscribers; use as a context manager.

    Args:
        module: who they are: `bench.subscribers`, or `bench.pollers`.
        order: the fields that every order of it shares: `url`, `key`, `read_key`, `path`, `seed`.
    """

    def __init__(self, module: str = "bench.subscribers", **order: Any) -> None:
        self._shared = order
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def order(self, do: str, **fields: Any) -> None:
        """Give an order; its answer is fetched by `answer`."""
        order = CrowdOrder(do, **self._shared, **fields)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def answer(self) -> Answer:
        """The answer to the oldest order that has none. Raises `ChildFailed`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        return msgspec.json.decode(line, type=dict[str, Any])

    def do(self, do: str, **fields: Any) -> Answer:
        """Give an order and wait for its answer."""
        self.order(do, **fields)
        return self.answer()

    def _fail(self) -> None:
        assert self._process.stderr is not None
        told = self._process.stderr.read().decode(errors="replace")
        raise ChildFailed(told[-_TOLD_CHARACTERS:] or "the subscribers ended")
