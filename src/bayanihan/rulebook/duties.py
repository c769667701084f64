"""The duties that a rulebook derives for a system: what, by when, what evidence, who checks.

A duty holds from the first day on which its condition, its own dates and the findings that it
rests on all hold: Art. 73 applies since 2 August 2026, but "a high-risk system" exists only
from the day on which Art. 6 applies, so the derived date is the later one, and the proof shows
both. Guides and plans bind nobody: what they ask for is listed as `recommended`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bayanihan.rulebook.classify import finding_state, kinds_in
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.evidence import Attestation, satisfied
from bayanihan.rulebook.law import BINDING, Provision

NOT_KNOWN = "not known"

# Regional instruments reach each member; other texts reach their own jurisdiction.
REGION = "ASEAN"


@dataclass(frozen=True, slots=True)
class Duty:
    """One obligation of one member's or region's text, for one system.

    Attributes:
        duty: provision id.
        member: the member it was derived for.
        state: `owed`, `upcoming`, `recommended`, `undetermined` or `waits`
            (a deadline that waits for assistance).
        due: the day from which it is owed; "" when not known.
        satisfied_by: the attestation that satisfies it now, or why none does.
    """

    duty: str
    member: str
    article: str
    title: str
    says: str
    text: str
    bindingness: str
    actors: tuple[str, ...]
    state: str
    due: str
    because: tuple[str, ...]
    evidence: tuple[str, ...]
    satisfied: bool
    satisfied_by: str
    checked_by: str
    cost: str
    assistance: tuple[str, ...]
    missing: tuple[str, ...]
    watermark: str
    quality: str
    sources: tuple[str, ...]
    disagreement: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Every attribute; tuples as lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in self.__slots__
            for value in [getattr(self, name)]
        }


def reaches(jurisdiction: str, member: str) -> bool:
    """True when a text of that jurisdiction reaches the member."""
    return jurisdiction == member or (jurisdiction == REGION and member != "EU")


def duties(
    derivation: Derivation,
    member: str,
    day: str,
    attestations: Sequence[Attestation] = (),
    texts: Collection[str] = (),
) -> list[Duty]:
    """All duties of a system in one member on a day, owed ones first, then by date.

    Args:
        derivation: the view (knowledge date, assumptions) and the system's facts.
        member: `EU` or one of the eleven.
        day: the law date.
        attestations: signed results that may satisfy duties.
        texts: only these texts; all that reach the member when empty.
    """
    book = derivation.view.rulebook
    found = []
    for provision in kinds_in(derivation.view, ("duty",), texts):
        if reaches(book.texts[provision.text].jurisdiction, member):
            duty = _duty(derivation, provision, member, day, attestations)
            if duty is not None:
                found.append(duty)
    order = ("owed", "waits", "upcoming", "undetermined", "recommended")
    return sorted(found, key=lambda d: (order.index(d.state), d.due or "~", d.duty))


def _duty(
    derivation: Derivation,
    provision: Provision,
    member: str,
    day: str,
    attestations: Sequence[Attestation],
) -> Duty | None:
    found = finding_state(derivation, provision, day)
    if _waits(derivation, provision):
        state, due = "waits", ""
    elif found.state == "yes":
        state, due = "owed", found.since
    elif found.state in ("not-yet", "undetermined"):
        # A later day on which it only may hold is open, not upcoming.
        certain = found.state == "not-yet" and not found.missing
        state = "upcoming" if certain else "undetermined"
        due = found.since
    else:
        return None
    version = derivation.version_on(provision.id, day)
    shown = version.provision if version else provision
    if state == "owed" and shown.bindingness not in BINDING:
        adopted = shown.text in derivation.view.assumptions
        state = "owed" if adopted else "recommended"
    details = shown.details
    proof = satisfied(shown, attestations, day)
    book = derivation.view.rulebook
    return Duty(
        shown.id, member, shown.article, shown.title, shown.says, shown.text, shown.bindingness,
        shown.actors, state, due, found.because, tuple(details.get("evidence") or ()),
        proof.satisfied, proof.reason, str(details.get("checked_by", NOT_KNOWN)),
        cost_of(shown), tuple(details.get("assistance") or ()), found.missing,
        book.texts[shown.text].watermark, quality_of(derivation, shown), shown.sources,
        tuple(f"{d['says']} [{d['source']}]" for d in details.get("disagreement") or ()),
    )  # fmt: skip


def _waits(derivation: Derivation, provision: Provision) -> bool:
    versions = derivation.view.versions.get(provision.id, ())
    when = provision.when
    concerned = when is None or any(truth for _, truth in derivation.condition(when))
    return concerned and any(span.waits for version in versions for span in version.spans)


def cost_of(provision: Provision) -> str:
    """The cost range for an SME with its source, or "not known"."""
    cost = provision.details.get("cost")
    if not cost:
        return NOT_KNOWN
    return f"{cost['low']} to {cost['high']} {cost['unit']} [{cost['source']}]"


def quality_of(derivation: Derivation, provision: Provision) -> str:
    """The best quality among the provision's sources (a slice counts as its source)."""
    book = derivation.view.rulebook
    return book.best_quality(
        [*provision.sources, *(book.slices[piece].source for piece in provision.slices)]
    )
