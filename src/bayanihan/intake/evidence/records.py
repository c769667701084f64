"""Files that are lists: CSV, MISP events, STIX, and the logs of web servers."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import Any

import msgspec

from bayanihan.core import stix
from bayanihan.core.examined import Finding
from bayanihan.core.observables import HASH_DIGITS, observe
from bayanihan.core.pattern import read as read_pattern
from bayanihan.errors import Refused
from bayanihan.intake.evidence.part import TEXT_LIMIT, Opened, Part

RECORD_LIMIT = 20_000
_LINE = re.compile(
    r'^(?P<host>[0-9A-Fa-f.:]{3,45}) \S+ \S+ \[(?P<at>[^\]]{10,40})\] "(?P<method>[A-Z]{3,8}) '
    r'(?P<path>\S{1,4000})[^"]*" (?P<status>\d{3}) \S+(?: "[^"]*" "(?P<agent>[^"]{0,500})")?'
)
_SECOND = re.compile(r"(\d{2}):(\d{2}):(\d{2})")
# What a person never does: so many different pages, or pages that are not there, in one log.
_MANY_PATHS, _MANY_MISSES = 30, 10
_MISP = {
    "domain": "domain",
    "hostname": "domain",
    "ip": "ipv4",
    "ip-src": "ipv4",
    "ip-dst": "ipv4",
    "url": "url",
    "uri": "url",
    "email-src": "email",
    "email": "email",
    "tlsh": "tlsh",
    **{name: name for name in HASH_DIGITS},
}


def is_json_of(data: bytes) -> str:
    """`stix` or `misp` for JSON of these kinds; "" for everything else."""
    start = data[:4_096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith((b"{", b"[")):
        return ""
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    first = whole[0] if isinstance(whole, list) and whole else whole
    if not isinstance(first, dict):
        return ""
    if "Event" in first or "response" in first:
        return "misp"
    is_stix = "objects" in first or ("type" in first and "--" in str(first.get("id", "")))
    return "stix" if is_stix else ""


def read_stix(data: bytes, opened: Opened) -> None:
    """Keep the objects as they are; what their patterns name is shown."""
    try:
        opened.objects += stix.split(data).objects
    except Refused as refusal:
        opened.left_out.append(refusal.message)
        return
    for raw in opened.objects[:RECORD_LIMIT]:
        try:
            told = msgspec.json.decode(raw)
            if told.get("type") != "indicator" or told.get("pattern_type", "stix") != "stix":
                continue
            for block in read_pattern(str(told["pattern"])).blocks:
                why = f"The pattern of {str(told.get('id'))[:80]}."
                opened.findings.append(Finding(block.type, block.value, why, "the STIX"))
        except (Refused, msgspec.DecodeError, KeyError, AttributeError):
            continue


def read_misp(data: bytes, opened: Opened) -> None:
    """The attributes of MISP events; those not meant for detection are not indicators."""
    whole = msgspec.json.decode(data)
    events = whole if isinstance(whole, list) else whole.get("response", [whole])
    for event in events if isinstance(events, list) else [events]:
        inner = event.get("Event", event) if isinstance(event, dict) else {}
        if not isinstance(inner, dict):
            continue
        opened.parts.append(Part("the event", str(inner.get("info", ""))[:2_000]))
        attributes = list(inner.get("Attribute") or [])
        for group in inner.get("Object") or []:
            attributes += (group.get("Attribute") or []) if isinstance(group, dict) else []
        for attribute in attributes[:RECORD_LIMIT]:
            _attribute(attribute, opened)


def _attribute(attribute: Any, opened: Opened) -> None:
    if not isinstance(attribute, dict):
        return
    kinds, values = str(attribute.get("type", "")), str(attribute.get("value", ""))[:8_192]
    parted = zip(kinds.split("|"), values.split("|"), strict=False)
    for kind, value in parted:
        if kind not in _MISP or not value:
            continue
        try:
            found = observe("ipv6" if ":" in value and "ip" in kind else _MISP[kind], value)
        except Refused:
            continue
        detects = bool(attribute.get("to_ids", True))
        why = f"A MISP attribute ({kind})." + ("" if detects else " MISP says: not for detection.")
        role = "named" if detects else "carrier"
        opened.findings.append(Finding(found.type, found.value, why, "the event", role))


def is_table(text: str) -> bool:
    """Whether text is rows of as many cells, parted by commas, semicolons or tabs."""
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:10]
    if len(lines) < 3:
        return False
    return any(
        len({line.count(sign) for line in lines}) == 1 and lines[0].count(sign) >= 1
        for sign in (",", ";", "\t")
    )


def read_table(text: str, opened: Opened) -> None:
    """The cells of a table, each on its own line so that none runs into the next."""
    first = text.splitlines()[0]
    sign = max(",;\t", key=first.count)
    rows = []
    try:
        for number, row in enumerate(csv.reader(text.splitlines(), delimiter=sign)):
            if number >= RECORD_LIMIT:
                opened.left_out.append(f"Of its rows the first {RECORD_LIMIT} were read.")
                break
            rows.append("\n".join(row))
    except csv.Error as error:
        opened.left_out.append(f"Its rows could not all be read: {error}.")
    opened.parts.append(Part("the table", "\n".join(rows)[:TEXT_LIMIT]))


def is_access_log(text: str) -> bool:
    """Whether most lines are requests in the common or combined log format."""
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:20]
    return len(lines) >= 3 and sum(_LINE.match(line) is not None for line in lines) * 5 >= (
        len(lines) * 4
    )


def read_access_log(text: str, opened: Opened) -> None:
    """Who asked for too much, too fast: by breadth and cadence, never by what was read.

    Paths stay with the reporter: they may name the victim's own pages and customers.
    """
    asked: dict[str, Counter[str]] = {}
    misses: Counter[str] = Counter()
    seconds: dict[str, Counter[str]] = {}
    for line in text.splitlines()[: 10 * RECORD_LIMIT]:
        found = _LINE.match(line)
        if not found:
            continue
        host = found["host"]
        asked.setdefault(host, Counter())[found["path"].partition("?")[0]] += 1
        misses[host] += found["status"] in ("404", "403", "401", "400")
        at = _SECOND.search(found["at"])
        seconds.setdefault(host, Counter())[at[0] if at else ""] += 1
    for host, paths in sorted(asked.items()):
        if len(paths) < _MANY_PATHS and misses[host] < _MANY_MISSES:
            continue
        try:
            place = observe("ipv6" if ":" in host else "ipv4", host)
        except Refused:
            continue
        fastest = max(seconds[host].values())
        told = (
            f"{place.value} asked for {len(paths)} different pages in {paths.total()} requests,"
            f" up to {fastest} in one second; {misses[host]} were refused or not there."
        )
        opened.cadence.append(told)
        opened.findings.append(Finding(place.type, place.value, told, "the log"))
