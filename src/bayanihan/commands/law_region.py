"""The `law` verbs for the region: matrix, what-if, clocks, tracks, register, templates, cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayanihan.commands import law_print
from bayanihan.commands.law_files import (
    FORMATS,
    open_rulebook,
    open_system,
    read_text,
    today,
)
from bayanihan.commands.working_days import is_working_day
from bayanihan.errors import Refused
from bayanihan.rulebook import matrix as matrices
from bayanihan.rulebook import register as registers
from bayanihan.rulebook import shelf
from bayanihan.rulebook.cases import read_cases, run_case
from bayanihan.rulebook.claims import claims as claim_matrix
from bayanihan.rulebook.clocks import Incident, read_moment
from bayanihan.rulebook.clocks import clocks as run_clocks
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.filing import draft
from bayanihan.rulebook.procedure import procedure_of, procedures_of
from bayanihan.rulebook.question import MEMBERS, ask, check_dates, check_members, read_adoption
from bayanihan.rulebook.shown import show as show_provision
from bayanihan.rulebook.system import with_markets
from bayanihan.rulebook.tracks import Behaviour, standing, track_of
from bayanihan.rulebook.view import view

Rules = Annotated[
    Path | None, Parameter(name="--rulebook", help="A folder of texts; default the shipped ones.")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Members = Annotated[
    tuple[str, ...], Parameter(name="--member", negative="", help="EU or a member; repeat it.")
]
AsOf = Annotated[str, Parameter(name="--as-of", help="The law date; default today.")]
Form = Annotated[str, Parameter(name="--format", help=FORMATS)]
Known = Annotated[str, Parameter(help="The knowledge date; default all that is known.")]


def matrix(
    *,
    baseline: Annotated[
        str, Parameter(help="The text that members are compared to.")
    ] = "asean-guide",
    member: Members = (),
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """Where members differ from a text, obligation by obligation, each cell with its source.

    Example: bayanihan law matrix --baseline model-asean
    """
    book = open_rulebook(rulebook)
    asked = [one for one in check_members(list(member)) if one != "EU"] or list(MEMBERS)
    cells = matrices.matrix(book, baseline, asked)
    mark = book.text(baseline).watermark
    told = {
        **book.stamp(),
        "baseline": baseline,
        "watermark": mark,
        "cells": [one.as_json() for one in cells],
    }
    if not law_print.show_as("matrix", told, "json" if json else output, today()):
        law_print.show_matrix(book, baseline, asked, cells)


def adopt(
    clause: str,
    *,
    entry: Annotated[str, Parameter(help="Assumed day of entry into force.")] = "2028-01-01",
    assisted: Annotated[str, Parameter(help="Assumed day on which assistance arrives.")] = "",
    system: Annotated[tuple[Path, ...], Parameter(name="--system", negative="")] = (),
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """What if a clause were adopted: who changes what, and which systems gain duties.

    Example: bayanihan law adopt model/incident/first --system examples/systems/bank-chatbot.yaml
    """
    book = open_rulebook(rulebook)
    group = book.provisions.get(clause)
    if group is None:
        raise Refused("not-found", f"No provision is called {clause!r}.", where="clause")
    text_id, day = read_adoption(f"{group[0].text}={entry}", book)
    views = [(m, ask(book, "", {text_id: day}, track_of(book, m), assisted)) for m in MEMBERS]
    systems = [open_system(path, book) for path in system]
    found = matrices.adopt(book, clause, views, systems, day)
    mark = book.text(text_id).watermark
    if json:
        law_print.show_json({**book.stamp(), "watermark": mark, **found.as_json()})
    else:
        law_print.show_adoption(book, found, mark)


def clocks(
    file: Path,
    *,
    aware: Annotated[str, Parameter(help="When it became known, 2026-11-22T09:30:00Z.")],
    kind: Annotated[tuple[str, ...], Parameter(negative="", help="cyber, personal-data, ...")],
    member: Members = (),
    says: Annotated[str, Parameter(help="What happened, for the drafts.")] = "",
    drafts: Annotated[bool, Parameter(negative="", help="Print a draft of each filing.")] = False,
    known: Known = "",
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """What is owed after an incident: to whom, by when, in each member; with drafts to file.

    Example: bayanihan law clocks examples/systems/bank-chatbot.yaml --kind cyber \
            --aware 2026-11-22T09:30:00Z --member SG --member MY
    """
    book = open_rulebook(rulebook)
    system = open_system(file, book)
    seen = check_dates(book, aware[:10], known)[1]
    asked = check_members(list(member)) or list(MEMBERS)
    incident = Incident("1", kind, read_moment(aware, "aware"), says)
    derivation = Derivation(view(book, seen), with_markets(system.facts, asked))
    found = run_clocks(derivation, incident, asked, is_working_day)
    filings = [
        draft(one, deadline, incident, system)
        for one in found
        if one.state == "runs" and drafts
        for deadline in one.deadlines
    ]
    told = {
        **book.stamp(),
        "system": system.id,
        "name": system.name,
        "aware": aware,
        "clocks": [one.as_json() for one in found],
        "drafts": [
            {"clock": f.clock, "part": f.part, "text": f.text, "open": list(f.open_fields)}
            for f in filings
        ],
    }
    if not law_print.show_as("clocks", told, "json" if json else output, aware[:10]):
        law_print.show_clocks(book, found, filings)


def tracks(
    *,
    member: Members = (),
    days: Annotated[int, Parameter(help="Days over which a member was measured.")] = 365,
    notices: Annotated[int | None, Parameter(help="Notices that it received in them.")] = None,
    answered: Annotated[int, Parameter(help="How many of these it answered.")] = 0,
    median_hours: Annotated[float | None, Parameter(help="Its median to acknowledge.")] = None,
    drills: Annotated[int, Parameter(help="Drills that it passed.")] = 0,
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """The capacity track of members, with entitlements, milestones and what graduation needs.

    With what was measured of one member, whether it graduates.

    Example: bayanihan law tracks --member KH --notices 40 --answered 36 --median-hours 5 --drills 1
    """
    book = open_rulebook(rulebook)
    asked = [one for one in check_members(list(member)) if one != "EU"] or list(MEMBERS)
    behaviour = None
    if notices is not None:
        if len(asked) != 1:
            raise Refused("wrong-use", "What was measured is of one member: name it.")
        if not 0 <= answered <= notices:
            raise Refused("bad-parameter", "Answered are 0 to all notices.", where="answered")
        behaviour = Behaviour(days, notices, answered, median_hours, drills)
    found = [standing(book, one, behaviour) for one in asked]
    if json:
        law_print.show_json({**book.stamp(), "tracks": [one.as_json() for one in found]})
    else:
        law_print.show_tracks(book, found)


def register(
    file: Path,
    *,
    seen_by: Annotated[str, Parameter(name="--view", help="public or authority.")] = "public",
    as_of: AsOf = "",
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """A system's register entry (Annex VIII) as the public or an authority sees it.

    Example: bayanihan law register examples/systems/composite.yaml --view public
    """
    book = open_rulebook(rulebook)
    day = check_dates(book, as_of or today(), "")[0]
    system = open_system(file, book)
    found = registers.entry(Derivation(view(book), system.facts), system, day, seen_by)
    told = {**book.stamp(), **found.as_json()}
    if json or output == "json":
        law_print.show_json(told)
        return
    row = {**told, "id": system.id, "member": "", "state": "not entered", "at": day}
    if not law_print.show_as("register", {**told, "entries": [row]}, output, day):
        law_print.show_register(book, found)


def assess(
    file: Path,
    *,
    template: Annotated[str, Parameter(help="art27 or asean-annex-a.")] = "asean-annex-a",
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """An impact assessment for a system, filled as far as its facts go.

    Example: bayanihan law assess examples/systems/bank-chatbot.yaml --template art27
    """
    book = open_rulebook(rulebook)
    found = shelf.assessment(book, template, open_system(file, book))
    told = {**book.stamp(), **found}
    if not law_print.show_as("assess", told, "json" if json else output, today()):
        law_print.show_assessment(book, found)


def practices(
    words: str = "",
    *,
    member: Annotated[str, Parameter(help="Only this member, or ASEAN.")] = "",
    tag: Annotated[str, Parameter(help="Only this tag.")] = "",
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """Search the compendium of practices, and cite what you find.

    Example: bayanihan law practices incident --member MY
    """
    book = open_rulebook(rulebook)
    found = shelf.practices(book, words, member.upper(), tag)
    told = {**book.stamp(), "practices": found}
    if law_print.show_as("practices", told, "json" if json else output, today()):
        return
    for entry in found:
        print(f"{entry['member']:6}{entry['title']} ({entry['year']})\n      {entry['says']}")
        print(f"      cite as: {entry['cite']} [{entry['quality']}]")
    law_print.show_stamp(book)


def checks(principle: str = "", *, rulebook: Rules = None, json: AsJson = False) -> None:
    """The AI Verify process checks, all or those of one principle.

    Example: bayanihan law checks robustness
    """
    book = open_rulebook(rulebook)
    found = shelf.checks(book, principle)
    if json:
        law_print.show_json({**book.stamp(), "checks": found})
        return
    for entry in found:
        print(f"{entry['pid']:8}{entry['principle']}: {entry['process']}")
    print(f"\n{len(found)} checks. Copyright AI Verify Foundation, Apache License 2.0.")
    law_print.show_stamp(book)


def run_tests(path: Path, *, rulebook: Rules = None) -> int:
    """Run a jurist's test cases: a YAML file, or a folder of them.

    Example: bayanihan law test tests/rulebook/cases
    """
    book = open_rulebook(rulebook)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    passed, failed = 0, 0
    for file in files:
        for case in read_cases(read_text(file), file.name):
            told = run_case(book, case, is_working_day)
            passed, failed = passed + (not told), failed + bool(told)
            for line in told:
                print(f"{case.place} {case.name}: {line}")
    print(f"{passed} cases hold, {failed} do not.")
    law_print.show_stamp(book)
    return 1 if failed else 0


def claims(*, rulebook: Rules = None, json: AsJson = False) -> int:
    """The claim matrix: every served legal value against the words of its pinned quotation.

    Example: bayanihan law claims
    """
    book = open_rulebook(rulebook)
    made = claim_matrix(book)
    broken = [one for one in made if not one.holds]
    if json:
        told = [
            {"claim": one.id, "slice": one.slice, "words": list(one.words), "holds": one.holds}
            for one in made
        ]
        law_print.show_json({**book.stamp(), "claims": told})
    else:
        for one in broken:
            print(f"{one.id}: none of {', '.join(one.words)} in the quotation {one.slice}")
        print(f"{len(made) - len(broken)} claims hold, {len(broken)} do not.")
        law_print.show_stamp(book)
    return 1 if broken else 0


def procedures(procedure: str = "", *, rulebook: Rules = None, json: AsJson = False) -> None:
    """Safeguard and sanction procedures: their steps, who takes them, and their deadlines.

    Example: bayanihan law procedures eu/art79
    """
    book = open_rulebook(rulebook)
    every = procedures_of(book)
    chosen = [procedure_of(book, procedure)] if procedure else every
    if json:
        law_print.show_json({**book.stamp(), "procedures": chosen})
    else:
        law_print.show_procedures(book, chosen, steps=bool(procedure))


def show(provision: str, *, rulebook: Rules = None, json: AsJson = False) -> None:
    """One provision: its versions, dates, quotations, sources, pedigree and disagreements.

    Example: bayanihan law show eu/art6/2
    """
    book = open_rulebook(rulebook)
    told = show_provision(book, provision)
    if json:
        law_print.show_json({**book.stamp(), "versions": told})
    else:
        law_print.show_provision(book, told)


def members(*, member: Members = (), rulebook: Rules = None, json: AsJson = False) -> None:
    """The state of each member's law and policy, bills included, each with source and date.

    Example: bayanihan law members --member MY
    """
    book = open_rulebook(rulebook)
    asked = [one for one in check_members(list(member)) if one != "EU"] or list(MEMBERS)
    entries = matrices.member_entries(book)
    if json:
        told = {code: entries[code] for code in asked}
        law_print.show_json({**book.stamp(), "members": law_print.plain(told)})
        return
    for code in asked:
        entry = entries[code]
        print(f"{code} {entry['name']}: {entry['ai_state']}")
        for one in entry.get("instruments") or ():
            quality = book.sources[one["source"]].quality
            print(f"    {one['state']:9} {one['title']} ({one['bindingness']}; {one['source']}, "
                  f"{quality}, as of {one['as_of']})")  # fmt: skip
    law_print.show_stamp(book)
