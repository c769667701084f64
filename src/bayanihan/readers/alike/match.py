"""A match: a case that is alike, and by which kinds of likeness, each by itself."""

from __future__ import annotations

import msgspec


class Evidence(msgspec.Struct, frozen=True):
    """One kind of likeness, from 0 to 1; `on` names what two cases share, where it may.

    A `candidate` is worth a look and no more: the kind is too weak there to say "alike".
    """

    kind: str
    score: float
    on: tuple[str, ...] = ()
    candidate: bool = False


class Match(msgspec.Struct, frozen=True):
    """A case that is alike, since when the viewer may see it, and by what."""

    id: str
    since: str
    evidence: tuple[Evidence, ...]
    language: str = ""
    exercise: bool = False

    @property
    def is_candidate(self) -> bool:
        """Whether nothing says more than "worth a look"."""
        return all(each.candidate for each in self.evidence)
