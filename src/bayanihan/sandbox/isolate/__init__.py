"""Isolation of tools under test, in levels that results and attestations name."""

from __future__ import annotations

from bayanihan.errors import Refused
from bayanihan.sandbox.isolate.bubblewrap import Bubblewrap
from bayanihan.sandbox.isolate.isolator import Isolator
from bayanihan.sandbox.isolate.landlock import Landlock
from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.isolate.process import Process, unprivileged_uid
from bayanihan.sandbox.isolate.staging import Stage
from bayanihan.sandbox.isolate.unconfined import Unconfined

__all__ = [
    "LEVELS",
    "Bubblewrap",
    "Isolator",
    "Landlock",
    "Limits",
    "Process",
    "Stage",
    "Unconfined",
    "isolator_of",
    "strongest",
    "unprivileged_uid",
]

# Strongest first.
LEVELS: dict[str, type[Bubblewrap | Landlock | Unconfined]] = {
    "L2": Bubblewrap,
    "L1": Landlock,
    "L0": Unconfined,
}


def isolator_of(level: str) -> Isolator:
    """The isolator of a level, and of no other.

    Raises:
        Refused: there is no such level, or it cannot be had on this machine.
    """
    if level not in LEVELS:
        raise Refused("wrong-use", f"{level} is no level of isolation: {', '.join(LEVELS)}")
    found = LEVELS[level]()
    if why := found.missing():
        raise Refused(
            "no-isolation",
            f"Isolation {level} cannot be had here: {why}",
            next_step="Install bubblewrap, or ask for a weaker level by name: --isolation L1.",
        )
    return found


def strongest() -> tuple[Isolator, list[str]]:
    """The strongest isolation that this machine has, and why the stronger ones are missing.

    L0 is never chosen: it must be asked for.

    Raises:
        Refused: there is neither L2 nor L1 here.
    """
    passed_over: list[str] = []
    for level in ("L2", "L1"):
        found = LEVELS[level]()
        why = found.missing()
        if not why:
            return found, passed_over
        passed_over.append(f"{level}: {why}")
    raise Refused(
        "no-isolation",
        f"Nothing here can isolate a tool ({'; '.join(passed_over)})",
        next_step="Install bubblewrap, or run with --isolation L0 for development only.",
    )
