"""Rights and powers beside the duties: relief for small operators, sandboxes, complaints.

They ask nothing of a system's operator; they say what it, or somebody else, may claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bayanihan.rulebook.classify import finding_state, kinds_in
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import quality_of, reaches


@dataclass(frozen=True, slots=True)
class Right:
    """One right or power that a text gives, for one system in one member.

    Attributes:
        right: provision id.
        kind: `right` or `power` (of an authority).
        state: `yes`, `not-yet` or `undetermined`.
        since: the day from which it holds; "" when not known.
    """

    right: str
    kind: str
    member: str
    article: str
    title: str
    says: str
    text: str
    state: str
    since: str
    missing: tuple[str, ...]
    watermark: str
    quality: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "missing": list(self.missing)}


def rights(derivation: Derivation, member: str, day: str) -> list[Right]:
    """The rights and powers that hold for a system in a member, or may hold.

    Args:
        derivation: the view and the system's facts.
        member: `EU` or one of the eleven.
        day: the law date.
    """
    book = derivation.view.rulebook
    found = []
    for provision in kinds_in(derivation.view, ("right", "power")):
        text = book.texts[provision.text]
        if not reaches(text.jurisdiction, member):
            continue
        state = finding_state(derivation, provision, day)
        if state.state in ("yes", "not-yet", "undetermined"):
            found.append(
                Right(
                    provision.id, provision.kind, member, provision.article, provision.title,
                    provision.says, provision.text, state.state, state.since, state.missing,
                    text.watermark, quality_of(derivation, provision),
                )
            )  # fmt: skip
    return found
