"""From YAML texts to a checked `Rulebook`.

The caller reads the files and passes name and content; nothing here touches a disk. Whatever
is wrong is refused with file, line and provision: a bad key, an unknown fact, a quotation
that does not match its digest, overlapping validity, a cycle. With `seals` (file name to
SHA-256, from `seals.yaml`) a file that was edited without being sealed again is refused too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager
from typing import Any

from bayanihan.errors import Broken, Refused
from bayanihan.rulebook import check, law
from bayanihan.rulebook.clocks import check_clocks
from bayanihan.rulebook.condition import All as AllOf
from bayanihan.rulebook.condition import AnyOf, Condition, Finding, read_condition
from bayanihan.rulebook.facts import Vocabulary, read_vocabulary
from bayanihan.rulebook.fines import check_fines
from bayanihan.rulebook.leaf import Leaf
from bayanihan.rulebook.matrix import check_members_part
from bayanihan.rulebook.procedure import check_procedures
from bayanihan.rulebook.question import JURISDICTIONS
from bayanihan.rulebook.reader import Mapping, read
from bayanihan.rulebook.register import check_register
from bayanihan.rulebook.schema import (
    choice_in,
    day_in,
    expect_keys,
    expect_mapping,
    text_in,
    texts_in,
    whole_in,
)  # fmt: skip
from bayanihan.rulebook.shelf import check_shelf
from bayanihan.rulebook.tracks import check_tracks

SEALS_FILE = "seals.yaml"

_PROVISION = ("id", "article", "kind", "title")
_PROVISION_MORE = (
    "says", "actor", "when", "applies", "excepts", "priority", "from", "until", "known_from",
    "known_until", "bindingness", "source", "slice", "evidence", "checked_by", "cost",
    "assistance", "topic", "measure", "fine", "satisfied_by", "sector", "disagreement",
    "pedigree", "reading", "deadline", "adopts", "weight", "period",
)  # fmt: skip
_TEXT = ("text", "prefix", "title", "jurisdiction", "bindingness")
_TEXT_MORE = (
    "watermark", "roles", "sources", "slices", "schedules", "provisions", "status", "fines",
    "note", "entry_into_force", "accession", "tracks", "sectors", "scope",
)  # fmt: skip
_ROW_MORE = (
    "from", "until", "known_from", "known_until", "when", "slice", "note", "months_after_entry",
    "needs_assistance", "unconfirmed",
)  # fmt: skip


def load(files: AnyMapping[str, str], seals: AnyMapping[str, str] | None = None) -> law.Rulebook:
    """Build the rulebook.

    Args:
        files: file name to content; exactly one holds the vocabulary (`facts:`).
        seals: file name to SHA-256 of its content; None skips this check (drafting).

    Raises:
        Refused: with file and line for whatever a person wrote wrongly.
        Broken: `record-damaged` when a file differs from its seal.
    """
    roots = {name: _root(name, files[name], seals) for name in sorted(files) if name != SEALS_FILE}
    digests = {name: law.digest_of_file(files[name]) for name in roots}
    vocabulary = _vocabulary(roots)
    sources: dict[str, law.Source] = {}
    slices: dict[str, law.Slice] = {}
    texts: dict[str, law.Text] = {}
    parts: dict[str, Any] = {}
    for name, root in roots.items():
        with _shape(name):
            for source in _sources(root):
                _once(sources, source.id, source, root, "source")
            for piece in _slices(root):
                _once(slices, piece.id, piece, root, "slice")
            if "text" in root:
                text = _text(root, vocabulary, digests[name])
                _once(texts, text.id, text, root, "text")
            elif "facts" not in root:
                parts.setdefault(root["part"], []).append(root)
    provisions = check.versions(texts.values())
    check.references(provisions, sources, slices)
    check.acyclic(provisions)
    lines = "".join(f"{name}\0{digest}\n" for name, digest in digests.items())
    digest = "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    book = law.Rulebook(digest, texts, provisions, sources, slices, vocabulary, parts)
    _check_parts(book)
    return book


def _check_parts(book: law.Rulebook) -> None:
    with _shape("a text's fines"):
        check_fines(book)
    with _shape("a part of clocks"):
        check_clocks(book, JURISDICTIONS)
    with _shape("a part of members"):
        check_members_part(book)
    with _shape("a part of tracks"):
        check_tracks(book)
    with _shape("a part of procedures"):
        check_procedures(book)
    with _shape("a part of practices, checks or templates"):
        check_shelf(book)
    with _shape("a part of the register"):
        check_register(book)


@contextmanager
def _shape(name: str) -> Iterator[None]:
    """Whatever is not even shaped as the checks expect is the writer's fault, not ours."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise Refused(
            "bad-value", f"{name} is not shaped as the reference says: {error!r}.", where=name
        ) from error


def read_seals(content: str) -> dict[str, str]:
    """The seals of `seals.yaml`: file name to SHA-256.

    Raises:
        Refused: when it is not such a file.
    """
    root = expect_mapping(read(content, SEALS_FILE), "The list of seals", SEALS_FILE)
    return {name: text_in(root, name) for name in root}


def write_seals(files: AnyMapping[str, str]) -> str:
    """The content of `seals.yaml` for these files."""
    names = sorted(name for name in files if name != SEALS_FILE)
    return "".join(f"{name}: {law.digest_of_file(files[name])}\n" for name in names)


def _root(name: str, content: str, seals: AnyMapping[str, str] | None) -> Mapping:
    if seals is not None and seals.get(name) != law.digest_of_file(content):
        known = "differs from its seal" if name in seals else "has no seal"
        raise Broken(
            "record-damaged",
            f"The rulebook file {name} {known}: it was edited by hand.",
            where=name,
            next_step="Restore the file, or have the change reviewed and run `bayanihan law seal`.",
        )
    root = expect_mapping(read(content, name), "A rulebook file", f"{name}:1")
    if not {"text", "facts", "part"} & set(root):
        raise Refused(
            "bad-value", "A rulebook file begins with text:, facts: or part:.", where=f"{name}:1"
        )
    return root


def _vocabulary(roots: AnyMapping[str, Mapping]) -> Vocabulary:
    holders = [root for root in roots.values() if "facts" in root]
    if len(holders) != 1:
        raise Refused("bad-value", "Exactly one file holds the vocabulary of facts.")
    with _shape(holders[0].file):
        return read_vocabulary(holders[0])


def _once(into: dict[str, Any], key: str, value: Any, root: Mapping, what: str) -> None:
    if key in into:
        raise Refused("duplicate-key", f"The {what} {key!r} stands twice.", where=root.place())
    into[key] = value


def _sources(root: Mapping) -> list[law.Source]:
    found = []
    entries = root.get("sources") or Mapping(root.file, root.line)
    for source_id, entry in expect_mapping(entries, "sources", root.place()).items():
        entry = expect_mapping(entry, "A source", entries.place(source_id))
        expect_keys(entry, f"The source {source_id}", ("title", "quality"),
                    ("publisher", "date", "url", "note"))  # fmt: skip
        found.append(
            law.Source(
                source_id,
                text_in(entry, "title"),
                text_in(entry, "publisher"),
                text_in(entry, "date"),
                choice_in(entry, "quality", law.QUALITIES),
                text_in(entry, "url"),
                text_in(entry, "note"),
            )
        )
    return found


def _slices(root: Mapping) -> list[law.Slice]:
    found = []
    entries = root.get("slices") or Mapping(root.file, root.line)
    for slice_id, entry in expect_mapping(entries, "slices", root.place()).items():
        entry = expect_mapping(entry, "A slice", entries.place(slice_id))
        expect_keys(entry, f"The slice {slice_id}", ("source", "article", "quote", "digest"), ())
        quote = text_in(entry, "quote")
        if law.digest_of_quote(quote) != entry["digest"]:
            raise Refused(
                "conflict",
                f"The quotation {slice_id} ({entry['article']}) does not match its digest: "
                "a word was changed.",
                where=entry.place("quote"),
                next_step="Restore the words of the law; a new wording is a new slice.",
            )
        found.append(
            law.Slice(
                slice_id,
                text_in(entry, "source"),
                text_in(entry, "article"),
                quote,
                text_in(entry, "digest"),
                entry.place(),
            )
        )
    return found


def _text(root: Mapping, vocabulary: Vocabulary, digest: str) -> law.Text:
    expect_keys(root, "A text", _TEXT, _TEXT_MORE)
    schedules = {
        name: _rows(rows, vocabulary, root["schedules"].place(name), f"The schedule {name}")
        for name, rows in (root.get("schedules") or {}).items()
    }
    roles = dict(root.get("roles") or {})
    binding = choice_in(root, "bindingness", law.BINDINGNESS)
    provisions = []
    for entry in root.get("provisions") or []:
        entry = expect_mapping(entry, "A provision", root.place("provisions"))
        try:
            provisions.append(_provision(entry, root, vocabulary, schedules, roles, binding))
        except Refused as error:
            error.message = f"{entry.get('id', 'A provision')}: {error.message}"
            error.args = (error.message,)
            raise
    shown = {k: root[k] for k in _TEXT_MORE if k in root and k not in ("provisions", "slices")}
    return law.Text(
        text_in(root, "text"), text_in(root, "prefix"), text_in(root, "title"),
        text_in(root, "jurisdiction"), binding, text_in(root, "watermark"), "sha256:" + digest,
        roles, tuple(provisions), shown,
    )  # fmt: skip


def _provision(
    entry: Mapping,
    root: Mapping,
    vocabulary: Vocabulary,
    schedules: AnyMapping[str, tuple[law.Row, ...]],
    roles: AnyMapping[str, str],
    binding: str,
) -> law.Provision:
    expect_keys(entry, "A provision", _PROVISION, _PROVISION_MORE)
    if not entry["id"].startswith(root["prefix"] + "/"):
        raise Refused(
            "bad-value", f"Its id begins with {root['prefix']}/.", where=entry.place("id")
        )
    when = None
    if entry.get("when") is not None:
        when = read_condition(entry["when"], vocabulary, entry.place("when"))
    actors = texts_in(entry, "actor")
    kind = choice_in(entry, "kind", law.KINDS)
    if kind == "duty" and actors:
        bearer = _bearer(actors, roles, vocabulary, entry.place("actor"))
        when = bearer if when is None else AllOf((bearer, when))
    applies = entry.get("applies")
    scope = text_in(root, "scope")
    if scope and entry["id"] != scope and kind in ("finding", "duty"):
        inside = Finding(scope)
        when = inside if when is None else AllOf((inside, when))
    rows: tuple[law.Row, ...] = ()
    if isinstance(applies, str):
        if applies not in schedules:
            raise Refused(
                "bad-value", f"No schedule is called {applies!r}.", where=entry.place("applies")
            )
        rows = schedules[applies]
    elif applies is not None:
        rows = _rows(applies, vocabulary, entry.place("applies"), entry["id"])
    shown = _details(entry)
    return law.Provision(
        entry["id"], root["text"], text_in(entry, "article"), kind, text_in(entry, "title"),
        text_in(entry, "says"), actors, when, rows, texts_in(entry, "excepts"),
        whole_in(entry, "priority"), day_in(entry, "known_from"), day_in(entry, "known_until"),
        day_in(entry, "from"), day_in(entry, "until"),
        choice_in(entry, "bindingness", law.BINDINGNESS, binding),
        texts_in(entry, "source"), texts_in(entry, "slice"), shown, entry.place(),
    )  # fmt: skip


def _details(entry: Mapping) -> dict[str, Any]:
    """What is only shown or looked up, each key with its type."""
    shown: dict[str, Any] = {k: entry[k] for k in _PROVISION_MORE if k in entry}
    for key in ("evidence", "assistance", "pedigree"):
        if key in shown:
            shown[key] = texts_in(entry, key)
    for key in ("checked_by", "topic", "fine", "satisfied_by", "sector", "reading", "deadline"):
        if key in shown:
            shown[key] = text_in(entry, key)
    for key in ("measure", "cost", "period"):
        if key in shown:
            expect_mapping(entry[key], f"`{key}`", entry.place(key))
    if "cost" in shown:
        expect_keys(entry["cost"], "A cost", ("low", "high", "unit", "source"), ())
    if "hours" in shown.get("measure", {}):
        whole_in(entry["measure"], "hours")
    whole_in(entry, "weight", 1)
    for one in entry.get("disagreement") or ():
        expect_keys(expect_mapping(one, "A disagreement", entry.place("disagreement")),
                    "A disagreement", ("says", "source"), ())  # fmt: skip
    return shown


def _bearer(
    actors: tuple[str, ...], roles: AnyMapping[str, str], vocabulary: Vocabulary, place: str
) -> Condition:
    parts: list[Condition] = [
        Finding(roles[a]) if a in roles else Leaf(f'"{a}" in roles', vocabulary, place)
        for a in actors
    ]
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _rows(raw: Any, vocabulary: Vocabulary, place: str, of: str) -> tuple[law.Row, ...]:
    if not isinstance(raw, list) or not raw:
        raise Refused("bad-value", "A schedule is a list of rows.", where=place)
    rows = []
    for entry in raw:
        entry = expect_mapping(entry, "A row of a schedule", place)
        expect_keys(entry, "A row of a schedule", (), _ROW_MORE)
        condition = None
        if entry.get("when") is not None:
            condition = read_condition(entry["when"], vocabulary, entry.place("when"))
        months = entry.get("months_after_entry") or Mapping(entry.file, entry.line)
        expect_mapping(months, "months_after_entry", entry.place("months_after_entry"))
        rows.append(
            law.Row(
                day_in(entry, "from"),
                day_in(entry, "until"),
                day_in(entry, "known_from"),
                day_in(entry, "known_until"),
                condition,
                {track: whole_in(months, track) for track in months},
                entry.get("needs_assistance") is True,
                entry.get("unconfirmed") is True,
                text_in(entry, "slice"),
                text_in(entry, "note"),
                entry.place(),
            )
        )
    check.rows_disjoint(rows, of)
    return tuple(rows)
