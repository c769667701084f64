"""Filings: the hub drafts, a person files, and only the addressee's word stops the clock.

A filing is a value; each step returns a new one. There is no step that time takes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bayanihan.errors import Refused
from bayanihan.rulebook.clocks import Clock, Deadline, Incident, moment_text
from bayanihan.rulebook.system import System

STATES = ("drafted", "filed", "acknowledged")

# What each report needs; the authorities' own forms were not found, so this layout is ours.
FIELDS: tuple[tuple[str, str], ...] = (
    ("addressee", "To"),
    ("kind", "Kind of incident"),
    ("aware", "Became known"),
    ("system", "System concerned"),
    ("roles", "We act as"),
    ("says", "What happened"),
    ("affected", "Who is affected"),
    ("measures", "Measures taken"),
    ("contact", "Contact person"),
)
NEEDED = {"first": 6, "supplement": 8, "final": 9}


@dataclass(frozen=True, slots=True)
class Filing:
    """One report owed to one addressee.

    Attributes:
        clock, part: which deadline it answers.
        open_fields: the fields that a person has to fill in before filing.
        state: one of `STATES`; only `acknowledged` stops the clock.
    """

    clock: str
    part: str
    addressee: str
    due: datetime | None
    text: str
    open_fields: tuple[str, ...]
    state: str = "drafted"
    filed_by: str = ""
    filed_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    reference: str = ""


def draft(
    clock: Clock,
    deadline: Deadline,
    incident: Incident,
    system: System,
    known: Mapping[str, str] | None = None,
) -> Filing:
    """Draft one owed filing from the one report.

    Args:
        clock: the rule.
        deadline: which of its filings.
        incident: what happened.
        system: the system concerned.
        known: further fields (`affected`, `measures`, `contact`).

    Raises:
        Refused: `wrong-use` when the clock does not run.
    """
    if clock.state != "runs":
        raise Refused("wrong-use", f"{clock.clock} does not run ({clock.state}): nothing to file.")
    values = {**values_of(clock, incident, system), **(known or {})}
    text, missing = render(deadline.part, clock.member, incident.id, values)
    return Filing(clock.clock, deadline.part, clock.addressee, deadline.due, text, missing)


def values_of(clock: Clock, incident: Incident, system: System) -> dict[str, str]:
    """What the one report already says for each field."""
    roles = system.facts.get("roles", ())
    return {
        "addressee": clock.addressee,
        "kind": clock.kind,
        "aware": moment_text(incident.aware) or "",
        "system": system.name or system.id,
        "roles": ", ".join(roles) if isinstance(roles, tuple) else "",
        "says": incident.says,
    }


def render(
    part: str, member: str, incident: str, values: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """A report as text, and the fields that a person has to fill in before filing."""
    lines = [f"{part.capitalize()} report, incident {incident} ({member})"]
    missing = []
    for name, label in FIELDS[: NEEDED[part]]:
        value = values.get(name, "")
        if not value:
            missing.append(name)
        lines.append(f"{label}: {value or '[to be filled in]'}")
    lines.append("Layout of this draft: our own; use the addressee's form where it has one.")
    return "\n".join(lines), tuple(missing)


def file(filing: Filing, person: str, at: datetime) -> Filing:
    """A named person files a draft. The clock goes on until the addressee acknowledges.

    Raises:
        Refused: `missing-property` without a name or with open fields, `conflict` when filed.
    """
    if filing.state != "drafted":
        raise Refused("conflict", f"This report is already {filing.state}.", next_step="Nothing.")
    if not person.strip():
        raise Refused("missing-property", "A filing needs the name of the person who files it.")
    if filing.open_fields:
        names = ", ".join(filing.open_fields)
        raise Refused("missing-property", f"Fill in first: {names}.", where=filing.clock)
    return replace(filing, state="filed", filed_by=person.strip(), filed_at=at)


def acknowledge(filing: Filing, addressee: str, reference: str, at: datetime) -> Filing:
    """The addressee acknowledges: this alone stops the clock.

    Raises:
        Refused: `conflict` when nothing was filed, `not-permitted` for anyone else's word,
            `missing-property` without a reference.
    """
    if filing.state != "filed":
        raise Refused(
            "conflict", f"Only a filed report is acknowledged; this one is {filing.state}.",
            next_step="File it first.",
        )  # fmt: skip
    if addressee != filing.addressee:
        raise Refused(
            "not-permitted", "Only the addressee's acknowledgement stops the clock.",
            where=addressee, next_step=f"Wait for the word of: {filing.addressee}.",
        )  # fmt: skip
    if not reference.strip():
        raise Refused("missing-property", "An acknowledgement carries a reference.")
    return replace(
        filing, state="acknowledged", acknowledged_by=addressee, acknowledged_at=at,
        reference=reference.strip(),
    )  # fmt: skip


def status(filing: Filing, now: datetime) -> str:
    """`stopped`, `running` or `overdue` at a moment; filing alone does not stop it."""
    if filing.state == "acknowledged":
        return "stopped"
    return "overdue" if filing.due is not None and now > filing.due else "running"
