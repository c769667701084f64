"""The reference and the code name the same things: nothing undocumented, nothing invented."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bayanihan.errors import CODES
from bayanihan.ledger import KINDS
from bayanihan.readers.feeds import FORMATS
from docs import generate
from tests.rulebook.test_docs import rulebook_names

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"

# A name is documented by a heading, or by the first cell of a table row, in backquotes.
_HEADING = re.compile(r"^#{2,4} +`([^`]+)`", re.MULTILINE)
_ROW = re.compile(r"^\| *`([^`]+)` *\|", re.MULTILINE)


@dataclass(frozen=True)
class Surface:
    """Something users can name: the page that describes it, and what the code has of it."""

    page: str
    names: Callable[[], set[str]]


SURFACES = [
    Surface("errors.md", lambda: set(CODES)),
    Surface("kinds.md", lambda: set(KINDS)),
    Surface("commands.md", lambda: set(generate.verbs())),
    Surface("endpoints.md", lambda: set(generate.endpoints())),
    Surface("settings.md", lambda: set(generate.settings())),
    Surface("rulebook.md", rulebook_names),
    Surface("feeds.md", lambda: set(FORMATS)),
    Surface("sandbox.md", lambda: set(generate.sandbox())),
]


def documented(text: str) -> set[str]:
    """The names that a page describes."""
    return {*_HEADING.findall(text), *_ROW.findall(text)}


def differences(names: set[str], text: str) -> tuple[set[str], set[str]]:
    """What the page lacks, and what it describes that does not exist."""
    return names - documented(text), documented(text) - names


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.page)
def test_code_and_page_agree(surface: Surface) -> None:
    text = (REFERENCE / surface.page).read_text(encoding="utf-8")
    missing, invented = differences(surface.names(), text)
    assert missing == set(), "in the code, not on the page"
    assert invented == set(), "on the page, not in the code"


def test_every_page_is_checked() -> None:
    pages = {path.name for path in REFERENCE.glob("*.md")}
    assert pages == {surface.page for surface in SURFACES}


def test_generated_parts_are_current() -> None:
    assert generate.stale(REFERENCE) == {}, "run `make docs`"


def test_kinds_have_their_numbers() -> None:
    text = (REFERENCE / "kinds.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+)` \| (\d+) \|", text, re.MULTILINE)
    assert rows == [(kind, str(number)) for number, kind in enumerate(KINDS)]


def test_both_directions_are_caught() -> None:
    text = "## `push`\n\n| `pull` | gets |\n\nand `follow` in passing\n"
    assert differences({"push", "follow"}, text) == ({"follow"}, {"pull"})
    assert differences({"push", "pull"}, text) == (set(), set())


def test_drift_is_caught_and_mended(tmp_path: Path) -> None:
    page = tmp_path / "errors.md"
    current = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    page.write_text(current.replace("`not-json`", "`not-jason`"), encoding="utf-8")
    found = generate.stale(tmp_path)
    assert found == {page: current}


def test_a_page_without_its_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="generated: errors"):
        generate.filled("# Error codes\n", "errors", "text")


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []
