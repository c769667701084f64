"""P4: what checking an object costs, alone, beside the generic library."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence

from bayanihan.core import stix
from bench.run import Run
from bench.workload import Workload

GOALS = ("P4-rate", "P4-stix2")
_OURS, _THEIRS, _REPEATS = 10_000, 300, 3


def _rate(check: Callable[[bytes], object], objects: Sequence[bytes]) -> float:
    began_s = time.perf_counter()
    for raw in objects:
        check(raw)
    return len(objects) / (time.perf_counter() - began_s)


def measure(run: Run) -> None:
    """Check and parse the same objects in turn; the medians of three.

    The collector is set as the hub's own command sets it.
    """
    import stix2

    objects = list(Workload("validation").objects(_OURS))
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    ours, theirs = [], []
    for _ in range(_REPEATS):
        ours.append(_rate(stix.check, objects))
        theirs.append(
            _rate(lambda raw: stix2.parse(raw.decode(), allow_custom=True), objects[:_THEIRS])
        )
    gc.set_threshold(*before)
    gc.unfreeze()
    run.keep("validation", {"ours": ours, "stix2": theirs})
    rate = statistics.median(ours)
    run.board.plain("P4-rate", rate)
    run.board.live("P4-stix2", "stix2.parse", statistics.median(theirs))
    run.board.peer("P4-stix2", rate, 0.0)
    run.say(f"validation alone: {rate:,.0f} objects/s")
