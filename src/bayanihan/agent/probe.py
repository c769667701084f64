"""Asking the running engine whether it blocks what it was given.

PROBE is run with a name and ends with 0 when the engine blocks it, 1 when it does not.
Three names are asked: the canary, a value that is new in this version, and a control that
no version has. A PROBE that also calls the control blocked proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from bayanihan.agent.engine import Ran
from bayanihan.agent.names import Subject

Kind = Literal["canary", "item", "control"]
Ask = Callable[[Kind, str], Ran]

# An engine may take a moment between its answer to RELOAD and the new file being in force.
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.0, 2.0, 3.0, 5.0)


class Verdict(msgspec.Struct, frozen=True):
    """Whether the engine was proven to block, and why not where it was not."""

    proven: bool
    detail: str = ""


def judge(subject: Subject, control: str, ask: Ask) -> Verdict:
    """Ask once about each name; the first answer that proves nothing ends it."""
    if subject.covers_control:
        return Verdict(False, f"The control {control} is blocked by the feed: choose another")
    if not subject.canary and not subject.item:
        return Verdict(False, "The feed names nothing that could be asked for")
    if subject.canary:
        ran = ask("canary", subject.canary)
        if not ran.good:
            return Verdict(False, f"The canary {subject.canary} is not in force: {ran.told()}")
        if subject.expect not in ran.output:
            message = f"The canary {subject.canary} answers, but not with this version's text"
            return Verdict(False, message)
    if subject.item:
        ran = ask("item", subject.item)
        if not ran.good:
            return Verdict(False, f"The new item {subject.item} is not in force: {ran.told()}")
    ran = ask("control", control)
    if ran.good:
        return Verdict(False, f"PROBE calls {control} blocked, which it is not: it proves nothing")
    if ran.code != 1:
        return Verdict(False, f"PROBE failed for the control {control}: {ran.told()}")
    return Verdict(True)


def judge_patiently(
    subject: Subject,
    control: str,
    ask: Ask,
    rest: Callable[[float], object],
    pauses_s: Iterable[float] = PAUSES_S,
) -> Verdict:
    """`judge`, again after each pause until it is proven or nothing can prove it."""
    verdict = judge(subject, control, ask)
    for pause_s in pauses_s:
        if verdict.proven or subject.covers_control or not (subject.canary or subject.item):
            break
        rest(pause_s)
        verdict = judge(subject, control, ask)
    return verdict
