"""`bayanihan law`: classify systems, derive duties, compare laws; keep what is filed on a hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from bayanihan.commands import law_print, law_record, law_region
from bayanihan.commands.law_files import (
    FORMATS,
    open_rulebook,
    open_system,
    read_text,
    rulebook_files,
    today,
)
from bayanihan.errors import BayanihanError, Refused, as_text
from bayanihan.rulebook import diff as differences
from bayanihan.rulebook.classify import classify as classify_system
from bayanihan.rulebook.classify import next_question
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import duties as derive_duties
from bayanihan.rulebook.fines import ceiling
from bayanihan.rulebook.load import SEALS_FILE, load, write_seals
from bayanihan.rulebook.question import (
    JURISDICTIONS,
    ask,
    check_dates,
    check_members,
    read_adoption,
)
from bayanihan.rulebook.rights import rights as derive_rights
from bayanihan.rulebook.system import System, with_markets
from bayanihan.rulebook.tracks import track_of
from bayanihan.rulebook.view import view

app = App(
    name="law",
    help="Law as dated data: classify AI systems, derive duties, compare members.",
    result_action="return_value",
)

AsOf = Annotated[str, Parameter(name="--as-of", help="The law date; default today.")]
Known = Annotated[str, Parameter(help="The knowledge date; default all that is known.")]
Members = Annotated[
    tuple[str, ...], Parameter(name="--member", negative="", help="EU or a member; repeat it.")
]
Rules = Annotated[
    Path | None, Parameter(name="--rulebook", help="A folder of texts; default the shipped ones.")
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Adopt = Annotated[
    tuple[str, ...],
    Parameter(name="--adopt", negative="", help="What if TEXT=DAY: a proposal enters into force."),
]
Assisted = Annotated[
    str, Parameter(name="--assisted", help="What if: the day on which assistance was delivered.")
]
Form = Annotated[str, Parameter(name="--format", help=FORMATS)]


@app.command
def classify(
    file: Path,
    *,
    as_of: AsOf = "",
    known: Known = "",
    proof: Annotated[bool, Parameter(negative="", help="Print the proof trees.")] = False,
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """Which findings hold for a system on a day, each with its article and reasons.

    Example: bayanihan law classify examples/systems/bank-chatbot.yaml --as-of 2026-11-22
    """
    book = open_rulebook(rulebook)
    day, seen = check_dates(book, as_of or today(), known)
    system = open_system(file, book)
    derivation = Derivation(view(book, seen), system.facts)
    findings = classify_system(derivation, day)
    question = next_question(derivation.view, system.facts, day)
    told = {
        **book.stamp(),
        "as_of": day,
        "known": seen,
        "system": system.id,
        "name": system.name,
        "findings": [one.as_json() for one in findings],
        "question": None if question is None else law_print.question_json(question),
    }
    if law_print.show_as("classify", told, "json" if json else output, day):
        return
    law_print.show_findings(book, system, day, seen, findings, question, proof)


@app.command
def duties(
    file: Path,
    *,
    member: Members = (),
    as_of: AsOf = "",
    known: Known = "",
    adopt: Adopt = (),
    assisted: Assisted = "",
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """What a system's duties are: what, by when, which evidence, who checks, in each member.

    Example: bayanihan law duties examples/systems/bank-chatbot.yaml --member VN --member SG
    """
    book = open_rulebook(rulebook)
    day, seen = check_dates(book, as_of or today(), known)
    system = open_system(file, book)
    asked = check_members(list(member)) or _markets(system)
    facts = with_markets(system.facts, asked)
    adoptions = dict(read_adoption(spec, book) for spec in adopt)
    found, held = [], []
    for one in asked:
        derivation = Derivation(ask(book, seen, adoptions, track_of(book, one), assisted), facts)
        found.extend(derive_duties(derivation, one, day, system.attestations))
        held.extend(derive_rights(derivation, one, day))
    told = {
        **book.stamp(),
        "as_of": day,
        "known": seen,
        "system": system.id,
        "name": system.name,
        "duties": [one.as_json() for one in found],
        "rights": [one.as_json() for one in held],
    }
    if not law_print.show_as("duties", told, "json" if json else output, day):
        law_print.show_duties(book, system, day, seen, found, held)


@app.command
def fines(
    fine: str,
    *,
    size: Annotated[str, Parameter(help="sme, smc or large; unknown when left out.")] = "",
    turnover_eur: Annotated[str, Parameter(help="Worldwide turnover of the last year.")] = "",
    person: Annotated[bool, Parameter(negative="", help="Not an undertaking.")] = False,
    text: Annotated[str, Parameter(help="The text that holds the rule.")] = "eu-ai-act",
    known: Known = "",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """The fine ceiling of a rule (art5, art16, art26, art50, art101, information, ...).

    Example: bayanihan law fines art16 --size smc --turnover-eur 1000000000
    """
    book = open_rulebook(rulebook)
    given: dict[str, Any] = {"undertaking": not person}
    if size:
        given["size"] = size
    if turnover_eur:
        try:
            given["turnover_eur"] = (
                float(turnover_eur) if "." in turnover_eur else int(turnover_eur)
            )
        except ValueError:
            raise Refused(
                "bad-parameter", f"{turnover_eur!r} is not a number.", where="turnover-eur"
            ) from None
    facts = book.vocabulary.check(given, "arguments")
    found = ceiling(book, text, fine, facts, known)
    if json:
        law_print.show_json({**book.stamp(), **found.as_json()})
    else:
        law_print.show_ceiling(book, found)


@app.command
def diff(
    before: str,
    after: str,
    *,
    system: Annotated[
        tuple[Path, ...], Parameter(name="--system", negative="", help="Show the effect on these.")
    ] = (),
    as_of: AsOf = "",
    output: Form = "text",
    rulebook: Rules = None,
    json: AsJson = False,
) -> None:
    """What changed in a text between two knowledge dates, and for whom.

    Example: bayanihan law diff eu-ai-act@2026-07-26 eu-ai-act@2026-07-27
    """
    book = open_rulebook(rulebook)
    changes = differences.diff(book, before, after)
    text_id, known_before = differences.read_state(before, book)
    known_after = differences.read_state(after, book)[1]
    day = check_dates(book, as_of or today(), "")[0]
    systems = [open_system(path, book) for path in system]
    effects = differences.effects(
        view(book, known_before), view(book, known_after), systems, (text_id,), day
    )
    told = {
        **book.stamp(),
        "watermark": book.text(text_id).watermark,
        "a": before,
        "b": after,
        "changes": [one.as_json() for one in changes],
        "effects": [one.as_json() for one in effects],
    }
    if not law_print.show_as("diff", told, "json" if json else output, day):
        law_print.show_diff(book, before, after, changes, effects)


@app.command
def seal(folder: Path) -> None:
    """Write the seals of a reviewed rulebook folder, so that later edits are noticed.

    Example: bayanihan law seal texts/
    """
    files = rulebook_files(folder)
    load(files)
    content = write_seals(files)
    path = folder / SEALS_FILE
    before = read_text(path) if path.exists() else ""
    path.write_text(content, encoding="utf-8")
    book = open_rulebook(folder)
    changed = "unchanged" if before == content else "written"
    print(f"{len(files) - (SEALS_FILE in files)} files, seals {changed}: {book.digest}")


app.command(law_region.matrix)
app.command(law_region.adopt)
app.command(law_region.clocks)
app.command(law_region.tracks)
app.command(law_region.register)
app.command(law_record.enter)
app.command(law_record.registry)
app.command(law_record.attestation)
app.command(law_record.filing)
app.command(law_record.case)
app.command(law_region.assess)
app.command(law_region.practices)
app.command(law_region.checks)
app.command(law_region.claims)
app.command(law_region.procedures)
app.command(law_region.show)
app.command(law_region.members)
app.command(law_region.run_tests, name="test")


def _markets(system: System) -> list[str]:
    held = system.facts.get("markets", ())
    found = [one for one in JURISDICTIONS if isinstance(held, tuple) and one in held]
    if not found:
        raise Refused(
            "bad-parameter",
            f"{system.id} names no market, so ask for one.",
            where="member",
            next_step="Give --member, or the fact `markets`.",
        )
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run `law` alone: 0 done, 1 refused with its reason."""
    try:
        sys.exit(app(arguments) or 0)
    except BayanihanError as error:
        print(as_text(error), file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
