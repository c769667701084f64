"""What every isolator promises: the seam for bubblewrap, Landlock, none, and a micro-VM to come.

An isolator takes a stage and gives a running process with three pipes. It says its level, and
why it cannot be used here where it cannot. It never falls back to something weaker: who picks
one does that, aloud. The suite in `tests/contract/test_isolators.py` holds each to this.

A driver for a micro-VM would start a machine whose disk is the stage, put the three pipes over
its serial lines or vsock, and bound memory, time and processes from outside; nothing else in
this room would change.
"""

from __future__ import annotations

from typing import Protocol

from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.isolate.process import Process
from bayanihan.sandbox.isolate.staging import Stage


class Isolator(Protocol):
    """One way of keeping a tool in.

    Attributes:
        level: L2, L1 or L0; what a result and an attestation say.
        name: for people.
        bounds_scratch: whether all that is written there is bounded; else the harness looks.
    """

    level: str
    name: str
    bounds_scratch: bool

    def missing(self) -> str:
        """Why this cannot be used on this machine, in a sentence; "" where it can."""
        ...

    def start(self, stage: Stage, limits: Limits) -> Process:
        """Start the staged tool. Raises `Refused` when it cannot be started."""
        ...

    def described(self) -> dict[str, object]:
        """What holds the tool in, with versions and digests, for the result."""
        ...
