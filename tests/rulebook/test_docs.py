"""The reference page and the code name the same verbs, states and condition forms."""

from __future__ import annotations

import re
from pathlib import Path

from bayanihan.commands.law import app
from bayanihan.rulebook.classify import STATES
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import RELATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rulebook.md"
_ROW = re.compile(r"^\| *`([^`]+)` *\|", re.MULTILINE)


def rulebook_names() -> set[str]:
    """Every name that the page documents in the first cell of a row."""
    verbs = {f"law {name}" for name in app if not name.startswith("-")}
    endpoints = {"POST /api/law/classify", "POST /api/law/duties", "GET /api/law/matrix"}
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
