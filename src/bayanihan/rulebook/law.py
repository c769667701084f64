"""What a rulebook is made of: sources, slices, application rows, provisions, texts.

These are values. `load` builds them from YAML, `view` looks at them from one knowledge date.
Intervals are half-open: a provision that ends on a day no longer applies on that day.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.condition import Condition
from bayanihan.rulebook.facts import Vocabulary

NOT_ADVICE = "This is not legal advice."

# From the strongest to none; a smaller number binds more.
BINDINGNESS = {
    "treaty": 0, "law": 1, "decree": 2, "guide": 3, "plan": 4, "proposal": 5, "none": 6,
}  # fmt: skip
BINDING = ("treaty", "law", "decree")

KINDS = ("finding", "exception", "role", "duty", "right", "power")

# How far a source carries; "unconfirmed" and "not-found" never make a fact.
# From the best down.
QUALITIES = (
    "official", "law-firm", "academic", "press", "secondary-tracker", "vendor", "own", "weak",
    "unconfirmed", "not-found",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement comes from: title, publisher, date, quality, address, note."""

    id: str
    title: str
    publisher: str
    date: str
    quality: str
    url: str
    note: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A pinned quotation of a law text. `digest` is that of the quotation."""

    id: str
    source: str
    article: str
    quote: str
    digest: str
    place: str


@dataclass(frozen=True, slots=True)
class Row:
    """One application interval of a provision.

    Attributes:
        start, end: the days between which it applies; "" for open.
        known_start, known_end: the days between which this row was the law as known.
        when: further condition for this row (a transition, a sector), or None.
        months: months after a treaty's entry into force, by track; empty for a fixed start.
        needs_assistance: the start waits until the assistance named was delivered.
        unconfirmed: no source confirms it, so within it the rule is unknown, not in force.
        slice: the quotation that says so; "" when only sources do.
        note: a remark for readers.
        place: file and line.
    """

    start: str
    end: str
    known_start: str
    known_end: str
    when: Condition | None
    months: Mapping[str, int]
    needs_assistance: bool
    unconfirmed: bool
    slice: str
    note: str
    place: str


@dataclass(frozen=True, slots=True)
class Provision:
    """One article, paragraph or point, as a rule.

    The condition decides for whom, `rows` when; provisions named in `excepts` do not hold
    while this one does. `details` carries what is only shown (evidence, cost, assistance...).
    """

    id: str
    text: str
    article: str
    kind: str
    title: str
    says: str
    actors: tuple[str, ...]
    when: Condition | None
    rows: tuple[Row, ...]
    excepts: tuple[str, ...]
    priority: int
    known_start: str
    known_end: str
    start: str
    end: str
    bindingness: str
    sources: tuple[str, ...]
    slices: tuple[str, ...]
    details: Mapping[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class Text:
    """One instrument: a law, guide, plan or proposal."""

    id: str
    prefix: str
    title: str
    jurisdiction: str
    bindingness: str
    watermark: str
    digest: str
    roles: Mapping[str, str]
    provisions: tuple[Provision, ...]
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All texts, checked. `digest` names exactly this state of every file.

    Attributes:
        texts: by id.
        provisions: provision id to its versions (disjoint in law date or knowledge date).
        sources, slices: by id.
        vocabulary: the facts.
        parts: what other files hold, by kind (members, clocks, procedures, ...).
    """

    digest: str
    texts: Mapping[str, Text]
    provisions: Mapping[str, tuple[Provision, ...]]
    sources: Mapping[str, Source]
    slices: Mapping[str, Slice]
    vocabulary: Vocabulary
    parts: Mapping[str, Any] = field(default_factory=dict)

    def text(self, text_id: str) -> Text:
        """The text of that id.

        Raises:
            Refused: `not-found`, naming the texts there are.
        """
        found = self.texts.get(text_id)
        if found is None:
            known = ", ".join(self.texts)
            raise Refused("not-found", f"No text is called {text_id!r}; there are {known}.")
        return found

    def best_quality(self, names: Iterable[str]) -> str:
        """The best quality among these sources; "not-found" when there are none."""
        qualities = [self.sources[name].quality for name in names]
        return min(qualities, key=QUALITIES.index, default="not-found")

    def stamp(self) -> dict[str, str]:
        """What every answer carries: which rulebook spoke, and that it gives no legal advice."""
        return {"rulebook": self.digest, "notice": NOT_ADVICE}


def digest_of_quote(quote: str) -> str:
    """SHA-256 of a quotation, its white space collapsed and its letters in NFC."""
    plain = unicodedata.normalize("NFC", " ".join(quote.split()))
    return hashlib.sha256(plain.encode()).hexdigest()


def digest_of_file(text: str) -> str:
    """SHA-256 of a rulebook file, line endings normalised."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()
