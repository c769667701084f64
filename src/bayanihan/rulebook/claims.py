"""The claim matrix: every legal fact stated twice, in the law's words and as it is served.

For each value that the program serves (a date, an amount, a share, a period, a threshold),
the words that the law must use for it are spelt out ("2 December 2027", "35 000 000 EUR",
"15 working days") and looked for in the pinned quotation that the value names. A value that
changed, a quotation that changed, or a value without a quotation makes a claim fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bayanihan.rulebook.clocks import PARTS, rows_of
from bayanihan.rulebook.condition import text_of
from bayanihan.rulebook.law import Provision, Rulebook

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_NUMBERS = {2: "two", 3: "three", 6: "six", 7: "seven"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One legal fact, served and quoted.

    Attributes:
        id: what is claimed, for example `eu/art6/2 from 2027-12-02`.
        slice: the pinned quotation.
        words: spellings, one of which the quotation must hold.
        holds: whether it does.
    """

    id: str
    slice: str
    words: tuple[str, ...]
    holds: bool


def claims(book: Rulebook) -> list[Claim]:
    """Every claim of the rulebook, in the order of its texts."""
    made = [
        *_dates(book),
        *_cut_offs(book),
        *_articles(book),
        *_fines(book),
        *_clocks(book),
        *_periods(book),
        *_terms(book),
    ]
    return [*made, *_thresholds(book)]


def _claim(book: Rulebook, what: str, piece: str, *words: str) -> Claim:
    found = book.slices.get(piece)
    quote = found.quote if found else ""
    return Claim(what, piece, words, any(word in quote for word in words))


def day_in_words(day: str) -> str:
    """`2027-12-02` as the Official Journal writes it: "2 December 2027"."""
    year, month, number = day.split("-")
    return f"{int(number)} {_MONTHS[int(month) - 1]} {year}"


def _every(book: Rulebook) -> Iterator[Provision]:
    for group in book.provisions.values():
        yield from group


def _dates(book: Rulebook) -> Iterator[Claim]:
    quoted = (
        (f"{provision.id} at {day}", row.slice, day)
        for provision in _every(book)
        for row in provision.rows
        for day in (row.start, row.end)
        if day and row.slice
    )
    for what, piece, day in dict.fromkeys(quoted):
        yield _claim(book, what, piece, day_in_words(day))


def _cut_offs(book: Rulebook) -> Iterator[Claim]:
    """Days inside conditions (placed on the market before ...) stand in a quotation, too."""
    conditions = (
        (provision.id, when, tuple(piece for piece in pieces if piece))
        for provision in _every(book)
        for when, pieces in (
            (provision.when, provision.slices),
            *((row.when, (row.slice, *provision.slices)) for row in provision.rows),
        )
        if when is not None
    )
    for provision_id, when, pieces in conditions:
        for day in re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text_of(when)):
            what = f"{provision_id} cut-off {day}"
            made = [_claim(book, what, piece, day_in_words(day)) for piece in pieces]
            yield from sorted(made, key=lambda one: not one.holds)[:1]


def _articles(book: Rulebook) -> Iterator[Claim]:
    """The quotation of a provision is of its own article, or of one that its article names."""
    for provision in _every(book):
        numbers = set(re.findall(r"(?:Art\.|Annex) [0-9IVX]+[a-d]?", provision.article))
        for piece in provision.slices:
            quoted = re.match(r"(?:Art\.|Annex) [0-9IVX]+[a-d]?", book.slices[piece].article)
            held = quoted is not None and quoted.group() in numbers
            what = f"{provision.id} is {provision.article}"
            yield Claim(what, piece, tuple(sorted(numbers)), held)


def _fines(book: Rulebook) -> Iterator[Claim]:
    for text in book.texts.values():
        for name, rule in (text.details.get("fines") or {}).items():
            amount = f"{rule['amount_eur']:,}".replace(",", " ")
            what = f"fines/{name} {amount}"
            yield _claim(book, what, rule["slice"], f"{amount} EUR", f"EUR {amount}")
            yield _claim(book, f"fines/{name} share", rule["slice"], f"{rule['percent']} % of")
            yield _claim(book, f"fines/{name} higher", rule["slice"], "whichever is higher")
            for entry in rule.get("lower_for") or []:
                words = {"sme": "SMEs", "smc": "SMCs"}[entry["size"]]
                yield _claim(book, f"fines/{name} {entry['size']}", entry["slice"], words)
                yield _claim(book, f"fines/{name} {entry['size']} lower", entry["slice"], "lower")
            if "union_body_eur" in rule:
                body = f"{rule['union_body_eur']:,}".replace(",", " ")
                piece = rule["union_body_slice"]
                yield _claim(book, f"fines/{name} Union bodies", piece, f"EUR {body}")


def period_in_words(period: Any) -> tuple[str, ...]:
    """Spellings of a period: `{days: 2}` is "two days" or "2 days"."""
    if period.get("immediately"):
        return ("immediately", "without undue delay")
    unit, number = next((u, n) for u, n in period.items() if u != "since")
    names = {"hours": ("hours",), "days": ("days", "calendar days"), "months": ("months",),
             "working_days": ("working days",)}[unit]  # fmt: skip
    spellings = [f"{n} {name}" for name in names for n in (number, _NUMBERS.get(number, number))]
    spellings += [f"{_NUMBERS.get(number, number)}-month", "two weeks" if number == 14 else "\0"]
    return tuple(dict.fromkeys(spellings))


def _clocks(book: Rulebook) -> Iterator[Claim]:
    limits = (
        (row, part) for row in rows_of(book) for part in PARTS if "slice" in row and part in row
    )
    for row, part in limits:
        words = period_in_words(row[part])
        yield _claim(book, f"clock {row['id']} {part}", row["slice"], *words)


# Where a period is set, the paragraph that names it, when the step quotes another one.
_PERIODS = {
    ("eu/art46", "objection"): "art46-4",
    ("eu/art79", "correction"): "art79-2",
    ("eu/art79", "objection"): "art79-8",
    ("eu/art79", "objection-art5"): "art79-8-art5",
    ("eu/art79", "union-decision"): "art81-1",
    ("eu/art79", "union-decision-art5"): "art81-1",
}


def _periods(book: Rulebook) -> Iterator[Claim]:
    periods = (
        (procedure["id"], step, name, period)
        for root in book.parts.get("procedures", ())
        for procedure in root["procedures"]
        for step in procedure["steps"]
        for name, period in (step.get("sets") or {}).items()
        if "slice" in step and "prescribed" not in period
    )
    for procedure_id, step, name, period in periods:
        piece = _PERIODS.get((procedure_id, name), step["slice"])
        what = f"procedure {procedure_id}/{step['name']} {name}"
        yield _claim(book, what, piece, *period_in_words(period))


def _terms(book: Rulebook) -> Iterator[Claim]:
    """A provision's own period stands in its quotation."""
    for provision in _every(book):
        period = provision.details.get("period")
        if period:
            words = period_in_words(period)
            yield _claim(book, f"{provision.id} period", provision.slices[0], *words)


def _thresholds(book: Rulebook) -> Iterator[Claim]:
    word = {">": "greater than", ">=": "at least", "<": "less than", "<=": "at most"}
    for provision in _every(book):
        said = text_of(provision.when) if provision.when is not None else ""
        for sign, number in re.findall(r"\w+ (>=|>|<=|<) ([0-9.]+e[0-9]+)", said):
            power = number.replace("1e", "10^")
            what = f"{provision.id} {sign} {number}"
            yield _claim(book, what, provision.slices[0], f"{word[sign]} {power}")
