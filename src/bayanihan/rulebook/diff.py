"""What changed between two states of a text: by meaning, not by line.

Two knowledge dates of one text are compared provision by provision: which came, which went,
whose condition, dates, exceptions or fines changed. For systems the effect is derived: which
duties they gain, lose, or owe from another day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.classify import kinds_in, state_on
from bayanihan.rulebook.condition import text_of
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.question import check_dates
from bayanihan.rulebook.system import System
from bayanihan.rulebook.truth import YES
from bayanihan.rulebook.view import Span, Version, View, view


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `field` is empty when the provision as a whole came or went."""

    provision: str
    article: str
    change: str
    field: str
    before: str
    after: str

    def as_json(self) -> dict[str, str]:
        """Every attribute."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to one duty of one system: `gains`, `loses` or `moves`."""

    system: str
    duty: str
    article: str
    effect: str
    before: str
    after: str

    def as_json(self) -> dict[str, str]:
        """Every attribute."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_state(spec: str, book: Rulebook) -> tuple[str, str]:
    """Read `eu-ai-act@2026-07-26` into text id and knowledge date ("" for all that is known).

    Raises:
        Refused: `not-found`, `bad-value` or `bad-parameter`.
    """
    text_id, _, known = spec.partition("@")
    book.text(text_id)
    return text_id, check_dates(book, known, known)[1] if known else ""


def diff(book: Rulebook, before: str, after: str) -> list[Change]:
    """The changes from one state of a text to another, in the order of the text.

    Args:
        book: the rulebook.
        before: `text@day`, or `text` for all that is known.
        after: likewise.

    Raises:
        Refused: `bad-parameter` when they are states of different texts.
    """
    (text_id, known_before), (other, known_after) = (
        read_state(before, book),
        read_state(after, book),
    )
    if text_id != other:
        raise Refused(
            "bad-parameter",
            f"{text_id} and {other} are different texts.",
            where="diff",
            next_step="Compare two knowledge dates of one text; for two texts see `law matrix`.",
        )
    views = view(book, known_before), view(book, known_after)
    changes: list[Change] = []
    for provision_id, group in book.provisions.items():
        if group[0].text == text_id:
            changes.extend(_compare(provision_id, *views))
    rules = book.texts[text_id].details.get("fines") or {}
    for name, rule in rules.items():
        changes.extend(_compare_fine(name, rule, known_before, known_after))
    return changes


def _compare(provision_id: str, before: View, after: View) -> Iterable[Change]:
    old, new = before.versions.get(provision_id, ()), after.versions.get(provision_id, ())
    if not old and not new:
        return
    article = (new or old)[0].provision.article
    if not old or not new:
        title = (new or old)[0].provision.title
        kind = "added" if new else "removed"
        yield Change(provision_id, article, kind, "", "" if new else title, title if new else "")
        return
    for field, was, now in zip(
        ("title", "says", "when", "applies", "excepts"), _said(old), _said(new), strict=True
    ):
        if was != now:
            yield Change(provision_id, article, "changed", field, was, now)


def _said(versions: tuple[Version, ...]) -> tuple[str, ...]:
    provisions = [one.provision for one in versions]
    return (
        " / ".join(dict.fromkeys(p.title for p in provisions)),
        " / ".join(dict.fromkeys(p.says for p in provisions)),
        " / ".join(dict.fromkeys(text_of(p.when) if p.when else "always" for p in provisions)),
        "; ".join(dict.fromkeys(_row(one, span) for one in versions for span in one.spans)),
        ", ".join(dict.fromkeys(target for p in provisions for target in p.excepts)),
    )


def _row(version: Version, span: Span) -> str:
    start = max(span.row.start, version.provision.start)
    end = min(span.row.end or "~", version.provision.end or "~").replace("~", "")
    parts = [f"from {start}" if start else "", f"until {end}" if end else ""]
    if span.when is not None:
        parts.append(f"if {text_of(span.when)}")
    return " ".join(part for part in parts if part) or "always"


def _compare_fine(name: str, rule: Any, before: str, after: str) -> Iterable[Change]:
    def sizes(known: str) -> str:
        held = rule.get("lower_for") or []
        known_sizes = [e["size"] for e in held if not known or e.get("known_from", "") <= known]
        return ", ".join(known_sizes) or "none"

    def stands(known: str) -> bool:
        return not known or rule.get("known_from", "") <= known

    place = f"fines/{name}"
    if stands(before) != stands(after):
        kind = "added" if stands(after) else "removed"
        yield Change(place, rule["article"], kind, "", "", rule["infringes"])
    elif sizes(before) != sizes(after):
        yield Change(place, rule["article"], "changed", "lower for", sizes(before), sizes(after))


def effects(
    before: View, after: View, systems: Iterable[System], texts: tuple[str, ...], day: str
) -> list[Effect]:
    """What changes for systems: each duty that they gain, lose, or owe from another day.

    Args:
        before: the view that duties are compared from.
        after: the view that they are compared to.
        systems: whose duties to derive.
        texts: only duties of these texts; all when empty.
        day: the law date; duties that begin later count with their day.
    """
    found = []
    for system in systems:
        old, new = Derivation(before, system.facts), Derivation(after, system.facts)
        ids = {p.id: p for v in (before, after) for p in kinds_in(v, ("duty",), texts)}
        for provision_id, provision in ids.items():
            was, now = _owed_from(old, provision_id, day), _owed_from(new, provision_id, day)
            if was != now:
                effect = "gains" if not was else "loses" if not now else "moves"
                found.append(Effect(system.id, provision_id, provision.article, effect, was, now))
    return found


def _owed_from(derivation: Derivation, provision_id: str, day: str) -> str:
    """The day from which a duty is owed ("" for never, "undetermined ..." when open)."""
    state, start = state_on(derivation, provision_id, day)
    if state == "undetermined":
        return "undetermined"
    if state in ("yes", "not-yet"):
        holds = any(s == start and t == YES for s, t in derivation.holds(provision_id))
        return (start or "always") if holds else f"undetermined from {start}"
    return ""
