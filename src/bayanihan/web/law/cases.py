"""Cases, kept: safeguard and sanction procedures in which people take every step.

A case is its entries: the opening, then one `decision` a step, each by a named person with a
reason. It is replayed through the rulebook's procedure; a step that does not follow is listed
as void, never counted. No clock and no score takes a step.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bayanihan.core.marking import REGION, Viewer
from bayanihan.errors import Refused
from bayanihan.rulebook import procedure as procedures
from bayanihan.rulebook.clocks import local_text, read_moment
from bayanihan.web.law.desk import Desk, text_of
from bayanihan.web.law.docket import Kept
from bayanihan.web.law.people import authority, person
from bayanihan.web.law.records import Opened, Stepped

OPEN_KEYS = frozenset({"procedure", "subject", "prohibited", "reason", "tlp", "group"})
STEP_KEYS = frozenset(
    {"step", "office", "reason", "reference", "prescribed", "share", "factors", "evidence"}
)
# Members' authorities act here themselves, and so may an organisation that is concerned. The
# word of anybody else is entered by the authority that opened the case, with its document.
_AUTHORITIES = ("authority", "other-authority")
_PARTIES = ("operator", "party")
_EVIDENCE_LIMIT = 50


def begin(desk: Desk, viewer: Viewer, body: dict[str, Any]) -> dict[str, Any]:
    """An authority opens a case: `{procedure, subject, reason, prohibited?, tlp?, group?}`.

    Raises:
        Refused: `not-permitted` for who is no authority, `not-found` for no such procedure,
            `missing-property` without a subject or a reason.
    """
    authority(viewer)
    book = desk.book
    procedure = procedures.procedure_of(book, text_of(body, "procedure", needed=True))
    level = text_of(body, "tlp") or "amber+strict"
    audience = desk.shared(viewer, level, text_of(body, "group") or REGION)
    opened = Opened(
        desk.new_id("case"),
        procedure["id"],
        text_of(body, "subject", needed=True),
        viewer.member,
        body.get("prohibited") is True,
        viewer.person,
        text_of(body, "reason", needed=True),
        desk.said_now(),
        book.digest,
    )
    with desk.deciding():
        desk.enter(viewer, [(opened, audience)])
    return one(desk, viewer, opened.id)


def step(desk: Desk, viewer: Viewer, record_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """A named person takes a step: `{step, office, reason, ...}`.

    Raises:
        Refused: `not-found`; `wrong-use`, `not-permitted`, `missing-property`, `pending` or
            `conflict` as the procedure says, with its article in `where`.
    """
    person(viewer)
    with desk.deciding():
        history = desk.history(viewer, record_id)
        case, _ = replay(desk, history)
        opened = history[0].record
        assert isinstance(opened, Opened)
        taken = _read_step(desk, viewer, opened, body)
        _check_place(desk, viewer, case, taken)
        _check_evidence(desk, viewer, taken)
        procedures.take(desk.book, case, taken.step, act_of(taken), desk.working_day)
        desk.enter(viewer, [(taken, desk.audience_of(history[0]))])
    return one(desk, viewer, record_id)


def _read_step(desk: Desk, viewer: Viewer, opened: Opened, body: dict[str, Any]) -> Stepped:
    prescribed = text_of(body, "prescribed")
    if prescribed:
        read_moment(prescribed, "$.prescribed")
    share, factors = body.get("share"), body.get("factors", {})
    if share is not None and (type(share) is not int or not 0 <= share <= 100):
        raise Refused("bad-value", "A share is 0 to 100 (percent).", where="$.share")
    if not isinstance(factors, dict):
        raise Refused("bad-value", "`factors` is an object.", where="$.factors")
    evidence = body.get("evidence", [])
    good = isinstance(evidence, list) and all(isinstance(name, str) for name in evidence)
    if not good or len(evidence) > _EVIDENCE_LIMIT:
        raise Refused("bad-value", f"At most {_EVIDENCE_LIMIT} ids.", where="$.evidence")
    return Stepped(
        opened.id,
        text_of(body, "step", needed=True),
        text_of(body, "office", needed=True),
        viewer.member,
        viewer.person,
        text_of(body, "reason", needed=True),
        desk.said_now(),
        text_of(body, "reference"),
        prescribed,
        share,
        {str(name): text_of(factors, name, at="$.factors") for name in factors},
        tuple(evidence),
    )


def _check_place(desk: Desk, viewer: Viewer, case: procedures.Case, taken: Stepped) -> None:
    """Who speaks for which office on this hub."""
    if taken.office in _PARTIES and viewer.constituent:
        return
    authority(viewer)
    entered = viewer.member == case.opened_by and taken.reference
    if taken.office not in _AUTHORITIES and not entered:
        raise Refused(
            "not-permitted",
            f"The {taken.office} does not act here itself: {case.opened_by} enters its word,"
            " with the document that holds it.",
            where=taken.office,
            next_step="Give `reference`, as a person of that authority.",
        )


def _check_evidence(desk: Desk, viewer: Viewer, taken: Stepped) -> None:
    """Reports, notices and receipts are never evidence against who made them."""
    for number, name in enumerate(taken.evidence):
        if not desk.is_evidence(viewer, name):
            raise Refused(
                "not-permitted",
                "This is no attestation, registration or filing that you may see; a report, a"
                " notice or a receipt is never evidence.",
                where=f"$.evidence[{number}]",
                next_step="Name an attestation, a registration, a filing or a decision.",
            )


def act_of(taken: Stepped) -> procedures.Act:
    """A kept step as the rulebook judges it."""
    return procedures.Act(
        taken.person,
        taken.office,
        taken.authority,
        taken.reason,
        datetime.fromisoformat(taken.at),
        read_moment(taken.prescribed, "$.prescribed") if taken.prescribed else None,
        taken.factors,
        taken.share,
    )


def replay(desk: Desk, history: list[Kept]) -> tuple[procedures.Case, list[dict[str, str]]]:
    """A case as its entries make it, and the steps that do not follow, each with the reason.

    Raises:
        Refused: `not-found` when the history does not begin with an opening.
    """
    opened = history[0].record
    if not isinstance(opened, Opened):
        raise Refused("not-found", "There is no such case", where=history[0].record.id)
    case = procedures.open_case(
        desk.book, opened.procedure, opened.id, opened.authority, prohibited=opened.prohibited
    )
    void = []
    for kept in history[1:]:
        taken = kept.record
        if not isinstance(taken, Stepped):
            continue
        try:
            case = procedures.take(desk.book, case, taken.step, act_of(taken), desk.working_day)
        except Refused as refusal:
            void.append({"step": taken.step, "at": taken.at, "why": refusal.message})
    return case, void


def one(desk: Desk, viewer: Viewer, record_id: str) -> dict[str, Any]:
    """A case with its history, deadlines and open steps. Raises `Refused("not-found")`."""
    return {**desk.book.stamp(), **_told(desk, desk.history(viewer, record_id))}


def _told(desk: Desk, history: list[Kept]) -> dict[str, Any]:
    case, void = replay(desk, history)
    opened = history[0].record
    assert isinstance(opened, Opened)
    told = procedures.as_json(desk.book, case, desk.now())
    steps = {k.record.at: k.record for k in history[1:] if isinstance(k.record, Stepped)}
    for line in told["history"]:
        kept = steps.get(line["at"])
        if kept is not None:
            line |= {
                "reference": kept.reference,
                "evidence": list(kept.evidence),
                "factors": dict(kept.factors),
                "share": kept.share,
            }
    told["deadlines_there"] = {
        name: local_text(moment, opened.authority) for name, moment in case.deadlines.items()
    }
    return {
        **told,
        "id": opened.id,
        "subject": opened.subject,
        "authority": opened.authority,
        "opened_by": opened.person,
        "opened_at": opened.at,
        "reason": opened.reason,
        "prohibited": opened.prohibited,
        "void": void,
    }


def listed(desk: Desk, viewer: Viewer, after: str, limit: int) -> dict[str, Any]:
    """A page of the cases that the viewer may see, the last changed first."""
    found, following = desk.newest(viewer, "case", "", after, limit)
    told = [_told(desk, desk.acts(viewer, kept.record.id)) for kept in found]
    names = (
        "id",
        "procedure",
        "title",
        "watermark",
        "subject",
        "authority",
        "state",
        "ended",
        "deadlines_there",
        "overdue",
    )
    cases = [{name: case[name] for name in names} for case in told]
    return {**desk.book.stamp(), "cases": cases, "next": following}
