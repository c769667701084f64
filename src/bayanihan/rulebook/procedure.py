"""Safeguard and sanction procedures: state machines that only people move.

A procedure is data (`procedures.yaml`). A step is taken by a named person of the right office
with a reason; deadlines open or close steps (an objection in time, a measure only after the
time for correction) and are shown when they pass, but they never take a step. Decisions that
need a hearing are refused before one was held; a fine needs a word on each factor.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.clocks import WorkingDay, add_working_days, moment_text
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.schema import expect_keys
from bayanihan.rulebook.view import add_months

OFFICES = (
    "authority", "other-authority", "commission", "ai-office", "operator", "court", "conference",
    "party", "secretariat",
)  # fmt: skip
# A period of this name replaces the other one in a case about a prohibited practice.
SHORTER = "-art5"

_STEP_KEYS = (
    "slice", "source", "says", "sets", "before", "after", "hearing", "needs_hearing",
    "needs_factors", "vote",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """What a person decides: who, in which office and authority, why, when.

    Attributes:
        authority: the body that the person acts for, for example a member code.
        prescribed: for a period that the authority sets itself, its end.
        factors: for a fine, factor to what was found about it.
        share: for a vote, the share in favour, in percent.
    """

    person: str
    office: str
    authority: str
    reason: str
    at: datetime
    prescribed: datetime | None = None
    factors: AnyMapping[str, str] = field(default_factory=dict)
    share: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that was taken."""

    step: str
    state: str
    act: Act


@dataclass(frozen=True, slots=True)
class Case:
    """A running case.

    Attributes:
        prohibited: the case concerns a prohibited practice (Art. 5), so its shorter deadlines
            count.
        deadlines: name to moment.
    """

    id: str
    procedure: str
    opened_by: str
    state: str
    prohibited: bool = False
    deadlines: AnyMapping[str, datetime] = field(default_factory=dict)
    history: tuple[Taken, ...] = ()


def procedures_of(book: Rulebook) -> list[Mapping]:
    """Every procedure of the rulebook, as its file has it."""
    return [p for root in book.parts.get("procedures", ()) for p in root["procedures"]]


def procedure_of(book: Rulebook, procedure_id: str) -> Mapping:
    """The procedure of that id.

    Raises:
        Refused: `not-found`, naming those there are.
    """
    found = {p["id"]: p for p in procedures_of(book)}
    if procedure_id not in found:
        raise Refused("not-found", f"No procedure {procedure_id!r}; there are {', '.join(found)}.")
    entry: Mapping = found[procedure_id]
    return entry


def open_case(
    book: Rulebook, procedure_id: str, case_id: str, authority: str, *, prohibited: bool = False
) -> Case:
    """Open a case at the start of its procedure."""
    start = procedure_of(book, procedure_id)["start"]
    return Case(case_id, procedure_id, authority, start, prohibited)


def open_steps(book: Rulebook, case: Case) -> list[str]:
    """The steps that lead on from the case's state, in order."""
    steps = procedure_of(book, case.procedure)["steps"]
    return [step["name"] for step in steps if step["from"] == case.state]


def take(book: Rulebook, case: Case, name: str, act: Act, working_day: WorkingDay) -> Case:
    """Take one step.

    Args:
        book: the rulebook, which holds the procedure.
        case: the case as it stands.
        name: the step.
        act: the decision of a person.
        working_day: the members' calendars, for periods in working days.

    Raises:
        Refused: `wrong-use` when the step does not lead on from here, `not-permitted` for the
            wrong office, `missing-property` without a person, reason, hearing, factors or
            share, `pending` before a deadline has passed, `conflict` after one.
    """
    procedure = procedure_of(book, case.procedure)
    step = next(
        (s for s in procedure["steps"] if s["name"] == name and s["from"] == case.state), None
    )
    if step is None:
        there = ", ".join(open_steps(book, case)) or "none"
        raise Refused("wrong-use", f"{name!r} does not follow {case.state}; open steps: {there}.",
                      where=procedure["title"],
                      next_step="Take one of the open steps.")  # fmt: skip
    place = article_of(book, step)
    _check_person(case, step, act, place)
    _check_time(case, step, act, place)
    _check_ground(procedure, case, step, act, place)
    deadlines = {**case.deadlines, **_deadlines(case, step, act, working_day, place)}
    taken = Taken(name, step["to"], act)
    return replace(case, state=step["to"], deadlines=deadlines, history=(*case.history, taken))


def overdue(case: Case, now: datetime) -> list[str]:
    """Deadlines that have passed, for people to see; they change nothing by themselves."""
    return [name for name, moment in case.deadlines.items() if now > moment]


def as_json(book: Rulebook, case: Case, now: datetime) -> dict[str, Any]:
    """The case for people: state, history, deadlines, what is open and overdue."""
    procedure = procedure_of(book, case.procedure)
    return {
        "case": case.id,
        "procedure": case.procedure,
        "title": procedure["title"],
        "watermark": procedure.get("watermark", ""),
        "state": case.state,
        "ended": case.state in procedure["ends"],
        "open_steps": open_steps(book, case),
        "next": [
            {
                "step": step["name"],
                "by": step["by"],
                "article": article_of(book, step),
                "to": step["to"],
                "after": step.get("after", ""),
                "before": step.get("before", ""),
                "vote": step.get("vote"),
                "needs_hearing": bool(step.get("needs_hearing")),
                "needs_factors": list(procedure["factors"]) if step.get("needs_factors") else [],
            }
            for step in procedure["steps"]
            if step["from"] == case.state
        ],
        "deadlines": {name: moment_text(at) for name, at in case.deadlines.items()},
        "overdue": overdue(case, now),
        "history": [
            {
                "step": taken.step,
                "state": taken.state,
                "person": taken.act.person,
                "office": taken.act.office,
                "authority": taken.act.authority,
                "reason": taken.act.reason,
                "at": moment_text(taken.act.at),
            }
            for taken in case.history
        ],
    }


def article_of(book: Rulebook, step: Mapping) -> str:
    """The article that a step rests on, or the source where no article does."""
    quoted = book.slices.get(step.get("slice", ""))
    return quoted.article if quoted else book.sources[step["source"]].title


def _check_person(case: Case, step: Mapping, act: Act, place: str) -> None:
    if not act.person.strip() or not act.reason.strip():
        raise Refused("missing-property", "A step needs a named person and a reason.",
                      where=place)  # fmt: skip
    if act.office != step["by"]:
        raise Refused("not-permitted", f"{step['name']} is for: {step['by']}.", where=place,
                      next_step="Let the office that is named decide.")  # fmt: skip
    if step["by"] == "authority" and act.authority != case.opened_by:
        raise Refused("not-permitted", f"Only {case.opened_by}, which opened the case, does this.",
                      where=place, next_step="Ask it.")  # fmt: skip
    if step["by"] == "other-authority" and act.authority == case.opened_by:
        raise Refused("not-permitted", "This is for another authority than the one that opened it.",
                      where=place, next_step="Let another authority decide.")  # fmt: skip
    if case.history and act.at < case.history[-1].act.at:
        raise Refused("bad-value", "A step is not earlier than the one before.", where=place)


def _check_time(case: Case, step: Mapping, act: Act, place: str) -> None:
    for key in ("before", "after"):
        if key in step:
            moment = case.deadlines[step[key]]
            if key == "after" and act.at <= moment:
                raise Refused("pending", f"Not before {moment_text(moment)} ({step[key]}).",
                              where=place, next_step="Wait for its end.")  # fmt: skip
            if key == "before" and act.at > moment:
                raise Refused("conflict", f"Too late: {step[key]} ended {moment_text(moment)}.",
                              where=place, next_step="Nothing: the period is over.")  # fmt: skip


def _check_ground(procedure: Mapping, case: Case, step: Mapping, act: Act, place: str) -> None:
    heard = {
        s["name"] for s in procedure["steps"] if s.get("hearing")
    } & {taken.step for taken in case.history}  # fmt: skip
    if step.get("needs_hearing") and not heard:
        raise Refused("missing-property", "A hearing comes first.", where=place,
                      next_step="Hear the party concerned.")  # fmt: skip
    if step.get("needs_factors"):
        missing = [f for f in procedure["factors"] if not act.factors.get(f, "").strip()]
        if missing:
            raise Refused("missing-property", f"Say what was found on: {'; '.join(missing)}.",
                          where=place)  # fmt: skip
    if "vote" in step and (act.share is None or act.share < step["vote"]):
        raise Refused("missing-property", f"This takes {step['vote']} % of the votes.",
                      where=place, next_step="Hold a vote and state its share.")  # fmt: skip


def _deadlines(
    case: Case, step: Mapping, act: Act, working_day: WorkingDay, place: str
) -> dict[str, datetime]:
    found = {}
    periods = dict(step.get("sets") or {})
    for name in [one for one in periods if one.endswith(SHORTER)]:
        shorter = periods.pop(name)
        if case.prohibited:
            periods[name.removesuffix(SHORTER)] = shorter
    for name, period in periods.items():
        start = act.at
        if "since" in period:
            start = next(t.act.at for t in reversed(case.history) if t.step == period["since"])
        if period.get("prescribed"):
            if act.prescribed is None or act.prescribed <= act.at:
                raise Refused("missing-property", "Name the period that you prescribe.",
                              where=place)  # fmt: skip
            found[name] = act.prescribed
        elif "months" in period:
            day = add_months(start.date().isoformat(), period["months"])
            found[name] = datetime.fromisoformat(day).replace(
                hour=start.hour, minute=start.minute, second=start.second, tzinfo=start.tzinfo
            )
        elif "working_days" in period:
            found[name] = add_working_days(
                start, period["working_days"], case.opened_by, working_day
            )
        else:
            found[name] = start + timedelta(days=period["days"])
    return found


def check_procedures(book: Rulebook) -> None:
    """Check every procedure: steps lead somewhere, states are reached, sources exist.

    Raises:
        Refused: with file, line and procedure.
    """
    for root in book.parts.get("procedures", ()):
        for entry in root["procedures"]:
            expect_keys(entry, "A procedure", ("id", "title", "start", "ends", "steps"),
                        ("factors", "watermark"))  # fmt: skip
            _check_steps(book, entry)


def _check_steps(book: Rulebook, entry: Mapping) -> None:
    reached = {entry["start"]}
    names = {step["name"] for step in entry["steps"]}
    set_so_far = {name for step in entry["steps"] for name in step.get("sets") or {}}
    for step in entry["steps"]:
        expect_keys(step, f"{entry['id']}: a step", ("name", "from", "to", "by"), _STEP_KEYS)
        reached.add(step["to"])
        known = step.get("slice") in book.slices or step.get("source") in book.sources
        if step["by"] not in OFFICES or not known:
            raise Refused("bad-value", f"{entry['id']}/{step['name']}: unknown office or source.",
                          where=step.place())  # fmt: skip
        for key in ("before", "after"):
            if step.get(key, next(iter(set_so_far), None)) not in (*set_so_far, None):
                raise Refused("bad-value", f"{entry['id']}: no deadline {step[key]!r}.",
                              where=step.place(key))  # fmt: skip
        for period in (step.get("sets") or {}).values():
            if period.get("since", step["name"]) not in names:
                raise Refused("bad-value", f"{entry['id']}: since what?", where=step.place("sets"))
    sources = {step["from"] for step in entry["steps"]}
    for state in (sources | set(entry["ends"])) - reached:
        raise Refused("bad-value", f"{entry['id']}: nothing leads to {state!r}.",
                      where=entry.place())  # fmt: skip
    for state in reached - sources - set(entry["ends"]):
        raise Refused("bad-value", f"{entry['id']}: nothing leads on from {state!r}.",
                      where=entry.place())  # fmt: skip
