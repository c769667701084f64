"""`indicators.csv`: everything that may be blocked, one row each, for whatever reads tables.

Source: RFC 4180, with `#` lines before the row of names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from bayanihan.core import moment
from bayanihan.core.observables import TYPES, Observable
from bayanihan.readers.active import FOREVER_US
from bayanihan.readers.feeds.format import EVERY_MODE, Format, Heading, Item, commented

COLUMNS = ("type", "value", "tlp", "mode", "valid_from", "valid_until", "exercise", "objects")

_CANARY = "the number of rows below the row of names is the number of items above"
_ABOUT = "Lines that begin with # are comments; then a row of names, then one row an item."
_FORMULA = tuple("=+-@\t\r")


def refusal(observable: Observable) -> str | None:
    """Why it cannot be a cell; None when it can."""
    if observable.value.startswith(_FORMULA):
        return "A spreadsheet would take the value for a formula."
    if not observable.value.isprintable():
        return "The value has no plain spelling."
    return None


def head(heading: Heading) -> list[str]:
    """The comments and the row of names."""
    return [*commented("#", heading, _CANARY, _ABOUT), ",".join(COLUMNS)]


def lines(item: Item) -> list[str]:
    """One row."""
    until = "" if item.valid_until_us == FOREVER_US else moment.render(item.valid_until_us)
    cells = (
        item.type,
        item.value,
        item.level,
        item.mode,
        moment.render(item.valid_from_us),
        until,
        "yes" if item.exercise else "no",
        " ".join(item.ids),
    )
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(cells)
    return [row.getvalue()]


def check(body: bytes) -> str | None:
    """What a strict reader finds wrong with a file; None if nothing."""
    rows = csv.reader(_lines(body.decode()), strict=True)
    try:
        if tuple(next(rows, ())) != COLUMNS:
            return "the row of names is not the first"
        if any(len(row) != len(COLUMNS) for row in rows):
            return "a row has another number of cells"
    except (csv.Error, _Unprintable) as error:
        return str(error)
    return None


class _Unprintable(ValueError):
    """A line that holds what no line may hold."""


def _lines(text: str) -> Iterator[str]:
    """The lines of rows, one at a time: a table may be large."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        line = text[start:end]
        start = end + 1
        if line.startswith("#"):
            continue
        if not line.isprintable():
            raise _Unprintable("a line holds what is not printable")
        yield line


CSV = Format(
    name="indicators.csv",
    engine="any program that reads CSV",
    media_type="text/csv; charset=utf-8",
    types=frozenset(TYPES),
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    check=check,
    modes=EVERY_MODE,
)
