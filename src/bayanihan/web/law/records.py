"""What the law's record holds: each a named person's act, as the body of a `decision` entry.

A registration is two entries with one id: what the public may see (TLP:CLEAR) and the whole
(the members' authorities). A filing, its acknowledgement and each step of a case are one each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

PUBLIC_VIEW, AUTHORITY_VIEW = "public", "authority"


class Field(msgspec.Struct, frozen=True):
    """One point of Annex VIII: its number, its label, what was entered."""

    point: int
    label: str
    value: str


class Registered(msgspec.Struct, frozen=True, tag_field="record", tag="registered"):
    """A system in the register, as one of the two views shows it.

    `system` (the whole system file), `missing`, `person` and `reason` are empty in the
    public view; `fields` is empty there when the entry is restricted.
    """

    id: str
    view: str
    state: str
    section: str
    article: str
    place: str
    why: str
    as_of: str
    at: str
    rulebook: str
    member: str
    fields: tuple[Field, ...] = ()
    system: Mapping[str, Any] = msgspec.field(default_factory=dict)
    missing: tuple[str, ...] = ()
    person: str = ""
    reason: str = ""


class Filed(msgspec.Struct, frozen=True, tag_field="record", tag="filed"):
    """A report that a named person filed. `due` is UTC; the clock goes on."""

    id: str
    incident: str
    clock: str
    part: str
    kind: str
    member: str
    addressee: str
    due: str
    text: str
    system: str
    person: str
    at: str
    rulebook: str


class Acknowledged(msgspec.Struct, frozen=True, tag_field="record", tag="acknowledged"):
    """The addressee's acknowledgement: this stops the clock."""

    id: str
    member: str
    reference: str
    person: str
    at: str


class Opened(msgspec.Struct, frozen=True, tag_field="record", tag="case-opened"):
    """A safeguard or sanction procedure that an authority opened."""

    id: str
    procedure: str
    subject: str
    authority: str
    prohibited: bool
    person: str
    reason: str
    at: str
    rulebook: str


class Stepped(msgspec.Struct, frozen=True, tag_field="record", tag="case-step"):
    """One step of a case. `reference` names the document of a body that is not on this hub."""

    id: str
    step: str
    office: str
    authority: str
    person: str
    reason: str
    at: str
    reference: str = ""
    prescribed: str = ""
    share: int | None = None
    factors: Mapping[str, str] = msgspec.field(default_factory=dict)
    evidence: tuple[str, ...] = ()


class Judged(msgspec.Struct, frozen=True, tag_field="record", tag="attestation-judged"):
    """An authority's decision that an attestation is `revoked`, or the system `drifted`.

    `id` is the attestation's entry, `digest` that of its envelope, `since` a day.
    """

    id: str
    digest: str
    state: str
    since: str
    reason: str
    member: str
    person: str
    at: str


Record = Registered | Filed | Acknowledged | Opened | Stepped | Judged

GENRES = {
    Registered: "register",
    Filed: "filing",
    Acknowledged: "filing",
    Opened: "case",
    Stepped: "case",
    Judged: "attestation",
}

_decoder = msgspec.json.Decoder(Record)


def read_record(body: bytes) -> Record | None:
    """The record in a `decision` entry's body; None for a decision of another kind."""
    try:
        found: Record = _decoder.decode(body)
    except msgspec.DecodeError:
        return None
    return found
