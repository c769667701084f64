"""Answers as a sheet (CSV), a calendar (iCalendar, RFC 5545) and a page to print (HTML).

Every export names the rulebook by digest, says that it is not legal advice, and carries the
watermark of a text that has no standing.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

from bayanihan.rulebook.duties import Duty
from bayanihan.rulebook.system import System

# A cell that begins so would be run as a formula by spreadsheet programs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet(rows: Sequence[Mapping[str, Any]], stamp: Mapping[str, str]) -> str:
    """Rows as CSV with a header; lists are joined by "; ", the stamp stands in each row.

    Cells that a spreadsheet would take for a formula are quoted with an apostrophe.
    """
    out = io.StringIO()
    names = [*rows[0], *stamp] if rows else [*stamp]
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell({**row, **stamp}[name]) for name in names])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        value = "; ".join(str(item) for item in value)
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def duties_calendar(
    system: System, duties: Sequence[Duty], day: str, stamp: Mapping[str, str]
) -> str:
    """An all-day event for each duty that begins on a day still to come or just come.

    Args:
        system: whose duties they are.
        duties: as derived; those without a day are left out.
        day: the law date asked for, used as the calendar's own stamp.
        stamp: the rulebook's digest and notice.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bayanihan//rulebook//EN"]
    moment = day.replace("-", "") + "T000000Z"
    for duty in duties:
        if not duty.due:
            continue
        key = f"{system.id}/{duty.member}/{duty.duty}/{duty.due}"
        uid = hashlib.sha256(key.encode()).hexdigest()[:32]
        about = [duty.says, f"{duty.state}, {duty.bindingness}, {duty.text}", duty.watermark]
        about += [stamp["rulebook"], stamp["notice"]]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{uid}@rulebook.bayanihan",
            f"DTSTAMP:{moment}",
            f"DTSTART;VALUE=DATE:{duty.due.replace('-', '')}",
            f"SUMMARY:{_escaped(f'{duty.member} {duty.article}: {duty.title}')}",
            f"DESCRIPTION:{_escaped(chr(10).join(part for part in about if part))}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) + "\r\n" for line in lines)


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text.replace("\r", "")


def _folded(line: str) -> str:
    """Fold to 75 octets a line, never inside a character (RFC 5545, section 3.1)."""
    parts, part, size = [], "", 0
    for letter in line:
        width = len(letter.encode())
        if size + width > 74:
            parts.append(part)
            part, size = "", 0
        part += letter
        size += width
    return "\r\n ".join([*parts, part])


_STYLE = """body{font:11pt/1.4 serif;margin:2cm;color:#111}h1{font-size:16pt}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #777;padding:4px 6px;
text-align:left;vertical-align:top;font-size:9.5pt}thead{display:table-header-group}
tr{break-inside:avoid}.mark{font-weight:bold;color:#a00}footer{margin-top:1em;font-size:8.5pt}
@page{margin:1.5cm}"""


def page(
    title: str,
    lead: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    stamp: Mapping[str, str],
    watermarks: Sequence[str] = (),
) -> str:
    """A table as a page to print: no script, no outside resource, every value escaped."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in values)

    marks = "".join(f'<p class="mark">{html.escape(text)}</p>' for text in watermarks)
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(lead)}</p>{marks}"
        f"<table><thead><tr>{cells('th', columns)}</tr></thead><tbody>{body}</tbody></table>"
        f"<footer>{html.escape(stamp['notice'])} Rulebook {html.escape(stamp['rulebook'])}"
        f"</footer></body></html>"
    )


def duties_page(system: System, duties: Sequence[Duty], day: str, stamp: Mapping[str, str]) -> str:
    """The duties of a system as a page to print."""
    rows = [
        (
            one.member, one.state, one.due or "not known", f"{one.article}: {one.title}",
            one.bindingness, ", ".join(one.evidence) or "not known", one.checked_by, one.cost,
            one.watermark,
        )
        for one in duties
    ]  # fmt: skip
    columns = (
        "Member", "State", "From", "Duty", "Binds as", "Evidence", "Checked by", "Cost (SME)",
        "Mark",
    )  # fmt: skip
    marks = tuple(dict.fromkeys(one.watermark for one in duties if one.watermark))
    return page(f"Duties: {system.name or system.id}", f"On {day}.", columns, rows, stamp, marks)
