"""Every answer as rows: one shape that becomes a sheet, a page to print or a calendar.

An answer names its columns, its rows, the days in it and the watermarks that apply. `export`
turns that into CSV, HTML or iCalendar; each names the rulebook by digest and says that it is
no legal advice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.export import Event, calendar, page, sheet

FORMATS = ("csv", "html", "ics")
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ics": "text/calendar; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One answer as a table.

    Attributes:
        title, lead: what stands above it.
        columns: key in a row to heading.
        rows: plain values; lists are joined.
        events: the days in it, for a calendar.
        watermarks: of texts without standing, each once.
        day: the day asked about, the calendar's own stamp.
    """

    title: str
    lead: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    events: Sequence[Event]
    watermarks: Sequence[str]
    day: str


def export(table: Table, form: str, stamp: Mapping[str, str]) -> str:
    """A table in one of `FORMATS`.

    Raises:
        Refused: `bad-parameter` for another format.
    """
    if form == "csv":
        # An answer without rows still says what it is.
        full = table.rows or [dict.fromkeys(table.columns, "")]
        rows = [
            {**{name: row.get(name, "") for name in table.columns}, "watermark": _mark(table, row)}
            for row in full
        ]
        return sheet(rows, stamp, (*table.columns, "watermark"))
    if form == "html":
        cells = [[_text(row.get(name, "")) for name in table.columns] for row in table.rows]
        headings = tuple(table.columns.values())
        return page(table.title, table.lead, headings, cells, stamp, table.watermarks) + "\n"
    if form == "ics":
        return calendar(table.events, table.day, stamp, table.watermarks)
    raise Refused(
        "bad-parameter", f"{form!r} is none of text, json, csv, html, ics.", where="format"
    )


def _mark(table: Table, row: Mapping[str, Any]) -> str:
    return str(row["watermark"]) if "watermark" in row else "; ".join(table.watermarks)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(str(item) for item in value)
    return "" if value is None else str(value)


def findings_table(told: Mapping[str, Any]) -> Table:
    """The answer of `classify`: what holds, is open or will hold."""
    rows = [one for one in told["findings"] if one["state"] != "no"]
    return Table(
        f"Findings: {_name(told)}", f"On {told['as_of']}{_known(told)}. "
        f"{len(told['findings']) - len(rows)} further findings do not hold.",
        {"state": "State", "since": "From", "article": "Article", "title": "Finding",
         "text": "Text", "because": "Because", "missing": "Not given"},
        rows,
        [_event(told["system"], one["finding"], one["since"], one) for one in rows
         if one["state"] == "not-yet" and one["since"] and not one["missing"]],
        _marks(rows), told["as_of"],
    )  # fmt: skip


def duties_table(told: Mapping[str, Any]) -> Table:
    """The answer of `duties`."""
    rows = [{**one, "due": one["due"] or "not known"} for one in told["duties"]]
    return Table(
        f"Duties: {_name(told)}", f"On {told['as_of']}{_known(told)}.",
        {"member": "Member", "state": "State", "due": "From", "article": "Article",
         "title": "Duty", "bindingness": "Binds as", "evidence": "Evidence",
         "satisfied_by": "Satisfied by", "checked_by": "Checked by", "cost": "Cost (SME)",
         "assistance": "Assistance", "duty": "Id"},
        rows,
        [_event(told["system"], f"{one['member']}/{one['duty']}", one["due"], one)
         for one in told["duties"] if one["due"]],
        _marks(rows), told["as_of"],
    )  # fmt: skip


def clocks_table(told: Mapping[str, Any]) -> Table:
    """The answer of `clocks`: a row for each filing owed, and for each gap or unknown."""
    rows, events = [], []
    for clock in told["clocks"]:
        base = {**clock, "part": "", "limit": "", "due": ""}
        for deadline in clock["deadlines"] or [base]:
            row = {**base, **{name: deadline[name] for name in ("part", "limit", "due")}}
            rows.append(row)
            if row["due"] and clock["state"] == "runs":
                title = f"{clock['member']}: {row['part']} report to {clock['addressee']}"
                key = f"{told['system']}/{clock['clock']}/{row['part']}"
                events.append(Event(key, row["due"], title, f"{row['limit']}; {clock['trigger']}"))
    return Table(
        f"Clocks: {_name(told)}", f"Known since {told['aware']}.",
        {"member": "Member", "kind": "Kind", "state": "State", "part": "Report",
         "limit": "Limit", "due": "Due (UTC)", "addressee": "To", "note": "Note",
         "sources": "Sources", "clock": "Id"},
        rows, events, (), told["aware"][:10],
    )  # fmt: skip


def matrix_table(told: Mapping[str, Any]) -> Table:
    """The answer of `matrix`. Its events are the days on which what is known was true."""
    rows = told["cells"]
    return Table(
        f"Harmonisation matrix against {told['baseline']}", "Relations are computed.",
        {"member": "Member", "topic": "Obligation", "relation": "Relation",
         "says": "What is known", "source": "Source", "as_of": "As of", "quality": "Quality",
         "obligation": "Id"},
        rows,
        [Event(f"{told['baseline']}/{one['member']}/{one['topic']}", one["as_of"],
               f"{one['member']} {one['topic']}: {one['relation']}",
               f"{one['says']} [{one['source']}]\n{told['watermark']}".strip())
         for one in rows if len(one["as_of"]) == 10],
        _one(told["watermark"]), "",
    )  # fmt: skip


def diff_table(told: Mapping[str, Any]) -> Table:
    """The answer of `diff`, effects on systems first; these have days."""
    effects = [
        {"change": one["effect"], "article": one["article"], "provision": one["duty"],
         "field": one["system"], "before": one["before"] or "never",
         "after": one["after"] or "never"}
        for one in told["effects"]
    ]  # fmt: skip
    return Table(
        f"From {told['a']} to {told['b']}", f"{len(told['changes'])} changes by meaning.",
        {"change": "Change", "article": "Article", "provision": "Id", "field": "Of",
         "before": "Before", "after": "After"},
        [*effects, *told["changes"]],
        [Event(f"{told['a']}/{one['system']}/{one['duty']}", one["after"],
               f"{one['system']}: {one['effect']} {one['article']}",
               f"before: {one['before'] or 'never'}\n{told['watermark']}".strip())
         for one in told["effects"] if one["after"]],
        _one(told["watermark"]), "",
    )  # fmt: skip


def register_table(told: Mapping[str, Any]) -> Table:
    """A page of the register: a row for each point of each entry."""
    rows, events = [], []
    for entry in told["entries"]:
        facts = {**entry, "point": "", "label": entry["why"], "value": ""}
        rows += [{**facts, **field} for field in entry["fields"]] or [facts]
        title = f"{entry['member']}: {entry['state']}, section {entry['section']}"
        events.append(Event(entry["id"], entry["at"][:10], title, entry["article"]))
    return Table(
        "Register of AI systems", "As this viewer may see it.",
        {"id": "Entry", "member": "Member", "state": "State", "section": "Section",
         "place": "Place", "article": "Article", "at": "Entered", "point": "Point",
         "label": "Field", "value": "Value"},
        rows, events, (), "",
    )  # fmt: skip


def practices_table(told: Mapping[str, Any]) -> Table:
    """The compendium of practices; its events are the years of the practices."""
    rows = told["practices"]
    return Table(
        "Compendium of practices", "Each can be cited as its last column says.",
        {"member": "Member", "title": "Practice", "year": "Year", "says": "What was done",
         "tags": "Tags", "quality": "Source quality", "cite": "Cite as", "id": "Id"},
        rows,
        [Event(one["id"], f"{one['year']}-01-01", f"{one['member']}: {one['title']}", one["cite"])
         for one in rows],
        (), "",
    )  # fmt: skip


def assessment_table(told: Mapping[str, Any]) -> Table:
    """An impact assessment as a form: empty answers are for a person to write."""
    rows = [
        {"section": section["title"], "ask": one["ask"], "answer": one["answer"]}
        for section in told["sections"]
        for one in section["questions"]
    ]
    columns = {"section": "Section", "ask": "Question", "answer": "Answer"}
    lead = f"System: {told['system']}. {told['note']}"
    return Table(told["title"], lead, columns, rows, (), (), "")


TABLES: Mapping[str, Callable[[Mapping[str, Any]], Table]] = {
    "classify": findings_table,
    "duties": duties_table,
    "clocks": clocks_table,
    "matrix": matrix_table,
    "diff": diff_table,
    "register": register_table,
    "practices": practices_table,
    "assess": assessment_table,
}


def exported(answer: str, told: Mapping[str, Any], form: str, today: str) -> str:
    """An answer in JSON's plain values, in one of `FORMATS`.

    Args:
        answer: a key of `TABLES`.
        told: the answer, with its `rulebook` and `notice`.
        form: `csv`, `html` or `ics`.
        today: the calendar's own stamp where the answer has no day.

    Raises:
        Refused: `bad-parameter` for another format.
    """
    table = TABLES[answer](told)
    if not table.day:
        table = replace(table, day=today)
    return export(table, form, {name: told[name] for name in ("rulebook", "notice")})


def _event(system: str, key: str, day: str, one: Mapping[str, Any]) -> Event:
    member = f"{one['member']} " if "member" in one else ""
    about = [one.get("says", ""), f"{one['state']}, {one['text']}", one["watermark"]]
    title = f"{member}{one['article']}: {one['title']}"
    return Event(f"{system}/{key}/{day}", day, title, "\n".join(part for part in about if part))


def _name(told: Mapping[str, Any]) -> str:
    return str(told.get("name") or told["system"])


def _known(told: Mapping[str, Any]) -> str:
    return f", as known on {told['known']}" if told.get("known") else ""


def _marks(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one["watermark"] for one in rows if one.get("watermark")))


def _one(mark: str) -> tuple[str, ...]:
    return (mark,) if mark else ()
