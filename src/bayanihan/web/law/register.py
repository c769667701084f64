"""The register of AI systems, kept: who enters a system, and who sees what of it.

A registration is entered twice under one id: TLP:CLEAR what the public may see, and for the
members' authorities the whole. Critical infrastructure (Annex III, point 2) stays with the
authorities of its own member.
"""

from __future__ import annotations

from typing import Any

from bayanihan.core.marking import Audience, Viewer
from bayanihan.errors import Refused
from bayanihan.rulebook import register as registers
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.question import check_dates
from bayanihan.rulebook.system import System, system_from_json
from bayanihan.rulebook.view import view
from bayanihan.web.law.desk import CLEAR, Desk, sees_all, text_of
from bayanihan.web.law.docket import Kept
from bayanihan.web.law.people import person, speaks_for_authority
from bayanihan.web.law.records import AUTHORITY_VIEW, PUBLIC_VIEW, Field, Registered

SYSTEM_KEYS = frozenset({"system", "name", "about", "facts", "attestations", "register"})
KEYS = SYSTEM_KEYS | {"artefact", "id", "draft", "reason", "as_of", "voluntary"}
REGISTERED, WITHDRAWN = "registered", "withdrawn"


def enter(desk: Desk, viewer: Viewer, body: dict[str, Any], today: str) -> dict[str, Any]:
    """Enter a system, or a new version of one's own entry; with `draft` only keep it.

    Raises:
        Refused: what is wrong or missing, with its JSON path; `conflict` when no duty leads
            to the register and `voluntary` was not said; `not-found` for another's entry.
    """
    person(viewer)
    book = desk.book
    day = check_dates(book, body.get("as_of") or today, "")[0]
    raw = {key: value for key, value in body.items() if key in SYSTEM_KEYS}
    system = system_from_json(raw, book.vocabulary)
    if artefact := text_of(body, "artefact"):
        raw["artefact"] = artefact
    if not system.id:
        raise Refused("missing-property", "Name the system: `system`.", where="$.system")
    record_id = text_of(body, "id") or desk.new_id("ai-system")
    if body.get("draft") is True:
        kept = {**raw, "id": record_id, "genre": "register", "at": desk.said_now()}
        desk.keep_draft(viewer, record_id, kept)
        return {**book.stamp(), "id": record_id, "state": "draft"}
    with desk.deciding():
        _check_own(desk, viewer, record_id, body)
        acts = _acts(desk, viewer, record_id, body, raw, system, day)
        desk.enter(viewer, acts)
        desk.drop_draft(viewer, record_id)
    whole = acts[1][0]
    return {**book.stamp(), **_whole(whole), "public": _public(acts[0][0])}


def _acts(
    desk: Desk,
    viewer: Viewer,
    record_id: str,
    body: dict[str, Any],
    raw: dict[str, Any],
    system: System,
    day: str,
) -> list[tuple[Registered, Audience]]:
    book = desk.book
    derivation = Derivation(view(book), system.facts)
    voluntary = body.get("voluntary") is True
    whole, shown = (
        registers.entry(derivation, system, day, who, voluntary=voluntary)
        for who in ("authority", "public")
    )
    if not whole.section:
        raise Refused(
            "conflict",
            f"No duty leads this system to the register: {whole.why}.",
            where="$.facts",
            next_step="Correct the facts, or send `voluntary: true`.",
        )
    registers.check_fields(book, whole.section, system.register)
    if whole.missing:
        raise Refused(
            "missing-property",
            f"Section {whole.section} also asks for: {'; '.join(whole.missing)}.",
            where="$.register",
            next_step="Fill them in, or keep it with `draft: true`.",
        )
    facts: dict[str, Any] = {
        "id": record_id,
        "state": REGISTERED,
        "section": whole.section,
        "article": whole.article,
        "place": whole.place,
        "as_of": day,
        "at": desk.said_now(),
        "rulebook": book.digest,
        "member": viewer.member,
    }
    reason = text_of(body, "reason")
    public = Registered(**facts, view=PUBLIC_VIEW, why=shown.why, fields=_fields(shown))
    private = Registered(
        **facts,
        view=AUTHORITY_VIEW,
        why=whole.why,
        fields=_fields(whole),
        system=raw,
        missing=whole.missing,
        person=viewer.person,
        reason=reason,
    )
    national = whole.place == "national"
    readers = [viewer.member] if national else desk.members()
    return [(public, CLEAR), (private, desk.among(viewer, readers))]


def _fields(entry: registers.Entry) -> tuple[Field, ...]:
    return tuple(Field(*field) for field in entry.fields)


def _check_own(desk: Desk, viewer: Viewer, record_id: str, body: dict[str, Any]) -> None:
    """An id given is that of the viewer's own entry, or of their draft."""
    if not body.get("id"):
        return
    try:
        newest = desk.history(viewer, record_id)[-1]
    except Refused:
        desk.draft(viewer, record_id)  # refused as not found when there is none either
        return
    if newest.entry.origin != viewer.origin or not isinstance(newest.record, Registered):
        raise Refused("not-found", "You entered no such system", where=record_id)


def withdraw(desk: Desk, viewer: Viewer, record_id: str, reason: str) -> dict[str, Any]:
    """Mark one's own entry as withdrawn: it stays, and says so.

    Raises:
        Refused: `not-found` for no entry of one's own, `conflict` when it is withdrawn already.
    """
    person(viewer)
    with desk.deciding():
        _check_own(desk, viewer, record_id, {"id": record_id})
        acts: list[tuple[Registered, Audience]] = []
        for kept in _newest_views(desk.history(viewer, record_id)):
            record = kept.record
            assert isinstance(record, Registered)
            if record.state == WITHDRAWN:
                raise Refused("conflict", "It is withdrawn already.", next_step="Nothing.")
            whole = record.view == AUTHORITY_VIEW
            said = {"person": viewer.person, "reason": reason} if whole else {}
            changed = _changed(record, state=WITHDRAWN, at=desk.said_now(), **said)
            acts.append((changed, desk.audience_of(kept)))
        desk.enter(viewer, acts)
    return {"id": record_id, "state": WITHDRAWN}


def _changed(record: Registered, **changes: Any) -> Registered:
    names = record.__struct_fields__
    return Registered(**{**{name: getattr(record, name) for name in names}, **changes})


def _newest_views(history: list[Kept]) -> list[Kept]:
    newest: dict[str, Kept] = {}
    for kept in history:
        if isinstance(kept.record, Registered):
            newest[kept.record.view] = kept
    return list(newest.values())


def one(desk: Desk, viewer: Viewer, record_id: str) -> dict[str, Any]:
    """An entry as the viewer may see it: in full for authorities and for who entered it.

    Raises:
        Refused: `not-found`.
    """
    views = {}
    records = []
    for kept in desk.history(viewer, record_id):
        if isinstance(kept.record, Registered):
            records.append(kept.record)
            views[kept.record.view] = kept
    if not views:
        raise Refused("not-found", "There is no such entry", where=record_id)
    whole = views.get(AUTHORITY_VIEW)
    full = whole is not None and sees_all(viewer, whole)
    kept = whole if full and whole else views[PUBLIC_VIEW]
    seen_as = AUTHORITY_VIEW if full else PUBLIC_VIEW
    versions = [record for record in records if record.view == seen_as]
    told = {**told_of(kept), "versions": len(versions)}
    return {**desk.book.stamp(), **told}


def told_of(kept: Kept) -> dict[str, Any]:
    """One kept registration as JSON, with where it stands in the record."""
    record = kept.record
    assert isinstance(record, Registered)
    return _whole(record) if record.view == AUTHORITY_VIEW else _public(record)


def listed(desk: Desk, viewer: Viewer, seen_as: str, after: str, limit: int) -> dict[str, Any]:
    """A page of the register, newest first.

    Raises:
        Refused: `bad-parameter` for another view, `not-permitted` without `regulate`.
    """
    if seen_as not in registers.VIEWERS:
        raise Refused("bad-parameter", f"{seen_as!r} is none of public, authority.", where="view")
    if seen_as == AUTHORITY_VIEW and not speaks_for_authority(viewer):
        raise Refused(
            "not-permitted",
            "The authorities' view needs a member's key with `regulate`.",
            where="view",
            next_step="Ask for `view=public`.",
        )
    found, following = desk.newest(viewer, "register", seen_as, after, limit)
    entries = [told_of(kept) for kept in found]
    return {**desk.book.stamp(), "view": seen_as, "entries": entries, "next": following}


def registered_systems(desk: Desk, viewer: Viewer, limit: int) -> list[System]:
    """The systems in force in the register that an authority may see, for what-if questions."""
    found, _ = desk.newest(viewer, "register", AUTHORITY_VIEW, "", limit)
    systems = []
    for kept in found:
        record = kept.record
        if isinstance(record, Registered) and record.state == REGISTERED and sees_all(viewer, kept):
            raw = {key: value for key, value in record.system.items() if key in SYSTEM_KEYS}
            systems.append(system_from_json(raw, desk.book.vocabulary))
    return systems


def _public(record: Registered) -> dict[str, Any]:
    names = (
        "id",
        "view",
        "state",
        "section",
        "article",
        "place",
        "why",
        "as_of",
        "at",
        "member",
        "rulebook",
    )
    told: dict[str, Any] = {name: getattr(record, name) for name in names}
    # Which rulebook placed it; the answer's own `rulebook` is the one that speaks now.
    told["placed_by"] = told.pop("rulebook")
    told["fields"] = [
        {"point": each.point, "label": each.label, "value": each.value} for each in record.fields
    ]
    return told


def _whole(record: Registered) -> dict[str, Any]:
    return {
        **_public(record),
        "system": dict(record.system),
        "missing": list(record.missing),
        "person": record.person,
        "reason": record.reason,
    }
