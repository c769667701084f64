"""Attestations as evidence: what the record says of each, at this moment.

A registration names its attestations by the digest of the signed envelope. Here the record is
asked whether such an attestation entered, whether it is about the registered artefact, whether
its author withdrew it, and whether an authority decided that it is revoked or that the system
drifted. The rulebook then judges the values; it reads no record.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import duties
from bayanihan.rulebook.evidence import Attestation
from bayanihan.rulebook.question import JURISDICTIONS, ask, check_dates, check_members
from bayanihan.rulebook.rights import rights
from bayanihan.rulebook.system import System, system_from_json, with_markets
from bayanihan.rulebook.tracks import track_of
from bayanihan.rulebook.truth import check_day
from bayanihan.web.law.desk import Desk, sees_all, text_of
from bayanihan.web.law.docket import Attested
from bayanihan.web.law.people import authority
from bayanihan.web.law.records import AUTHORITY_VIEW, Judged, Registered

JUDGE_KEYS = frozenset({"state", "since", "reason"})
STATES = ("revoked", "drifted")


def judge(desk: Desk, viewer: Viewer, digest: str, body: dict[str, Any]) -> dict[str, Any]:
    """An authority decides that an attestation is revoked, or that the system drifted from it.

    Raises:
        Refused: `not-permitted` for who is no authority, `not-found` for no such attestation,
            `bad-value` for another state or no day, `missing-property` without a reason.
    """
    authority(viewer)
    found = _found(desk, viewer, digest)
    state = text_of(body, "state", needed=True)
    if state not in STATES:
        raise Refused("bad-value", f"{state!r} is none of {', '.join(STATES)}.", where="$.state")
    since = text_of(body, "since") or desk.said_now()[:10]
    act = Judged(
        found.id,
        found.digest,
        state,
        check_day(since, "$.since"),
        text_of(body, "reason", needed=True),
        viewer.member,
        viewer.person,
        desk.said_now(),
    )
    with desk.deciding():
        desk.enter(viewer, [(act, desk.audience_at(found.position))])
    return one(desk, viewer, digest)


def one(desk: Desk, viewer: Viewer, digest: str) -> dict[str, Any]:
    """What the record says of one attestation. Raises `Refused("not-found")`."""
    found = _found(desk, viewer, digest)
    judged = [_told(act) for act in _judged(desk, viewer, found)]
    value = _value(desk, viewer, found, "", "", judged_by=None)
    return {
        **desk.book.stamp(),
        "digest": found.digest,
        "id": found.id,
        "origin": found.origin,
        "since": value.start,
        "until": value.end,
        "revoked": value.revoked,
        "drifted": value.drifted,
        "decisions": judged,
    }


def _told(act: Judged) -> dict[str, str]:
    names = ("state", "since", "reason", "member", "person", "at")
    return {name: getattr(act, name) for name in names}


def _found(desk: Desk, viewer: Viewer, digest: str) -> Attested:
    found = desk.attested(viewer, digest)
    if found is None:
        raise Refused("not-found", "There is no such attestation in the record", where=digest)
    return found


def _judged(desk: Desk, viewer: Viewer, found: Attested) -> list[Judged]:
    acts = desk.judged(viewer, found.id)
    return [act for act in acts if act.digest == found.digest]


def evidence_of(
    desk: Desk, viewer: Viewer, system: System, artefact: str, member: str
) -> tuple[Attestation, ...]:
    """The attestations that a system names, each as the record has it for one member.

    What the record does not hold counts for nothing and is left out: the duty then says that
    none was given.

    Args:
        desk: the record.
        viewer: whose rights decide what is read.
        system: names attestations by digest and kind; its own days are not believed.
        artefact: `sha256:...` of what is registered; "" where it was not given.
        member: whose authority's decisions count, beside those of the attestation's origin.
    """
    made = []
    for claim in system.attestations:
        found = desk.attested(viewer, claim.digest)
        if found is not None:
            made.append(_value(desk, viewer, found, claim.kind, artefact, judged_by=member))
    return tuple(made)


def _value(
    desk: Desk, viewer: Viewer, found: Attested, kind: str, artefact: str, judged_by: str | None
) -> Attestation:
    since = _day(found.stamp_us)
    subjects, until = read_statement(desk.body_at(viewer, found.position))
    days = {"revoked": [_day(at) for at in desk.withdrawn(found)], "drifted": list[str]()}
    if artefact and artefact not in subjects:
        days["drifted"].append(since)  # what is registered is not what was tested
    issuer = found.origin.partition("/")[0]
    for act in _judged(desk, viewer, found):
        if judged_by is None or act.member in (issuer, judged_by):
            days[act.state].append(act.since)
    first = {state: min(found_days, default="") for state, found_days in days.items()}
    return Attestation(found.digest, kind, since, until, **first)


def _day(stamp_us: int) -> str:
    return datetime.fromtimestamp(stamp_us / 1_000_000, UTC).date().isoformat()


def read_statement(envelope: bytes) -> tuple[frozenset[str], str]:
    """The subjects (`sha256:...`) and the expiry of an in-toto Statement in a DSSE envelope.

    Signatures were checked when the attestation entered. What cannot be read has no subject.
    """
    try:
        outer = msgspec.json.decode(envelope)
        statement = msgspec.json.decode(base64.b64decode(outer["payload"], validate=True))
        subjects = frozenset(f"sha256:{one['digest']['sha256']}" for one in statement["subject"])
        predicate = statement.get("predicate") or {}
        until = str(predicate.get("expires") or "")[:10]
    except (msgspec.DecodeError, binascii.Error, KeyError, TypeError, AttributeError, ValueError):
        return frozenset(), ""
    return subjects, until


def owed(
    desk: Desk, viewer: Viewer, record_id: str, members: Sequence[str], as_of: str
) -> dict[str, Any]:
    """The duties of a registered system, with the evidence that the record holds now.

    Raises:
        Refused: `not-found` for no entry that the viewer may read in full, or what is wrong
            with the question.
    """
    book = desk.book
    day = check_dates(book, as_of, "")[0]
    record = _registered(desk, viewer, record_id)
    raw = {key: value for key, value in record.system.items() if key != "artefact"}
    system = system_from_json(raw, book.vocabulary)
    held = system.facts.get("markets", ())
    markets = [one for one in JURISDICTIONS if isinstance(held, tuple) and one in held]
    asked = check_members(list(members)) or markets
    if not asked:
        raise Refused("bad-parameter", "Name at least one member.", where="member")
    facts = with_markets(system.facts, asked)
    artefact = str(record.system.get("artefact", ""))
    found: list[dict[str, Any]] = []
    given: list[dict[str, Any]] = []
    for member in asked:
        derivation = Derivation(ask(book, "", {}, track_of(book, member)), facts)
        evidence = evidence_of(desk, viewer, system, artefact, member)
        found += [one.as_json() for one in duties(derivation, member, day, evidence)]
        given += [one.as_json() for one in rights(derivation, member, day)]
    told = {"as_of": day, "known": "", "system": system.id, "name": system.name}
    return {**book.stamp(), **told, "id": record_id, "duties": found, "rights": given}


def _registered(desk: Desk, viewer: Viewer, record_id: str) -> Registered:
    for kept in reversed(desk.history(viewer, record_id)):
        record = kept.record
        if isinstance(record, Registered) and record.view == AUTHORITY_VIEW:
            if sees_all(viewer, kept):
                return record
            break
    raise Refused("not-found", "There is no such entry that you may read in full", where=record_id)
