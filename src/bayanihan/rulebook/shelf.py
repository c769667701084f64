"""What a working group looks things up in: practices, process checks, assessment templates.

All of it is data of the rulebook, each piece with its source, so that it can be cited.
"""

from __future__ import annotations

from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.schema import expect_keys, text_in, texts_in
from bayanihan.rulebook.system import System


def practices(
    book: Rulebook, words: str = "", member: str = "", tag: str = ""
) -> list[dict[str, Any]]:
    """Entries of the compendium that hold every word, of that member and tag.

    Each carries `cite`: id, title, year and the source with its date.
    """
    found = []
    for entry in _entries(book, "practices"):
        text = " ".join([entry["title"], entry["says"], entry["id"], *entry["tags"]]).casefold()
        wanted = all(word in text for word in words.casefold().split())
        if wanted and member in ("", entry["member"]) and (not tag or tag in entry["tags"]):
            source = book.sources[entry["source"]]
            cite = (
                f"{entry['id']}: {entry['title']} ({entry['year']}). {source.title}, {source.date}"
            )
            found.append({**entry, "quality": source.quality, "cite": cite})
    return found


def checks(book: Rulebook, principle: str = "") -> list[dict[str, Any]]:
    """The AI Verify process checks: all, those of a principle of theirs, else of ASEAN's."""
    every = [dict(entry) for entry in _entries(book, "checks")]
    wanted = principle.casefold()
    theirs = [entry for entry in every if wanted in ("", entry["principle"].casefold())]
    return theirs or [entry for entry in every if entry["asean"] == wanted]


def assessment(book: Rulebook, template: str, system: System) -> dict[str, Any]:
    """An impact assessment of a system: a template with what the facts already answer.

    Args:
        book: the rulebook.
        template: `art27` or `asean-annex-a`.
        system: whose facts fill it in; what is unknown stays open for a person.

    Raises:
        Refused: `not-found`, naming the templates there are.
    """
    there = {k: v for root in book.parts.get("templates", ()) for k, v in root["templates"].items()}
    entry = there.get(template)
    if entry is None:
        known = ", ".join(there)
        raise Refused(
            "not-found", f"No template {template!r}; there are {known}.", where="template"
        )
    sections = []
    for section in entry["sections"]:
        questions = []
        for question in section["questions"]:
            fact = question.get("fact", "")
            given = system.facts.get(fact) if fact else None
            answer = "" if given is None else _said(given)
            questions.append({"ask": question["ask"], "fact": fact, "answer": answer})
        sections.append({"title": section["title"], "questions": questions})
    return {
        "template": template,
        "title": entry["title"],
        "note": entry["note"],
        "source": entry["source"],
        "system": system.id,
        "sections": sections,
    }


def check_shelf(book: Rulebook) -> None:
    """Check practices, checks and templates: keys, sources, facts.

    Raises:
        Refused: with file and line.
    """
    for entry in _entries(book, "practices"):
        expect_keys(entry, "A practice",
                    ("id", "member", "title", "year", "tags", "says", "source"), ())  # fmt: skip
        texts_in(entry, "tags")
        for key in ("id", "member", "title", "says", "source"):
            text_in(entry, key)
        if entry["source"] not in book.sources:
            raise Refused("bad-value", "A practice names a source.", where=entry.place("source"))
    for entry in _entries(book, "checks"):
        keys = ("pid", "principle", "asean", "criterion", "process")
        expect_keys(entry, "A check", keys, ())
        for key in keys:
            text_in(entry, key)
    for root in book.parts.get("templates", ()):
        for entry in root["templates"].values():
            expect_keys(entry, "A template", ("title", "source", "note", "sections"), ())
            for section in entry["sections"]:
                _check_questions(book, section)


def _check_questions(book: Rulebook, section: Mapping) -> None:
    text_in(section, "title")
    for question in section["questions"]:
        text_in(question, "ask")
        if question.get("fact", "roles") not in book.vocabulary.facts:
            raise Refused("bad-value", "No such fact.", where=question.place("fact"))


def _entries(book: Rulebook, part: str) -> list[Mapping]:
    return [entry for root in book.parts.get(part, ()) for entry in root[part]]


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
