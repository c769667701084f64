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
from dataclasses import dataclass
from typing import Any

# A cell that begins so would be run as a formula by spreadsheet programs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet(
    rows: Sequence[Mapping[str, Any]], stamp: Mapping[str, str], columns: Sequence[str]
) -> str:
    """Rows as CSV with a header; lists are joined by "; ", the stamp stands in each row.

    Cells that a spreadsheet would take for a formula are quoted with an apostrophe.
    """
    out = io.StringIO()
    names = [*columns, *stamp]
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


@dataclass(frozen=True, slots=True)
class Event:
    """One day or moment of a calendar.

    Attributes:
        key: what makes it this event and no other, from which its UID follows.
        at: a day `2027-12-02`, or a moment in UTC `2026-11-22T11:30:00Z`.
        title, about: what people read.
    """

    key: str
    at: str
    title: str
    about: str


def calendar(
    events: Sequence[Event], day: str, stamp: Mapping[str, str], watermarks: Sequence[str] = ()
) -> str:
    """Events as iCalendar: days are all-day events, moments take no time.

    Args:
        events: in the order wanted.
        day: the day asked about, used as the calendar's own stamp.
        stamp: the rulebook's digest and notice.
        watermarks: of texts without standing.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bayanihan//rulebook//EN"]
    said = "; ".join([*watermarks, f"{stamp['notice']} Rulebook {stamp['rulebook']}"])
    lines.append(f"X-WR-CALDESC:{_escaped(said)}")
    moment = day.replace("-", "") + "T000000Z"
    for event in events:
        uid = hashlib.sha256(event.key.encode()).hexdigest()[:32]
        about = [event.about, stamp["rulebook"], stamp["notice"]]
        plain = event.at.replace("-", "").replace(":", "")
        start = f"DTSTART:{plain}" if "T" in plain else f"DTSTART;VALUE=DATE:{plain}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:{uid}@rulebook.bayanihan",
            f"DTSTAMP:{moment}",
            start,
            f"SUMMARY:{_escaped(event.title)}",
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
