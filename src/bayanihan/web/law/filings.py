"""Filings, kept: one report of an incident, a draft for each filing owed, and its clock.

The hub drafts; a named person files; the clock runs on until the addressee's authority
acknowledges. What was filed goes to the filer's member and the addressee's, and to nobody else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.rulebook.clocks import (
    Clock,
    Incident,
    clocks,
    local_text,
    moment_text,
    read_moment,
    working_days_left,
)
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.filing import FIELDS, render, values_of
from bayanihan.rulebook.question import MEMBERS, check_dates, check_members
from bayanihan.rulebook.system import System, system_from_json, with_markets
from bayanihan.rulebook.view import view
from bayanihan.web.law.desk import Desk, text_of
from bayanihan.web.law.docket import Kept
from bayanihan.web.law.people import authority, person
from bayanihan.web.law.records import Acknowledged, Filed
from bayanihan.web.law.register import SYSTEM_KEYS

KEYS = SYSTEM_KEYS | {"kind", "aware", "says", "member", "known", "fields"}
FILLED = frozenset(name for name, _ in FIELDS)


def read_incident(desk: Desk, body: dict[str, Any]) -> tuple[System, Incident, list[Clock]]:
    """The clocks of one reported incident, from `{facts, kind, aware, says?, member?, known?}`.

    Raises:
        Refused: what is wrong in the body, with its JSON path.
    """
    book = desk.book
    raw = {key: value for key, value in body.items() if key in SYSTEM_KEYS}
    system = system_from_json(raw, book.vocabulary)
    aware = read_moment(text_of(body, "aware", needed=True), "$.aware")
    if aware > desk.now():
        raise Refused("bad-value", "Nobody is aware of what is still to come.", where="$.aware")
    asked = _texts(body, "member")
    members = check_members(asked) or list(MEMBERS)
    known = check_dates(book, aware.date().isoformat(), text_of(body, "known"))[1]
    kinds = tuple(_texts(body, "kind"))
    if not kinds:
        raise Refused("missing-property", "Say what kind of incident it is.", where="$.kind")
    incident = Incident(desk.new_id("incident"), kinds, aware, text_of(body, "says"))
    derivation = Derivation(view(book, known), with_markets(system.facts, members))
    return system, incident, clocks(derivation, incident, members, desk.working_day)


def _texts(body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused("bad-value", f"`{name}` is a list of texts.", where=f"$.{name}")
    return value


def begin(desk: Desk, viewer: Viewer, body: dict[str, Any]) -> dict[str, Any]:
    """Report an incident once: its clocks, and a draft kept for each filing owed.

    Raises:
        Refused: what is wrong in the body; `not-permitted` for who may not file.
    """
    person(viewer)
    fields = _fields(body)
    system, incident, found = read_incident(desk, body)
    drafts = []
    for clock in found:
        for deadline in clock.deadlines if clock.state == "runs" else ():
            draft: dict[str, Any] = {
                "id": desk.new_id("filing"),
                "genre": "filing",
                "incident": incident.id,
                "clock": clock.clock,
                "part": deadline.part,
                "kind": clock.kind,
                "member": clock.member,
                "addressee": clock.addressee,
                "due": moment_text(deadline.due) or "",
                "at": desk.said_now(),
                "system": system.name or system.id,
                "values": {**values_of(clock, incident, system), **fields},
            }
            desk.keep_draft(viewer, draft["id"], draft)
            drafts.append(_draft_told(desk, draft))
    return {
        **desk.book.stamp(),
        "incident": incident.id,
        "clocks": [clock.as_json() for clock in found],
        "filings": drafts,
    }


def _fields(body: dict[str, Any]) -> dict[str, str]:
    fields = body.get("fields") or {}
    if not isinstance(fields, dict):
        raise Refused("bad-value", "`fields` is an object.", where="$.fields")
    for name in fields:
        where = f"$.fields.{name}"
        if name not in FILLED:
            known = ", ".join(name for name, _ in FIELDS)
            message = f"A filing has no field {name!r}; it has {known}."
            raise Refused("bad-value", message, where=where)
        if name in ("addressee", "aware"):
            raise Refused("bad-value", f"{name} follows from the report.", where=where)
    return {name: text_of(fields, name, at="$.fields") for name in fields}


def file(desk: Desk, viewer: Viewer, record_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """A named person files a draft of their own organisation. The clock goes on.

    Raises:
        Refused: `not-found` for no such draft, `conflict` when it is filed already,
            `missing-property` naming the open fields.
    """
    person(viewer)
    with desk.deciding():
        draft = _draft(desk, viewer, record_id)
        if draft.get("genre") != "filing":
            raise Refused("not-found", "You keep no such draft", where=record_id)
        values = {**draft["values"], **_fields(body)}
        part, member = draft["part"], draft["member"]
        text, missing = render(part, member, draft["incident"], values)
        if missing:
            raise Refused(
                "missing-property", f"Fill in first: {', '.join(missing)}.", where="$.fields"
            )
        names = ("id", "incident", "clock", "kind", "addressee", "due", "system")
        filed = Filed(
            **{name: draft[name] for name in names},
            part=part,
            member=member,
            text=text,
            person=viewer.person,
            at=desk.said_now(),
            rulebook=desk.book.digest,
        )
        desk.enter(viewer, [(filed, desk.among(viewer, (viewer.member, member)))])
        desk.drop_draft(viewer, record_id)
    return one(desk, viewer, record_id)


def _draft(desk: Desk, viewer: Viewer, record_id: str) -> dict[str, Any]:
    if desk.has_draft(viewer, record_id):
        if not desk.is_entered(record_id):
            return desk.draft(viewer, record_id)
        desk.drop_draft(viewer, record_id)  # a crash left it, or another node is about to drop it
    desk.history(viewer, record_id)
    message = "It is filed already, and what was filed stays as it was."
    raise Refused("conflict", message, where=record_id, next_step="Nothing.")


def acknowledge(desk: Desk, viewer: Viewer, record_id: str, reference: str) -> dict[str, Any]:
    """The addressee's authority acknowledges: this alone stops the clock.

    Where the addressee is of no member of this hub (the European Union), the filer's own
    authority enters the letter by its reference.

    Raises:
        Refused: `not-found`, `not-permitted` for anybody else, `conflict` the second time,
            `missing-property` without a reference.
    """
    authority(viewer)
    with desk.deciding():
        history = desk.history(viewer, record_id)
        kept = history[0]
        filed = kept.record
        if not isinstance(filed, Filed):
            raise Refused("not-found", "There is no such filing", where=record_id)
        here = filed.member in desk.members()
        wanted = filed.member if here else kept.entry.origin.partition("/")[0]
        if viewer.member != wanted or viewer.person == filed.person:
            raise Refused(
                "not-permitted",
                "Only the addressee's acknowledgement stops the clock.",
                where=viewer.member,
                next_step=f"Wait for the word of: {filed.addressee}.",
            )
        if len(history) > 1:
            raise Refused("conflict", "It is acknowledged already.", next_step="Nothing.")
        if not reference:
            raise Refused(
                "missing-property", "An acknowledgement carries a reference.", where="$.reference"
            )
        act = Acknowledged(record_id, viewer.member, reference, viewer.person, desk.said_now())
        desk.enter(viewer, [(act, desk.audience_of(kept))])
    return one(desk, viewer, record_id)


def one(desk: Desk, viewer: Viewer, record_id: str) -> dict[str, Any]:
    """A filing as the filer and the addressee see it. Raises `Refused("not-found")`."""
    return {**desk.book.stamp(), **_told(desk, desk.history(viewer, record_id))}


def listed(desk: Desk, viewer: Viewer, after: str, limit: int) -> dict[str, Any]:
    """Drafts of one's own, then a page of filings that one may see, each with its clock."""
    person(viewer)
    drafts = [_draft_told(desk, d) for d in desk.drafts(viewer) if d.get("genre") == "filing"]
    found, following = desk.newest(viewer, "filing", "", after, limit)
    filings = [_told(desk, desk.acts(viewer, kept.record.id)) for kept in found]
    return {
        **desk.book.stamp(),
        "drafts": sorted(drafts, key=lambda draft: draft["due"] or "~"),
        "filings": filings,
        "next": following,
    }


def _told(desk: Desk, history: list[Kept]) -> dict[str, Any]:
    filed = history[0].record
    if not isinstance(filed, Filed):
        raise Refused("not-found", "There is no such filing", where=history[0].record.id)
    told: dict[str, Any] = {
        name: getattr(filed, name) for name in filed.__struct_fields__ if name != "rulebook"
    }
    told |= {"state": "filed", "filed_by": told.pop("person"), "filed_at": told.pop("at")}
    told["from"] = history[0].entry.origin
    stopped = next((k.record for k in history if isinstance(k.record, Acknowledged)), None)
    if stopped is not None:
        told |= {
            "state": "acknowledged",
            "acknowledged_by": stopped.person,
            "acknowledged_at": stopped.at,
            "reference": stopped.reference,
        }
    return {**told, **clock_of(desk, filed.due, filed.member, stopped is not None)}


def _draft_told(desk: Desk, draft: dict[str, Any]) -> dict[str, Any]:
    text, missing = render(draft["part"], draft["member"], draft["incident"], draft["values"])
    kept = {key: value for key, value in draft.items() if key not in ("values", "genre")}
    clock = clock_of(desk, draft["due"], draft["member"], stopped=False)
    return {**kept, "state": "drafted", "text": text, "open": list(missing), **clock}


def clock_of(desk: Desk, due: str, member: str, stopped: bool) -> dict[str, Any]:
    """How a clock stands: its status, due time in the member's zone, working days left."""
    if not due:
        return {
            "status": "stopped" if stopped else "running",
            "due_there": "",
            "working_days": None,
        }
    moment, now = datetime.fromisoformat(due), desk.now()
    status = "stopped" if stopped else "overdue" if now > moment else "running"
    left = 0 if stopped else working_days_left(now, moment, member, desk.working_day)
    return {"status": status, "due_there": local_text(moment, member), "working_days": left}
