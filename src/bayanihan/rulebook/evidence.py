"""Attestations as evidence: a signed test result satisfies a duty, and may stop doing so.

The room takes attestations as values that the caller has already verified; it decides only
what they are worth on a day: right kind, right system, not expired, not revoked, not drifted.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.law import Provision
from bayanihan.rulebook.truth import check_day


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verified attestation about one system.

    Attributes:
        digest: names the signed statement.
        kind: what it shows, as duties ask for it (`robustness`, `accuracy`, ...).
        start, end: valid from (included) to (excluded); "" leaves the end open.
        revoked, drifted: the day since which it was revoked, or since which the system has
            drifted from what was tested; "" for not.
    """

    digest: str
    kind: str
    start: str
    end: str = ""
    revoked: str = ""
    drifted: str = ""

    def fault_on(self, day: str) -> str:
        """Why it does not count on the day; "" when it does."""
        if day < self.start:
            return f"not valid before {self.start}"
        if self.revoked and self.revoked <= day:
            return f"revoked on {self.revoked}"
        if self.drifted and self.drifted <= day:
            return f"the system drifted on {self.drifted}"
        if self.end and self.end <= day:
            return f"expired on {self.end}"
        return ""


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """Whether a duty is satisfied by evidence on a day, and by what, or why not."""

    satisfied: bool
    reason: str


def satisfied(provision: Provision, attestations: Sequence[Attestation], day: str) -> Satisfaction:
    """Judge a duty's evidence on a day.

    A duty that names no attestation kind (`satisfied_by`) is never satisfied by one: its
    evidence is for a person to read.
    """
    wanted = provision.details.get("satisfied_by")
    if not wanted:
        return Satisfaction(False, "no attestation can show this: a person reads the evidence")
    faults = []
    for one in attestations:
        if one.kind != wanted:
            continue
        fault = one.fault_on(day)
        if not fault:
            return Satisfaction(True, one.digest)
        faults.append(f"{one.digest} {fault}")
    return Satisfaction(False, "; ".join(faults) or f"no attestation of {wanted} was given")


def read_attestations(raw: Any, where: str) -> tuple[Attestation, ...]:
    """Attestations from a system file.

    Args:
        raw: a list of mappings with digest, kind, start and optionally end, revoked, drifted.
        where: the file, for errors.

    Raises:
        Refused: `bad-value` naming the entry.
    """
    if raw is not None and not isinstance(raw, list):
        raise Refused("bad-value", "Attestations are a list.", where=f"{where}.attestations")
    found = []
    for index, entry in enumerate(raw or []):
        place = f"{where}.attestations[{index}]"
        if not isinstance(entry, AnyMapping) or not entry.get("digest") or not entry.get("kind"):
            raise Refused("bad-value", "An attestation has a digest and a kind.", where=place)
        unknown = set(entry) - {"digest", "kind", "start", "end", "revoked", "drifted"}
        if unknown:
            raise Refused("bad-value", f"No key {min(unknown)!r} here.", where=place)
        days = {
            name: check_day(entry[name], f"{place}.{name}") if entry.get(name) else ""
            for name in ("start", "end", "revoked", "drifted")
        }
        found.append(Attestation(str(entry["digest"]), str(entry["kind"]), **days))
    return tuple(found)
