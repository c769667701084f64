"""One provision as people read it: versions, dates, quotations, sources, pedigree."""

from __future__ import annotations

from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.condition import text_of
from bayanihan.rulebook.law import Provision, Rulebook

_DETAILS = (
    "evidence", "checked_by", "assistance", "topic", "measure", "fine", "deadline", "pedigree",
    "disagreement", "reading",
)  # fmt: skip


def show(book: Rulebook, provision_id: str) -> list[dict[str, Any]]:
    """Every version of a provision, with what it rests on.

    Raises:
        Refused: `not-found`, naming a few ids that begin alike.
    """
    group = book.provisions.get(provision_id)
    if group is None:
        start = provision_id.split("/", maxsplit=1)[0] + "/"
        alike = [one for one in book.provisions if one.startswith(start)][:8]
        known = ", ".join(alike or book.texts)
        raise Refused(
            "not-found", f"No provision {provision_id!r}; try {known}.", where="provision"
        )
    return [_version(book, one) for one in group]


def _version(book: Rulebook, one: Provision) -> dict[str, Any]:
    pieces = dict.fromkeys([*one.slices, *(row.slice for row in one.rows if row.slice)])
    told: dict[str, Any] = {
        "provision": one.id,
        "text": book.texts[one.text].title,
        "watermark": book.texts[one.text].watermark,
        "article": one.article,
        "kind": one.kind,
        "title": one.title,
        "says": one.says,
        "bindingness": one.bindingness,
        "condition": text_of(one.when) if one.when is not None else "always",
        "known": f"{one.known_start or 'ever'} to {one.known_end or 'now'}",
        "applies": [
            {
                "from": row.start,
                "until": row.end,
                "known_from": row.known_start,
                "known_until": row.known_end,
                "if": text_of(row.when) if row.when is not None else "",
                "months_after_entry": dict(row.months),
                "needs_assistance": row.needs_assistance,
                "unconfirmed": row.unconfirmed,
                "note": row.note,
                "slice": row.slice,
            }
            for row in one.rows
        ],
        "excepts": list(one.excepts),
        "quotations": [
            {
                "slice": piece,
                "article": book.slices[piece].article,
                "quote": book.slices[piece].quote,
                "source": book.slices[piece].source,
                "digest": book.slices[piece].digest,
            }
            for piece in pieces
        ],
        "sources": [_source(book, name) for name in one.sources],
    }
    for name in _DETAILS:
        if name in one.details:
            told[name] = one.details[name]
    return told


def _source(book: Rulebook, name: str) -> dict[str, str]:
    source = book.sources[name]
    return {
        "source": name,
        "title": source.title,
        "publisher": source.publisher,
        "date": source.date,
        "quality": source.quality,
        "url": source.url,
        "note": source.note,
    }
