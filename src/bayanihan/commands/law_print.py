"""How the `law` verbs print: text for people, JSON, CSV, calendar and page for machines."""

from __future__ import annotations

from typing import Any

from bayanihan.commands.hub_client import as_json_text
from bayanihan.errors import Refused
from bayanihan.rulebook.classify import FindingState, Question
from bayanihan.rulebook.derive import Proof
from bayanihan.rulebook.diff import Change, Effect
from bayanihan.rulebook.duties import Duty
from bayanihan.rulebook.export import duties_calendar, duties_page, sheet
from bayanihan.rulebook.fines import Ceiling
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.system import System


def show_json(document: Any) -> None:
    """Print a document as JSON."""
    print(as_json_text(document))


def show_stamp(book: Rulebook) -> None:
    """The last lines of every text answer: the rulebook's digest, and no legal advice."""
    stamp = book.stamp()
    print(f"\nRulebook {stamp['rulebook']}\n{stamp['notice']}")


def question_json(question: Question) -> dict[str, Any]:
    """The next-best question as JSON."""
    return {
        "fact": question.fact,
        "ask": question.ask,
        "answers": list(question.answers),
        "surely": question.surely,
        "settles": question.settles,
    }


def show_findings(
    book: Rulebook,
    system: System,
    day: str,
    known: str,
    findings: list[FindingState],
    question: Question | None,
    proof: bool,
) -> None:
    """The findings that are not a plain no, with their reasons."""
    knowledge = f", as known on {known}" if known else ""
    print(f"{system.name or system.id} on {day}{knowledge}\n")
    shown = [one for one in findings if one.state != "no"]
    for one in shown:
        start = f" from {one.since}" if one.state == "not-yet" else ""
        print(f"{one.state + start:24} {one.article}: {one.title}  [{one.finding}]")
        for line in one.because[:6]:
            print(f"{'':26}{line}")
        if one.missing:
            print(f"{'':26}not given: {', '.join(one.missing)}")
        if proof:
            show_proof(one.proof, 13)
    print(f"\n{len(findings) - len(shown)} further findings do not hold.")
    if question is not None:
        print(f"Next question: {question.ask} (fact `{question.fact}`)")
    show_stamp(book)


def show_proof(node: Proof, depth: int) -> None:
    """A proof tree, indented."""
    words = []
    for key in ("finding", "article", "test", "applies_from", "applies_until", "slice"):
        if key in node:
            words.append(f"{key} {node[key]}" if key.startswith("applies") else str(node[key]))
    label = ", ".join(words) or next(k for k in node if k != "is")
    print(f"{'':{2 * depth}}{node['is']:8}{label}")
    for key in ("why", "all", "any", "not", "unless"):
        for child in node.get(key, ()):
            show_proof(child, depth + 1)


def show_duties(
    book: Rulebook, system: System, day: str, known: str, duties: list[Duty], output: str
) -> None:
    """Duties in the format asked for.

    Raises:
        Refused: `bad-parameter` for an unknown format.
    """
    if output == "json":
        told = [one.as_json() for one in duties]
        show_json({**book.stamp(), "as_of": day, "known": known, "system": system.id,
                   "duties": told})  # fmt: skip
    elif output == "csv":
        print(sheet([one.as_json() for one in duties], book.stamp()), end="")
    elif output == "ics":
        print(duties_calendar(system, duties, day, book.stamp()), end="")
    elif output == "html":
        print(duties_page(system, duties, day, book.stamp()))
    elif output == "text":
        _show_duties_text(book, system, day, known, duties)
    else:
        raise Refused(
            "bad-parameter", f"{output!r} is none of text, json, csv, ics, html.", where="format"
        )


def _show_duties_text(
    book: Rulebook, system: System, day: str, known: str, duties: list[Duty]
) -> None:
    knowledge = f", as known on {known}" if known else ""
    print(f"{system.name or system.id} on {day}{knowledge}")
    group = ""
    for one in duties:
        if f"{one.member} {one.state}" != group:
            group = f"{one.member} {one.state}"
            print(f"\n{group}")
        since = one.due or ("no date" if one.state != "waits" else "when assistance arrives")
        mark = f"  *{one.watermark}*" if one.watermark else ""
        print(f"  {since:12} {one.article}: {one.title} ({one.bindingness}, {one.quality}){mark}")
        if one.state == "owed":
            print(f"{'':15}evidence: {', '.join(one.evidence) or 'not known'}; "
                  f"checked by: {one.checked_by}; cost: {one.cost}")  # fmt: skip
        if one.satisfied:
            print(f"{'':15}satisfied by {one.satisfied_by}")
        elif "was given" not in one.satisfied_by and "person" not in one.satisfied_by:
            print(f"{'':15}not satisfied: {one.satisfied_by}")
        for line in one.assistance:
            print(f"{'':15}assistance: {line}")
        for line in one.disagreement:
            print(f"{'':15}sources disagree: {line}")
        if one.missing:
            print(f"{'':15}not given: {', '.join(one.missing)}")
    if not duties:
        print("\nNo duty follows from the texts that the rulebook holds.")
    show_stamp(book)


def show_ceiling(book: Rulebook, found: Ceiling) -> None:
    """One fine ceiling."""
    high = "no upper limit follows" if found.high_eur is None else f"EUR {found.high_eur:,.0f}"
    span = high if found.low_eur == found.high_eur else f"between EUR {found.low_eur:,.0f} and {high}"
    print(f"{found.article} (infringement of {found.infringes}): up to {span}")
    print(f"  {found.rule}")
    print(f"  quoted: {', '.join(found.slices)}")
    show_stamp(book)


def show_diff(
    book: Rulebook, before: str, after: str, changes: list[Change], effects: list[Effect]
) -> None:
    """A semantic diff and its effects."""
    print(f"{before} -> {after}: {len(changes)} changes\n")
    for one in changes:
        print(f"{one.change:8} {one.article}  [{one.provision}] {one.field}")
        if one.before:
            print(f"   - {one.before}")
        if one.after:
            print(f"   + {one.after}")
    for effect in effects:
        print(f"{effect.system}: {effect.effect} {effect.article} [{effect.duty}] "
              f"{effect.before or 'never'} -> {effect.after or 'never'}")  # fmt: skip
    show_stamp(book)
