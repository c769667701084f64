"""The reference page and the code name the same verbs, states and condition forms."""

from __future__ import annotations

import re
from pathlib import Path

from bayanihan.rulebook.classify import STATES
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import RELATIONS
from docs import generate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rulebook.md"
_ROW = re.compile(r"^\| *`([^`]+)` *\|", re.MULTILINE)


def rulebook_names() -> set[str]:
    """Every name that the page documents in the first cell of a row."""
    verbs = {name for name in generate.verbs() if name.startswith("law ")}
    endpoints = {name for name in generate.endpoints() if "/api/law/" in name}
    duties = {"owed", "upcoming", "recommended", "waits"}
    clocks = {"runs", "gap", "not-concerned"}
    forms = {'fact == "value"', "all", "any", "not", "finding", "event"}
    parts = {"sources", "members", "clocks", "procedures", "tracks", "register", "templates",
             "practices", "checks", "cases"}  # fmt: skip
    return verbs | endpoints | duties | clocks | forms | parts | {*STATES, *RELATIONS}


def test_page_and_code_agree() -> None:
    assert set(_ROW.findall(PAGE.read_text(encoding="utf-8"))) == rulebook_names()


def test_every_part_of_the_shipped_rulebook_is_documented(book: Rulebook) -> None:
    assert set(book.parts) <= rulebook_names()
