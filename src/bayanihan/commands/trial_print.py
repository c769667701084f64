"""How the `trial` verbs print for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bayanihan.errors import one_line
from bayanihan.sandbox.attest import Statement
from bayanihan.sandbox.corpus import Corpus
from bayanihan.sandbox.report import percent, signed
from bayanihan.sandbox.rerun import Repeated
from bayanihan.sandbox.result import Result, Score
from bayanihan.sandbox.selfcheck import Check
from bayanihan.sandbox.trust import Verified

Told = Callable[[int, int], None]
_TITLES = {
    "detection": "detection",
    "false_alarm": "false alarms",
    "precision": "right when it warns",
}


def _line(score: Score) -> str:
    low, high = score.interval
    behind = f"{score.hits} of {score.n}" if score.hits is not None else f"n = {score.n}"
    return f"{percent(score.value):>8}   {percent(low)} to {percent(high)}   ({behind})"


def level_of(result: Result) -> str:
    """The level of isolation, and what must be said with it."""
    remote = result.isolation.get("remote")
    host = result.isolation.get("host")
    return f"{result.isolation['level']}" + (f" ({remote} to {host})" if remote else "")


def show_result(result: Result, out: Path, report: Path) -> None:
    """The result in twenty lines: scores, gates, the worst slices, what to look at."""
    tool, corpus = result.tool, result.corpus
    print(f"{one_line(tool.id)} {one_line(tool.version)} on {corpus.name} {corpus.version}, "
          f"isolation {level_of(result)}")  # fmt: skip
    for score in result.scores:
        print(f"  {_TITLES[score.name]:<20}{_line(score)}")
    print(f"  The last line holds if {percent(corpus.base_rate)} of all items are attacks. "
          "Intervals are exact, 95 %.")  # fmt: skip
    worst = next((part for part in result.slices if part.by == "language"), None)
    if worst and worst.detection:
        print(f"  worst language      {worst.value}: detection {percent(worst.detection.value)} "
              f"of {worst.detection.n}")  # fmt: skip
    for rival in result.rivals:
        detection, alarms = rival.differences
        print(f"  less {rival.tool:<15}detection {signed(detection.difference)} points, "
              f"false alarms {signed(alarms.difference)}")  # fmt: skip
    for gate in result.gates:
        print(f"  gate {gate.rule}: {gate.verdict} (bound {percent(gate.bound)}, n = {gate.n}; "
              f"{gate.because})")  # fmt: skip
    if result.faults:
        told = ", ".join(f"{n} {fault}" for fault, n in result.faults.items())
        print(f"  without an answer, counted against the tool: {told}")
    _show_laboratories(result)
    for sentence in result.honesty.told:
        print(f"  NOTE: {one_line(sentence)}.")
    cost = result.performance
    timed = f"{cost.p50_us / 1000:.2f} ms an item (median of {cost.timed:,} timed)"
    print(f"  cost                {timed if cost.timed else 'no item was timed'}, cold start "
          f"{cost.cold_start_s:.2f} s, {cost.peak_memory_bytes >> 20} MiB")  # fmt: skip
    print(f"{out}: the result. {report}: the page.")


def _show_laboratories(result: Result) -> None:
    for lab in result.laboratories:
        print(f"  laboratory          {one_line(lab.origin)}, {lab.level} by its word: {lab.items} "
              f"items, {lab.differing} of {lab.reasked} came out otherwise here")  # fmt: skip


def corpus_json(corpus: Corpus) -> dict[str, Any]:
    """What is known about a corpus, as data."""
    card = corpus.card
    return {
        "name": card.name,
        "version": card.version,
        "root": f"sha256:{corpus.root}",
        **corpus.counts(),
        "training": len(corpus.training),
        "languages": sorted({item.language for item in corpus.items}),
        "base_rate": card.base_rate,
        "limits": card.limits,
    }


def show_corpus(corpus: Corpus) -> None:
    """What is known about a corpus."""
    told = corpus_json(corpus)
    print(f"{told['name']} {told['version']}: {corpus.card.about}")
    counts = f"{told['attack']} attacks, {told['legitimate']} legitimate"
    print(f"  {counts}, {told['training']} to train on; {' '.join(told['languages'])}")
    print(f"  {told['root']}")
    for limit in told["limits"]:
        print(f"  - {limit}")


def show_checks(level: str, checks: Sequence[Check]) -> None:
    """One line a check, and what they come to."""
    for check in checks:
        word = "stopped" if check.stopped else "NOT STOPPED"
        print(f"  {check.name:<18}{word:<13}{one_line(check.by)[:90]}")
    held = sum(check.stopped for check in checks)
    print(f"{held} of {len(checks)} attempts were stopped, isolation {level}")


def show_attested(statement: Statement, out: Path) -> None:
    """What was signed for."""
    predicate = statement.predicate
    print(f"{out}: {predicate.result} for {_named(statement)}, good until {predicate.expires[:10]}")
    if not predicate.trial.gates:
        print("  No gate was asked for: nothing is said to have passed.")


def _named(statement: Statement) -> str:
    trial = statement.predicate.trial
    return (
        f"{one_line(trial.tool.id)} {one_line(trial.tool.version)} on "
        f"{trial.corpus.name} {trial.corpus.version}"
    )


def show_verified(verified: Verified, repeated: Repeated | None) -> None:
    """Who signed for what, until when, and what is reserved."""
    predicate = verified.statement.predicate
    trial = predicate.trial
    print(f"verified: {_named(verified.statement)}: {predicate.result}")
    for signer in verified.signers:
        member = f" ({signer.member})" if signer.member else ""
        print(f"  signed by {one_line(signer.name)}{member}")
    print(f"  issued {predicate.issued[:10]}, good until {predicate.expires[:10]}, "
          f"isolation {level_of(trial)}")  # fmt: skip
    print(f"  {verified.digest}")
    for score in trial.scores:
        print(f"  {_TITLES[score.name]:<20}{_line(score)}")
    for gate in trial.gates:
        print(f"  gate {gate.rule}: {gate.verdict} (bound {percent(gate.bound)}, n = {gate.n})")
    _show_laboratories(trial)
    for reservation in verified.reservations:
        print(f"  {reservation.member} reserves {one_line(reservation.about)}: "
              f"{one_line(reservation.reason)}")  # fmt: skip
    if repeated is not None:
        print(f"  {len(repeated.now)} items asked again: the same verdict bytes")


def verified_json(verified: Verified, repeated: Repeated | None) -> dict[str, Any]:
    """What `show_verified` prints, as data."""
    predicate = verified.statement.predicate
    return {
        "digest": verified.digest,
        "tool": predicate.trial.tool,
        "corpus": predicate.trial.corpus,
        "result": predicate.result,
        "issued": predicate.issued,
        "expires": predicate.expires,
        "signers": [{"name": each.name, "member": each.member} for each in verified.signers],
        "reservations": list(verified.reservations),
        "level": predicate.trial.isolation["level"],
        "scores": predicate.trial.scores,
        "gates": predicate.trial.gates,
        "laboratories": predicate.trial.laboratories,
        "repeated": None if repeated is None else len(repeated.now),
    }
