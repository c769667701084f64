"""How the `law` verbs print: text for people, JSON, CSV, calendar and page for machines."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bayanihan.commands.hub_client import as_json_text
from bayanihan.rulebook.classify import FindingState, Question
from bayanihan.rulebook.clocks import Clock, moment_text
from bayanihan.rulebook.derive import Proof
from bayanihan.rulebook.diff import Change, Effect
from bayanihan.rulebook.duties import Duty
from bayanihan.rulebook.filing import Filing
from bayanihan.rulebook.fines import Ceiling
from bayanihan.rulebook.forms import exported
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import Adoption, Cell
from bayanihan.rulebook.register import Entry
from bayanihan.rulebook.rights import Right
from bayanihan.rulebook.system import System
from bayanihan.rulebook.tracks import Standing


def show_json(document: Any) -> None:
    """Print a document as JSON."""
    print(as_json_text(document))


def plain(value: Any) -> Any:
    """Data of a rulebook file as JSON has it: decimal numbers as floats."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


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
    text = ""
    for one in shown:
        if one.text != text:
            text = one.text
            print(f"{book.texts[text].title}" + (f"  *{one.watermark}*" if one.watermark else ""))
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
    keys = ("finding", "article", "test", "applies_from", "applies_until", "slice")
    words = [
        f"{key} {node[key]}" if key.startswith("applies") else str(node[key])
        for key in keys
        if key in node
    ]
    label = ", ".join(words) or next(k for k in node if k != "is")
    print(f"{'':{2 * depth}}{node['is']:8}{label}")
    for key in ("why", "all", "any", "not", "unless"):
        for child in node.get(key, ()):
            show_proof(child, depth + 1)


def show_as(answer: str, told: Any, output: str, today: str) -> bool:
    """Print an answer for machines or for the printer; False when text was asked for.

    Raises:
        Refused: `bad-parameter` for an unknown format.
    """
    if output == "text":
        return False
    if output == "json":
        show_json(told)
    else:
        print(exported(answer, told, output, today), end="")
    return True


def show_duties(
    book: Rulebook, system: System, day: str, known: str, duties: list[Duty], rights: list[Right]
) -> None:
    """Duties, for people."""
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
    for right in rights:
        if right.state != "undetermined":
            since = f" from {right.since}" if right.state == "not-yet" else ""
            print(f"\n{right.member} {right.kind}{since}: {right.article}: {right.title}", end="")
    if rights:
        print()
    if not duties:
        print("\nNo duty follows from the texts that the rulebook holds.")
    show_stamp(book)


def show_ceiling(book: Rulebook, found: Ceiling) -> None:
    """One fine ceiling."""
    high = "no upper limit follows" if found.high_eur is None else f"EUR {found.high_eur:,.0f}"
    span = (
        high if found.low_eur == found.high_eur else f"between EUR {found.low_eur:,.0f} and {high}"
    )
    print(f"{found.article} (infringement of {found.infringes}): up to {span}")
    print(f"  {found.rule}")
    print(f"  quoted: {', '.join(found.slices)}")
    show_stamp(book)


def show_diff(
    book: Rulebook, before: str, after: str, changes: list[Change], effects: list[Effect]
) -> None:
    """A semantic diff and its effects."""
    mark = book.text(before.partition("@")[0]).watermark
    print(f"{before} -> {after}: {len(changes)} changes" + (f"  *{mark}*" if mark else "") + "\n")
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


def show_matrix(book: Rulebook, baseline: str, members: list[str], cells: list[Cell]) -> None:
    """A matrix as a table: topics down, members across, then the sources."""
    text = book.text(baseline)
    print(f"{text.title}" + (f"  *{text.watermark}*" if text.watermark else "") + "\n")
    short = {"equal": "=", "stricter": ">", "weaker": "<", "gap": "gap", "conflict": "CONFLICT",
             "unknown": "?"}  # fmt: skip
    print(f"{'':36}" + "".join(f"{member:>5}" for member in members))
    by_row: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        by_row.setdefault(cell.obligation, {})[cell.member] = cell
    for row in by_row.values():
        topic = next(iter(row.values())).topic
        line = "".join(f"{short[row[m].relation][:4]:>5}" for m in members)
        print(f"{topic[:35]:36}{line}")
    print("\n= equal, > stricter, < weaker, gap: no rule in force, CONF conflict, ? unknown")
    used = sorted({c.source for c in cells if c.source})
    for source_id in used:
        source = book.sources[source_id]
        print(
            f"  {source_id}: {source.title} ({source.publisher}, {source.date}; {source.quality})"
        )
    show_stamp(book)


def show_adoption(book: Rulebook, found: Adoption, mark: str) -> None:
    """What adopting a clause would change."""
    print(f"If {found.article} [{found.clause}] were adopted" + (f"  *{mark}*" if mark else ""))
    changes = ", ".join(f"{m} ({r})" for m, r in found.must_change.items()) or "nobody known"
    print(f"  must change: {changes}")
    print(
        f"  may keep:    {', '.join(f'{m} ({r})' for m, r in found.may_keep.items()) or 'nobody'}"
    )
    print(f"  not known:   {', '.join(found.not_known) or 'nobody'}")
    for system, member, day in found.gains:
        print(f"  {system} gains it in {member} from {day}")
    print(f"  stay free:   {', '.join(found.stays_free) or 'none of those asked about'}")
    show_stamp(book)


def show_clocks(book: Rulebook, clocks: list[Clock], filings: list[Filing]) -> None:
    """Clocks of an incident, and the drafts."""
    for one in clocks:
        print(f"{one.member} {one.state:12} {one.kind}: to {one.addressee} [{one.clock}]")
        for deadline in one.deadlines:
            due = moment_text(deadline.due) or ""
            print(f"{'':16}{deadline.part:11} {deadline.limit:16} {due}")
        if one.note:
            print(f"{'':16}{one.note}")
        print(f"{'':16}source: {', '.join(one.sources)} ({one.quality})")
    for filing in filings:
        still = f"   still open: {', '.join(filing.open_fields)}" if filing.open_fields else ""
        print(f"\n--- draft for {filing.clock}, a person files it{still}\n{filing.text}")
    show_stamp(book)


def show_tracks(book: Rulebook, found: list[Standing]) -> None:
    """Capacity tracks."""
    for one in found:
        print(f"{one.member}: track {one.track} (readiness {one.readiness}, {one.source})"
              f"  *{one.watermark}*")  # fmt: skip
        print(f"    entitled to: {'; '.join(one.entitlements)}")
        print(f"    milestones:  {'; '.join(one.milestones)}")
        if one.still_needed:
            print(f"    graduation needs: {'; '.join(one.still_needed)}")
    show_stamp(book)


def show_register(book: Rulebook, found: Entry) -> None:
    """A register entry."""
    print(f"{found.system}: section {found.section or '-'} ({found.place}); {found.why}")
    for point, label, value in found.fields:
        print(f"  {point:2} {label}: {value}")
    if found.missing:
        print(f"  missing: {'; '.join(found.missing)}")
    show_stamp(book)


def show_assessment(book: Rulebook, found: dict[str, Any]) -> None:
    """An impact assessment, as a form in Markdown."""
    print(f"# {found['title']}\n\nSystem: {found['system']}. {found['note']}")
    for section in found["sections"]:
        print(f"\n## {section['title']}")
        for question in section["questions"]:
            print(f"- {question['ask']}\n  {question['answer'] or '[to be answered]'}")
    show_stamp(book)


def show_procedures(book: Rulebook, chosen: list[Any], *, steps: bool) -> None:
    """Procedures, with their steps when one was asked for."""
    for entry in chosen:
        print(f"{entry['id']}: {entry['title']}; begins at {entry['start']}, "
              f"ends at {', '.join(entry['ends'])}")  # fmt: skip
        for step in entry["steps"] if steps else ():
            when = f", before {step['before']}" if "before" in step else ""
            when += f", after {step['after']}" if "after" in step else ""
            when += ", after a hearing" if step.get("needs_hearing") else ""
            when += f", by {step['vote']} % of votes" if "vote" in step else ""
            print(f"  {step['from']} -> {step['to']}: {step['name']} by {step['by']}{when}")
            for name, period in (step.get("sets") or {}).items():
                limit = ", ".join(f"{key} {value}" for key, value in period.items())
                print(f"{'':6}sets {name}: {limit}")
    show_stamp(book)


def show_provision(book: Rulebook, versions: list[dict[str, Any]]) -> None:
    """A provision, version by version."""
    for told in versions:
        mark = f"  *{told['watermark']}*" if told["watermark"] else ""
        print(f"{told['article']}: {told['title']}  [{told['provision']}]{mark}")
        print(f"  {told['text']}; {told['kind']}, {told['bindingness']}; known {told['known']}")
        for name in ("says", "condition", "checked_by", "reading", "deadline"):
            if told.get(name):
                print(f"  {name}: {told[name]}")
        for row in told["applies"]:
            parts = [f"{key} {value}" for key, value in row.items() if value]
            print(f"  applies: {', '.join(parts)}")
        for piece in told["quotations"]:
            print(f'  {piece["article"]} ({piece["source"]}): "{piece["quote"]}"')
        for source in told["sources"]:
            print(f"  source {source['source']}: {source['title']} ({source['publisher']}, "
                  f"{source['date']}; {source['quality']})")  # fmt: skip
        for line in told.get("pedigree", ()):
            print(f"  from: {line}")
        for entry in told.get("disagreement", ()):
            print(f"  sources disagree: {entry['says']} [{entry['source']}]")
    show_stamp(book)


def show_notice(told: dict[str, Any]) -> None:
    """The last lines of an answer of a hub: the rulebook's digest, and no legal advice."""
    print(f"\nRulebook {told['rulebook']}\n{told['notice']}")


def show_list(
    told: dict[str, Any], rows: list[dict[str, Any]], show: Callable[[dict[str, Any]], None]
) -> None:
    """A page of a list, with the cursor of the next one; an empty list says that it is empty."""
    for one in rows:
        show(one)
    if not rows:
        print("nothing that you may see")
    if told["next"]:
        print(f"\nmore: --after {told['next']}")
    show_notice(told)


def show_registry(told: dict[str, Any]) -> None:
    """Register entries, for people."""
    show_list(told, told["entries"], show_entry)


def show_entry(one: dict[str, Any]) -> None:
    """One entry of the register, with its fields."""
    print(f"{one['id']}  {one['member']} {one['state']}, section {one['section']} "
          f"({one['place']}, {one['article']})")  # fmt: skip
    for field in one["fields"]:
        print(f"  {field['point']:2} {field['label']}: {field['value']}")
    if one["place"] == "restricted" and not one["fields"]:
        print(f"     {one['why']}")


def show_case_line(one: dict[str, Any]) -> None:
    """A case in one line."""
    mark = f"  *{one['watermark']}*" if one["watermark"] else ""
    print(f"{one['id']}  {one['authority']} {one['state']}: {one['title']}{mark}")


def show_owed(told: dict[str, Any]) -> None:
    """The duties of a registered system, with the evidence that the record holds."""
    print(f"{told['name'] or told['system']} on {told['as_of']}")
    for one in told["duties"]:
        mark = f"  *{one['watermark']}*" if one["watermark"] else ""
        print(f"  {one['member']} {one['state']:12} {one['due'] or 'no date':11}"
              f"{one['article']}: {one['title']}{mark}")  # fmt: skip
        if one["satisfied"]:
            print(f"{'':15}satisfied by {one['satisfied_by']}")
        elif one["satisfied_by"].startswith("sha256:"):
            print(f"{'':15}not satisfied: {one['satisfied_by']}")
    show_notice(told)


def show_filing(one: dict[str, Any]) -> None:
    """One filing or draft, with its clock."""
    left = one["working_days"]
    days = "" if left is None or one["status"] == "stopped" else f", {left} working days left"
    due = f"due {one['due_there']}{days}" if one["due_there"] else "no moment is set"
    print(f"{one['id']}  {one['member']} {one['part']} {one['kind']}: {one['state']}")
    print(f"    to {one['addressee']}; clock {one['status']}, {due}")
    if one.get("open"):
        print(f"    still open: {', '.join(one['open'])}")
    if one.get("reference"):
        print(f"    acknowledged by {one['acknowledged_by']}: {one['reference']}")


def show_case(told: dict[str, Any]) -> None:
    """One case, for people."""
    mark = f"  *{told['watermark']}*" if told["watermark"] else ""
    print(f"{told['id']}: {told['title']}{mark}")
    print(f"{told['authority']} about {told['subject']}; opened by {told['opened_by']} "
          f"on {told['opened_at'][:10]}: {told['reason']}")  # fmt: skip
    for one in told["history"]:
        share = f", {one['share']} %" if one.get("share") is not None else ""
        print(f"  {one['at'][:19]}Z  {one['step']} -> {one['state']}  "
              f"{one['person']} ({one['office']}{share}): {one['reason']}")  # fmt: skip
        for name, finding in one.get("factors", {}).items():
            print(f"{'':24}{name}: {finding}")
        if one.get("reference"):
            print(f"{'':24}document: {one['reference']}")
        if one.get("evidence"):
            print(f"{'':24}evidence: {', '.join(one['evidence'])}")
    for line in told["void"]:
        print(f"  void: {line['step']} at {line['at']}: {line['why']}")
    print(f"state: {told['state']}" + (" (ended)" if told["ended"] else ""))
    for name, moment in told["deadlines_there"].items():
        over = "  passed; a person decides what follows" if name in told["overdue"] else ""
        print(f"  {name}: {moment}{over}")
    for one in told["next"]:
        print(f"  open: {one['step']} by {one['by']} ({one['article']})")
    show_notice(told)
